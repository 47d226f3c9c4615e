/*
 * Naming program counters of one large ELF file: ls_symbols_name against libunwind's symbol
 * lookup. docs/decisions/0003-symbol-names-by-streaming.md quotes its figures.
 *
 *   symbol_names FILE [COUNT]      COUNT functions spread over FILE, 300 when not given
 *
 * Links libunwind and libunwind-x86_64 only here, never into the library.
 */
#define UNW_LOCAL_ONLY
#include <elf.h>
#include <fcntl.h>
#include <libunwind.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report/symbols.h"
#include "system/elf_notes.h"

#define NAME_BYTES 256

struct image {
    const char *bytes;
    size_t size;
    const Elf64_Ehdr *header;
    const Elf64_Sym *symbols;
    size_t symbol_count;
    char build_id[LS_SYMBOLS_BUILD_ID_MAX];
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static long peak_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static int open_image(struct image *image, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const Elf64_Shdr *sections;
    const Elf64_Phdr *segments;

    if (fd < 0 || fstat(fd, &status) != 0)
        return -1;
    image->size = (size_t)status.st_size;
    image->bytes = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (image->bytes == MAP_FAILED)
        return -1;
    image->header = (const void *)image->bytes;
    sections = (const void *)(image->bytes + image->header->e_shoff);
    segments = (const void *)(image->bytes + image->header->e_phoff);
    for (unsigned i = 0; i < image->header->e_phnum; i++) {
        if (segments[i].p_type == PT_NOTE && image->build_id[0] == '\0')
            ls_elf_build_id(image->bytes + segments[i].p_offset, segments[i].p_filesz,
                            image->build_id, sizeof(image->build_id));
    }
    for (unsigned i = 0; i < image->header->e_shnum; i++) {
        if (sections[i].sh_type == SHT_SYMTAB ||
            (sections[i].sh_type == SHT_DYNSYM && image->symbols == NULL)) {
            image->symbols = (const void *)(image->bytes + sections[i].sh_offset);
            image->symbol_count = sections[i].sh_size / sizeof(Elf64_Sym);
        }
    }
    return image->symbols == NULL ? -1 : 0;
}

/* An address inside each of `count` functions spread evenly over the table. */
static size_t pick_offsets(const struct image *image, uint64_t *offsets, size_t count)
{
    size_t functions = 0;
    size_t seen = 0;
    size_t picked = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < image->symbol_count && picked < count; i++) {
            const Elf64_Sym *symbol = &image->symbols[i];

            if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_size < 8)
                continue;
            if (pass == 0) {
                functions++;
            } else if (seen++ * count / functions >= picked) {
                offsets[picked++] = symbol->st_value + symbol->st_size / 2;
            }
        }
    }
    return picked;
}

static void time_streaming(const char *path, const struct image *image, const uint64_t *offsets,
                           size_t count)
{
    struct ls_symbols_query *queries = calloc(count, sizeof(*queries));
    char *names = calloc(count, NAME_BYTES);
    double best = 1e9;
    int named = 0;
    long before = peak_kib();

    for (int round = 0; round < 5 && queries != NULL && names != NULL; round++) {
        double start;

        for (size_t i = 0; i < count; i++) {
            queries[i].offset = offsets[i];
            queries[i].name = names + i * NAME_BYTES;
            queries[i].capacity = NAME_BYTES;
        }
        start = seconds();
        named = ls_symbols_name(path, image->build_id, queries, count);
        if (seconds() - start < best)
            best = seconds() - start;
    }
    printf("one pass: %d of %zu named, %.1f ms, resident memory +%ld KiB\n", named, count,
           best * 1e3, peak_kib() - before);
    free(queries);
    free(names);
}

/* libunwind looks in the local address space, so the code is mapped where it can find it, in the
 * way the loader maps it. */
static void time_libunwind(const char *path, const struct image *image, const uint64_t *offsets,
                           size_t count)
{
    const Elf64_Phdr *segments = (const void *)(image->bytes + image->header->e_phoff);
    unw_accessors_t *accessors = unw_get_accessors(unw_local_addr_space);
    const Elf64_Phdr *code = NULL;
    const char *mapped;
    uint64_t page_offset;
    char name[NAME_BYTES];
    size_t named = 0;
    size_t tried = 0;
    long before = peak_kib();
    double start;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    for (unsigned i = 0; i < image->header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_X) != 0 && code == NULL)
            code = &segments[i];
    }
    if (code == NULL || fd < 0)
        return;
    page_offset = code->p_offset & 4095;
    mapped = mmap(NULL, code->p_filesz + page_offset, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
                  (off_t)(code->p_offset - page_offset));
    close(fd);
    if (mapped == MAP_FAILED)
        return;
    start = seconds();
    for (size_t i = 0; i < count; i++) {
        unw_word_t distance;
        int result;
        unw_word_t address =
            (unw_word_t)(uintptr_t)mapped + page_offset + offsets[i] - code->p_vaddr;

        if (offsets[i] < code->p_vaddr || offsets[i] - code->p_vaddr >= code->p_filesz)
            continue;
        tried++;
        result = accessors->get_proc_name(unw_local_addr_space, address, name, sizeof(name),
                                          &distance, NULL);
        /* UNW_ENOMEM: found, and cut to the buffer. */
        if (result == 0 || result == -UNW_ENOMEM)
            named++;
    }
    start = seconds() - start;
    printf("libunwind: %zu of %zu named, %.1f ms, %.2f ms each, resident memory +%ld KiB\n", named,
           tried, start * 1e3, tried > 0 ? start * 1e3 / (double)tried : 0.0, peak_kib() - before);
}

int main(int argc, char **argv)
{
    struct image image = {0};
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 300;
    uint64_t *offsets;

    if (argc < 2 || count == 0 || open_image(&image, argv[1]) != 0) {
        fprintf(stderr, "usage: symbol_names FILE [COUNT]\n");
        return 2;
    }
    offsets = calloc(count, sizeof(*offsets));
    if (offsets == NULL)
        return 2;
    count = pick_offsets(&image, offsets, count);
    printf("%s: %zu symbols\n", argv[1], image.symbol_count);
    time_streaming(argv[1], &image, offsets, count);
    time_libunwind(argv[1], &image, offsets, count);
    return 0;
}
