/*
 * Which file has the debug information of a module: the one part of the symbolizer that looks for
 * files and compares build ids.
 */
#ifndef LS_CLI_SYMBOLIZER_FILES_H
#define LS_CLI_SYMBOLIZER_FILES_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>

#include "cli/symbolizer.h"

struct ls_symbol_file {
    Dwfl *dwfl; /* NULL when no file may be used */
    Dwfl_Module *module;
    enum ls_symbolizer_state state; /* without debug information so far: names */
    char *path;                     /* NULL when no file may be used */
};

/* `search` outlives the file; it is what dwfl_begin keeps a pointer to. */
void ls_symbol_file_open(const Dwfl_Callbacks *search, const char *path, const char *build_id,
                         double loaded_at, struct ls_symbol_file *file);
void ls_symbol_file_close(struct ls_symbol_file *file);

#endif
