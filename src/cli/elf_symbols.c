#include "cli/elf_symbols.h"

#include <gelf.h>
#include <libelf.h>
#include <string.h>

static bool is_malloc(Elf *elf, const GElf_Shdr *section, const GElf_Sym *symbol)
{
    unsigned type = GELF_ST_TYPE(symbol->st_info);
    const char *name;

    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_shndx == SHN_UNDEF ||
        GELF_ST_BIND(symbol->st_info) == STB_LOCAL)
        return false;
    name = elf_strptr(elf, section->sh_link, symbol->st_name);
    return name != NULL && strcmp(name, "malloc") == 0;
}

static bool section_defines_malloc(Elf *elf, Elf_Scn *section)
{
    GElf_Shdr header;
    GElf_Sym symbol;
    Elf_Data *data;

    if (gelf_getshdr(section, &header) == NULL ||
        (header.sh_type != SHT_DYNSYM && header.sh_type != SHT_SYMTAB))
        return false;
    data = elf_getdata(section, NULL);
    for (int i = 0; data != NULL && gelf_getsym(data, i, &symbol) != NULL; i++) {
        if (is_malloc(elf, &header, &symbol))
            return true;
    }
    return false;
}

bool ls_elf_has_malloc(int file)
{
    Elf_Scn *section = NULL;
    bool found = false;
    Elf *elf;

    elf_version(EV_CURRENT);
    /* Read, not mapped: a mapped file that shrinks kills its reader. */
    elf = elf_begin(file, ELF_C_READ, NULL);
    if (elf == NULL || elf_kind(elf) != ELF_K_ELF) {
        elf_end(elf);
        return false;
    }
    while (!found && (section = elf_nextscn(elf, section)) != NULL)
        found = section_defines_malloc(elf, section);
    elf_end(elf);
    return found;
}
