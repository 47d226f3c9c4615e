#include "capture/unwind_imports.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "system/syscall.h"

#define PAGE_BYTES 4096

/*
 * rt_sigprocmask reads the new mask before it looks at `how`: with a `how` it does not know it says
 * EINVAL for readable memory and EFAULT otherwise, and changes nothing
 * (kernel/signal.c, SYSCALL_DEFINE4(rt_sigprocmask)).
 */
static bool is_readable(uintptr_t address)
{
    const long unknown_how = ~0L;
    const long kernel_mask_bytes = 8;

    return ls_sys_call6(SYS_rt_sigprocmask, unknown_how, (long)address, 0, kernel_mask_bytes, 0,
                        0) == -EINVAL;
}

/* libunwind asks with whole pages, before its probe by write. */
static int probe_pages(void *start, size_t length)
{
    uintptr_t page = (uintptr_t)start;

    for (size_t at = 0; at < length; at += PAGE_BYTES) {
        if (!is_readable(page + at)) {
            errno = ENOMEM;
            return -1;
        }
    }
    return 0;
}

static int probing_mincore(void *start, size_t length, unsigned char *resident)
{
    (void)resident;
    return probe_pages(start, length);
}

static int probing_msync(void *start, size_t length, int flags)
{
    (void)flags;
    return probe_pages(start, length);
}

static int no_pipe2(int fds[2], int flags)
{
    (void)flags;
    fds[0] = -1;
    fds[1] = -1;
    return 0;
}

/* libunwind drains its pipe by one byte before it writes one; the pipe does not exist. It reads ELF
 * files by mapping them, so this is its only use of read and write on a descriptor of -1. */
static ssize_t reading(int fd, void *buffer, size_t length)
{
    long result;

    if (fd == -1)
        return 1;
    result = ls_sys_read(fd, buffer, length);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

static ssize_t writing(int fd, const void *buffer, size_t length)
{
    (void)buffer;
    if (fd == -1)
        return (ssize_t)length;
    errno = EBADF; /* libunwind has nothing to write anywhere else, least of all to the host's files */
    return -1;
}

/* The probe by write is made through syscall(2) where libunwind was built with it. */
static long calling(long number, long a, long b, long c, long d, long e, long f)
{
    long result;

    if (number == SYS_write)
        return writing((int)a, (const void *)b, (size_t)c);
    result = ls_sys_call6(number, a, b, c, d, e, f);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

static const struct {
    const char *name;
    void (*function)(void);
} imports[] = {
    {"mincore", (void (*)(void))probing_mincore}, {"msync", (void (*)(void))probing_msync},
    {"pipe2", (void (*)(void))no_pipe2},          {"read", (void (*)(void))reading},
    {"write", (void (*)(void))writing},           {"syscall", (void (*)(void))calling},
};

static int rebind(uintptr_t place, void (*function)(void))
{
    void *page = (void *)(place & ~(uintptr_t)(PAGE_BYTES - 1));
    long status = ls_sys_mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE);

    if (status < 0)
        return (int)status;
    memcpy((void *)place, &function, sizeof(function));
    return 0;
}

static void seal(uintptr_t start, size_t size)
{
    const uintptr_t page_mask = PAGE_BYTES - 1;
    uintptr_t end = (start + size) & ~page_mask; /* as the loader does: only whole pages */

    start &= ~page_mask;
    if (end > start)
        ls_sys_mprotect((void *)start, end - start, PROT_READ);
}

/* The relocations of the library that bind functions, from its dynamic section. */
struct bindings {
    const ElfW(Rela) *relocations[2];
    size_t counts[2];
    const ElfW(Sym) *symbols;
    const char *names;
};

static uintptr_t dynamic_address(const struct link_map *map, uintptr_t value)
{
    /* glibc relocates these entries in place for most libraries, others do not. */
    return value < map->l_addr ? map->l_addr + value : value;
}

static void read_dynamic(const struct link_map *map, struct bindings *bindings)
{
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        uintptr_t address = dynamic_address(map, entry->d_un.d_ptr);

        switch (entry->d_tag) {
        case DT_JMPREL:
            bindings->relocations[0] = (const void *)address;
            break;
        case DT_PLTRELSZ:
            bindings->counts[0] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_RELA:
            bindings->relocations[1] = (const void *)address;
            break;
        case DT_RELASZ:
            bindings->counts[1] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_SYMTAB:
            bindings->symbols = (const void *)address;
            break;
        case DT_STRTAB:
            bindings->names = (const void *)address;
            break;
        default:
            break;
        }
    }
}

static int rebind_relocation(const struct link_map *map, const struct bindings *bindings,
                             const ElfW(Rela) *relocation)
{
    unsigned long symbol = ELF64_R_SYM(relocation->r_info);
    const char *name = bindings->names + bindings->symbols[symbol].st_name;

    if (symbol == 0)
        return 0;
    for (size_t i = 0; i < sizeof(imports) / sizeof(imports[0]); i++) {
        if (strcmp(name, imports[i].name) == 0)
            return rebind(map->l_addr + relocation->r_offset, imports[i].function);
    }
    return 0;
}

static int seal_library(struct dl_phdr_info *info, size_t size, void *context)
{
    const struct link_map *map = context;

    (void)size;
    if (info->dlpi_addr != map->l_addr)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
            seal(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, info->dlpi_phdr[i].p_memsz);
    }
    return 1;
}

int ls_unwind_confine(void *library)
{
    struct bindings bindings = {{NULL, NULL}, {0, 0}, NULL, NULL};
    struct link_map *map = NULL;

    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || map == NULL)
        return -ENOENT;
    read_dynamic(map, &bindings);
    if (bindings.symbols == NULL || bindings.names == NULL)
        return -ENOENT;
    for (int table = 0; table < 2; table++) {
        for (size_t i = 0; bindings.relocations[table] != NULL && i < bindings.counts[table]; i++) {
            int status = rebind_relocation(map, &bindings, &bindings.relocations[table][i]);

            if (status != 0)
                return status;
        }
    }
    dl_iterate_phdr(seal_library, map);
    return 0;
}
