#include "system/rebind.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "system/syscall.h"

#define PAGE_BYTES 4096

static int write_pointer(uintptr_t place, void (*function)(void))
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
    const ElfW(Rela) * relocations[2];
    size_t counts[2];
    const ElfW(Sym) * symbols;
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

static bool binds_a_pointer(const ElfW(Rela) * relocation)
{
    unsigned long type = ELF64_R_TYPE(relocation->r_info);

#if defined(__x86_64__)
    return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_64;
#elif defined(__aarch64__)
    return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT || type == R_AARCH64_ABS64;
#endif
}

static int rebind_relocation(const struct link_map *map, const struct bindings *bindings,
                             const ElfW(Rela) * relocation, const struct ls_rebinding *rebindings,
                             size_t count)
{
    unsigned long symbol = ELF64_R_SYM(relocation->r_info);
    const ElfW(Sym) *entry = &bindings->symbols[symbol];

    if (symbol == 0 || !binds_a_pointer(relocation) || entry->st_shndx != SHN_UNDEF)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(bindings->names + entry->st_name, rebindings[i].name) == 0)
            return write_pointer(map->l_addr + relocation->r_offset, rebindings[i].function);
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

int ls_rebind(const struct link_map *map, const struct ls_rebinding *rebindings, size_t count)
{
    struct bindings bindings = {{NULL, NULL}, {0, 0}, NULL, NULL};
    int status = 0;

    read_dynamic(map, &bindings);
    if (bindings.symbols == NULL || bindings.names == NULL)
        return -ENOEXEC;
    for (int table = 0; table < 2; table++) {
        if (bindings.relocations[table] == NULL)
            continue;
        for (size_t i = 0; status == 0 && i < bindings.counts[table]; i++)
            status = rebind_relocation(map, &bindings, &bindings.relocations[table][i], rebindings,
                                       count);
    }
    dl_iterate_phdr(seal_library, (void *)map);
    return status;
}
