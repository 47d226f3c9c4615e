/*
 * What the debug information of one module says of one address.
 */
#ifndef LS_CLI_SYMBOLIZER_DWARF_H
#define LS_CLI_SYMBOLIZER_DWARF_H

#include <elfutils/libdwfl.h>

#include "cli/symbolizer.h"

/* A frame whose texts are on the heap, each NULL when unknown. */
struct ls_dwarf_frame {
    char *function;
    char *file;
    unsigned line;
};

/* Innermost first, at most LS_SYMBOLIZER_FRAMES_MAX; 0 when nothing is known. */
size_t ls_dwarf_find(Dwfl_Module *module, uint64_t address,
                     struct ls_dwarf_frame frames[LS_SYMBOLIZER_FRAMES_MAX]);

#endif
