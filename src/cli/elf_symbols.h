/*
 * What a program defines itself, by its symbol tables.
 */
#ifndef LS_CLI_ELF_SYMBOLS_H
#define LS_CLI_ELF_SYMBOLS_H

#include <stdbool.h>

/* Whether the ELF file open at `file` defines malloc: its own calls, and with an exported one those
 * of all libraries, then pass by what is preloaded. False for anything that cannot be read. */
bool ls_elf_has_malloc(int file);

#endif
