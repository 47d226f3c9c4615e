/*
 * Which loaded file owns a program counter, now or earlier: entries are never removed, so a counter
 * captured before dlclose keeps its module, build-id and offset.
 *
 * Refresh takes the loader's lock (dl_iterate_phdr); a second thread that comes meanwhile is turned
 * away and never waits, so no order of locks arises. Any thread that may call dlopen may call it.
 * Find: the collector only.
 */
#ifndef LS_LEDGER_MODULES_H
#define LS_LEDGER_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LS_MODULES_MAX    1024
#define LS_MODULES_FOUND  1024
#define LS_BUILD_ID_CHARS 41 /* 20 bytes in hex and a zero byte */

struct ls_module {
    char *path; /* absolute where it can be; the executable's own for the main program */
    char build_id[LS_BUILD_ID_CHARS];
    uintptr_t bias; /* what dl_iterate_phdr calls dlpi_addr */
    uintptr_t text_start;
    uintptr_t text_end;
    uintptr_t image_end; /* of all its segments, zeroed data included */
    uint64_t loaded_ns;  /* first refresh that saw it; 0 for those found at start */
    /* First refresh that missed it; UINT64_MAX while loaded. Relaxed everywhere: a time by itself.
     */
    _Atomic uint64_t unloaded_ns;
    /* Another entry has some of the same addresses, at another time. Relaxed everywhere: who does
     * not see it yet finds the module that was there before. */
    _Atomic bool overlapped;
    uint64_t identity; /* hash of the build-id, or of the base name without one */
    uint32_t index;    /* in the table, for data kept beside it */
    bool is_main;
    bool is_own;     /* this library */
    bool is_runtime; /* libc, the loader, C++ runtime: never the place a person looks for */
};

struct ls_modules {
    struct ls_module *entries[LS_MODULES_MAX];
    _Atomic uint32_t count;
    _Atomic int updating;
    uint64_t adds;
    uint64_t subs;
    uint16_t found[LS_MODULES_FOUND]; /* the collector's: where counters of a page were found */
    bool overflowed;                  /* more modules than fit: their counters stay without one */
};

/* 0, or -EAGAIN when another thread is at it, or -ENOMEM. */
int ls_modules_refresh(struct ls_modules *modules, uint64_t now_ns);
/* The module that owned `pc` at `when_ns`; NULL for JIT code and the like. */
const struct ls_module *ls_modules_find(struct ls_modules *modules, uintptr_t pc, uint64_t when_ns);

#endif
