/*
 * From an address in a module to functions, files and lines, inlined ones included, by DWARF and
 * elfutils' libdwfl.
 *
 * Promise: never a line of another build. The file at the module's path is used when its build id
 * is the one the module had when it was loaded; else a debug file of that build id is looked for in
 * the directories for them, and, when downloads are wanted and $DEBUGINFOD_URLS is set, at those
 * servers. A module that had no build id is used when its file has not changed since the process
 * started. Otherwise nothing is said of an address.
 *
 * Modules and what was found of each address are kept until the symbolizer is freed, which owns all
 * strings it gave out. Blocks on disk and network. One thread.
 */
#ifndef LS_CLI_SYMBOLIZER_H
#define LS_CLI_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than any compiler inlines into one address. */
#define LS_SYMBOLIZER_FRAMES_MAX 64

struct ls_symbolizer;

enum ls_symbolizer_state {
    LS_SYMBOLIZER_LINES,       /* debug information was found */
    LS_SYMBOLIZER_NAMES,       /* symbols only */
    LS_SYMBOLIZER_MISSING,     /* no file here */
    LS_SYMBOLIZER_OTHER_BUILD, /* another file by now */
    LS_SYMBOLIZER_UNVERIFIED,  /* no build id, and changed since */
    LS_SYMBOLIZER_STATE_COUNT
};

struct ls_symbolizer_frame {
    const char *function; /* readable; "" when unknown */
    const char *file;     /* absolute where the compiler said so; "" when unknown */
    unsigned line;        /* 0 when unknown */
};

struct ls_symbolizer_module {
    const char *path;
    const char *build_id;
    enum ls_symbolizer_state state;
    const char *found; /* the file that is used; "" for none */
    size_t addresses;  /* asked for */
    size_t lines;      /* of them, found */
};

/* `path` is where debug files are searched, NULL for libdwfl's default (eu-addr2line(1),
 * --debuginfo-path). NULL without memory. */
struct ls_symbolizer *ls_symbolizer_make(const char *path, bool may_download);
void ls_symbolizer_free(struct ls_symbolizer *symbolizer);

/*
 * What is at `address`, as the module's own addresses go, innermost first; the last frame is the
 * function that is really called. How many, 0 when nothing is known. `loaded_at` is when the module
 * was in use, in seconds since 1970.
 */
size_t ls_symbolizer_find(struct ls_symbolizer *symbolizer, const char *module,
                          const char *build_id, double loaded_at, uint64_t address,
                          const struct ls_symbolizer_frame **frames);

/* The modules asked for so far, counted from 0; false behind the last. */
bool ls_symbolizer_module(const struct ls_symbolizer *symbolizer, size_t index,
                          struct ls_symbolizer_module *module);

#endif
