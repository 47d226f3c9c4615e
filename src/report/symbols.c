#include "report/symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "base/text.h"
#include "report/demangle.h"
#include "system/elf_notes.h"
#include "system/syscall.h"

#define CHUNK_BYTES      (16 * 1024)
#define NOTE_BYTES_MAX   4096
#define NAME_BYTES_MAX   1024
#define SECTIONS_MAX     65536
#define SYMBOL_BYTES_MAX (UINT64_C(512) << 20)

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_ORDER_CLASS ELFDATA2LSB
#else
#define BYTE_ORDER_CLASS ELFDATA2MSB
#endif

struct elf_file {
    int fd;
    uint64_t size;
    Elf64_Ehdr header;
    uint64_t section_count;
};

/* All of `length` bytes, or -ENOEXEC when the file ends before. */
static int read_at(const struct elf_file *file, uint64_t offset, void *buffer, size_t length)
{
    char *cursor = buffer;

    if (offset > file->size || length > file->size - offset)
        return -ENOEXEC;
    while (length > 0) {
        long got = ls_sys_pread(file->fd, cursor, length, (int64_t)offset);

        if (got == -EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? (int)got : -ENOEXEC;
        cursor += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

static int read_section(const struct elf_file *file, uint64_t index, Elf64_Shdr *section)
{
    uint64_t offset;

    if (index >= file->section_count ||
        __builtin_add_overflow(file->header.e_shoff, index * sizeof(*section), &offset))
        return -ENOEXEC;
    return read_at(file, offset, section, sizeof(*section));
}

static int open_elf(struct elf_file *file, const char *path)
{
    struct stat status;
    Elf64_Shdr first = {0};
    long result = ls_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);

    if (result < 0)
        return (int)result;
    file->fd = (int)result;
    result = ls_sys_fstat(file->fd, &status);
    if (result < 0)
        return (int)result;
    if (!S_ISREG(status.st_mode))
        return -ENOEXEC;
    file->size = (uint64_t)status.st_size;
    result = read_at(file, 0, &file->header, sizeof(file->header));
    if (result < 0)
        return (int)result;
    if (memcmp(file->header.e_ident, ELFMAG, SELFMAG) != 0 ||
        file->header.e_ident[EI_CLASS] != ELFCLASS64 ||
        file->header.e_ident[EI_DATA] != BYTE_ORDER_CLASS || file->header.e_machine != MACHINE)
        return -ENOEXEC;
    if (file->header.e_shoff == 0)
        return 0;
    if (file->header.e_shentsize != sizeof(Elf64_Shdr))
        return -ENOEXEC;
    /* More than 65,279 sections: the count is in the first one (elf(5)). */
    file->section_count = 1;
    result = read_section(file, 0, &first);
    file->section_count = file->header.e_shnum != 0 ? file->header.e_shnum : first.sh_size;
    if (file->section_count > SECTIONS_MAX)
        return -ENOEXEC;
    return (int)result;
}

static int file_build_id(const struct elf_file *file, char *hex, size_t capacity)
{
    unsigned char notes[NOTE_BYTES_MAX];

    hex[0] = '\0';
    if (file->header.e_phnum > 0 && file->header.e_phentsize != sizeof(Elf64_Phdr))
        return -ENOEXEC;
    for (unsigned i = 0; i < file->header.e_phnum; i++) {
        Elf64_Phdr segment;
        uint64_t offset;
        size_t length;
        int error;

        if (__builtin_add_overflow(file->header.e_phoff, i * sizeof(segment), &offset))
            return -ENOEXEC;
        error = read_at(file, offset, &segment, sizeof(segment));
        if (error != 0)
            return error;
        if (segment.p_type != PT_NOTE)
            continue;
        length = segment.p_filesz < sizeof(notes) ? (size_t)segment.p_filesz : sizeof(notes);
        error = read_at(file, segment.p_offset, notes, length);
        if (error != 0)
            return error;
        if (ls_elf_build_id(notes, length, hex, capacity) > 0)
            return 0;
    }
    return 0;
}

/* .symtab, else .dynsym, and the strings its symbols name. */
static int find_tables(const struct elf_file *file, Elf64_Shdr *symbols, Elf64_Shdr *strings)
{
    Elf64_Shdr section;
    bool found = false;
    int error;

    for (uint64_t i = 0; i < file->section_count; i++) {
        error = read_section(file, i, &section);
        if (error != 0)
            return error;
        if (section.sh_type == SHT_SYMTAB || (section.sh_type == SHT_DYNSYM && !found)) {
            *symbols = section;
            found = true;
        }
        if (section.sh_type == SHT_SYMTAB)
            break;
    }
    if (!found)
        return -ENODATA;
    if (symbols->sh_entsize != sizeof(Elf64_Sym) || symbols->sh_size > SYMBOL_BYTES_MAX)
        return -ENOEXEC;
    error = read_section(file, symbols->sh_link, strings);
    if (error != 0)
        return error;
    return strings->sh_type == SHT_STRTAB ? 0 : -ENOEXEC;
}

/* The first query at or after `offset`; count when there is none. */
static size_t first_at_or_after(const struct ls_symbols_query *queries, size_t count,
                                uint64_t offset)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (queries[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_function(const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info); /* NOLINT: read_at has filled it */

    return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF;
}

/*
 * Offers one function to the queries inside it: the innermost function wins, then a global name
 * over a local alias. Its start is also noted at the first query behind it; after the pass that
 * tells for every query which function starts last before it.
 */
static void offer(struct ls_symbols_query *queries, size_t count, const Elf64_Sym *symbol)
{
    size_t first = first_at_or_after(queries, count, symbol->st_value);
    bool global = ELF64_ST_BIND(symbol->st_info) != STB_LOCAL;
    struct ls_symbols_query *behind;

    if (first == count)
        return;
    behind = &queries[first];
    if (behind->match.preceding_found && behind->match.preceding_value == symbol->st_value) {
        behind->match.preceding_open = behind->match.preceding_open && symbol->st_size == 0;
    } else if (!behind->match.preceding_found || behind->match.preceding_value < symbol->st_value) {
        behind->match.preceding_found = true;
        behind->match.preceding_value = symbol->st_value;
        behind->match.preceding_name_index = symbol->st_name;
        behind->match.preceding_section = symbol->st_shndx;
        behind->match.preceding_open = symbol->st_size == 0;
    }
    for (size_t i = first; i < count; i++) {
        struct ls_symbols_query *query = &queries[i];

        if (query->offset - symbol->st_value >= symbol->st_size)
            break;
        if (query->match.found &&
            (query->match.value > symbol->st_value ||
             (query->match.value == symbol->st_value && (query->match.global || !global))))
            continue;
        query->match.found = true;
        query->match.global = global;
        query->match.value = symbol->st_value;
        query->match.name_index = symbol->st_name;
    }
}

static int stream_symbols(const struct elf_file *file, const Elf64_Shdr *table,
                          struct ls_symbols_query *queries, size_t count)
{
    Elf64_Sym chunk[CHUNK_BYTES / sizeof(Elf64_Sym)];
    uint64_t left = table->sh_size / sizeof(Elf64_Sym);
    uint64_t offset = table->sh_offset;

    while (left > 0) {
        size_t symbols = left < LS_ARRAY_LENGTH(chunk) ? (size_t)left : LS_ARRAY_LENGTH(chunk);
        int error = read_at(file, offset, chunk, symbols * sizeof(Elf64_Sym));

        if (error != 0)
            return error;
        for (size_t i = 0; i < symbols; i++) {
            if (is_function(&chunk[i]))
                offer(queries, count, &chunk[i]);
        }
        left -= symbols;
        offset += symbols * sizeof(Elf64_Sym);
    }
    return 0;
}

static bool is_in_section(const struct elf_file *file, uint16_t index, uint64_t offset)
{
    Elf64_Shdr section;

    return index < SHN_LORESERVE && read_section(file, index, &section) == 0 &&
           offset - section.sh_addr < section.sh_size;
}

/* A function without a size (hand-written assembly) reaches up to the next one, or to the end of
 * its section. */
static void settle_preceding(const struct elf_file *file, struct ls_symbols_query *queries,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ls_symbols_query *query = &queries[i];

        if (i > 0 && !query->match.preceding_found && queries[i - 1].match.preceding_found) {
            query->match.preceding_found = true;
            query->match.preceding_value = queries[i - 1].match.preceding_value;
            query->match.preceding_name_index = queries[i - 1].match.preceding_name_index;
            query->match.preceding_section = queries[i - 1].match.preceding_section;
            query->match.preceding_open = queries[i - 1].match.preceding_open;
        }
        if (!query->match.found && query->match.preceding_found && query->match.preceding_open &&
            is_in_section(file, query->match.preceding_section, query->offset)) {
            query->match.found = true;
            query->match.value = query->match.preceding_value;
            query->match.name_index = query->match.preceding_name_index;
        }
    }
}

/* True when a name was found; it is cut when it does not fit. */
static bool read_name(const struct elf_file *file, const Elf64_Shdr *strings,
                      struct ls_symbols_query *query)
{
    char mangled[NAME_BYTES_MAX];
    uint64_t room;
    uint64_t offset;
    size_t length = sizeof(mangled) - 1;

    if (query->match.name_index >= strings->sh_size ||
        __builtin_add_overflow(strings->sh_offset, (uint64_t)query->match.name_index, &offset) ||
        offset >= file->size)
        return false;
    room = strings->sh_size - query->match.name_index;
    if (room > file->size - offset)
        room = file->size - offset;
    if (length > room)
        length = (size_t)room;
    if (read_at(file, offset, mangled, length) != 0)
        return false;
    mangled[length] = '\0';
    ls_demangle(mangled, query->name, query->capacity);
    return query->name[0] != '\0';
}

static void sift_down(struct ls_symbols_query *queries, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        struct ls_symbols_query swapped;

        if (child >= count)
            return;
        if (child + 1 < count && queries[child].offset < queries[child + 1].offset)
            child++;
        if (queries[root].offset >= queries[child].offset)
            return;
        swapped = queries[root];
        queries[root] = queries[child];
        queries[child] = swapped;
        root = child;
    }
}

/* Heap sort: in place, without qsort's allocation, and never quadratic. */
static void sort_by_offset(struct ls_symbols_query *queries, size_t count)
{
    for (size_t i = count / 2; i > 0; i--)
        sift_down(queries, i - 1, count);
    for (size_t end = count; end > 1; end--) {
        struct ls_symbols_query swapped = queries[0];

        queries[0] = queries[end - 1];
        queries[end - 1] = swapped;
        sift_down(queries, 0, end - 1);
    }
}

static int name_all(const struct elf_file *file, const char *build_id,
                    struct ls_symbols_query *queries, size_t count)
{
    char own_build_id[LS_SYMBOLS_BUILD_ID_MAX];
    Elf64_Shdr symbols = {0};
    Elf64_Shdr strings = {0};
    int named = 0;
    int error = file_build_id(file, own_build_id, sizeof(own_build_id));

    if (error != 0)
        return error;
    if (strncmp(own_build_id, build_id, sizeof(own_build_id) - 1) != 0)
        return -ESTALE;
    error = find_tables(file, &symbols, &strings);
    if (error == 0)
        error = stream_symbols(file, &symbols, queries, count);
    if (error != 0)
        return error;
    settle_preceding(file, queries, count);
    for (size_t i = 0; i < count; i++) {
        if (queries[i].match.found && read_name(file, &strings, &queries[i])) {
            queries[i].start = queries[i].match.value;
            named++;
        }
    }
    return named;
}

int ls_symbols_name(const char *path, const char *build_id, struct ls_symbols_query *queries,
                    size_t count)
{
    struct elf_file file = {.fd = -1};
    int result;

    for (size_t i = 0; i < count; i++) {
        queries[i].name[0] = '\0';
        queries[i].start = 0;
        memset(&queries[i].match, 0, sizeof(queries[i].match));
    }
    if (count == 0)
        return 0;
    sort_by_offset(queries, count);
    result = open_elf(&file, path);
    if (result == 0)
        result = name_all(&file, build_id, queries, count);
    if (file.fd >= 0)
        ls_sys_close(file.fd);
    return result;
}
