/*
 * A stretch of reserved addresses that one arena of the private jemalloc lives in: jemalloc takes
 * its memory from it by the extent hooks of jemalloc(3), and never from elsewhere.
 *
 * Reserve: before threads. The hooks run in jemalloc, on any thread. Limit: any thread.
 */
#ifndef LS_SYSTEM_RANGE_H
#define LS_SYSTEM_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ls_memory_range;

/* Layout of extent_hooks_t, jemalloc(3). */
struct ls_extent_hooks {
    void *(*alloc)(struct ls_extent_hooks *, void *, size_t, size_t, bool *, bool *, unsigned);
    bool (*dalloc)(struct ls_extent_hooks *, void *, size_t, bool, unsigned);
    void (*destroy)(struct ls_extent_hooks *, void *, size_t, bool, unsigned);
    bool (*commit)(struct ls_extent_hooks *, void *, size_t, size_t, size_t, unsigned);
    bool (*decommit)(struct ls_extent_hooks *, void *, size_t, size_t, size_t, unsigned);
    bool (*purge_lazy)(struct ls_extent_hooks *, void *, size_t, size_t, size_t, unsigned);
    bool (*purge_forced)(struct ls_extent_hooks *, void *, size_t, size_t, size_t, unsigned);
    bool (*split)(struct ls_extent_hooks *, void *, size_t, size_t, size_t, bool, unsigned);
    bool (*merge)(struct ls_extent_hooks *, void *, size_t, void *, size_t, bool, unsigned);
};

/* An arena that lives in one reserved range. `hooks` comes first: jemalloc hands it back. */
struct ls_range_arena {
    struct ls_extent_hooks hooks;
    struct ls_memory_range *range;
    _Atomic size_t used;    /* bytes of the range handed to jemalloc so far; never shrinks, because
                               jemalloc keeps what it gives back and uses it again */
    _Atomic size_t allowed; /* no extent ends beyond it */
    unsigned index;         /* jemalloc's number for it */
};

/* Reserves addresses for `range` and prepares the hooks; -ENOMEM. */
int ls_range_reserve(struct ls_range_arena *arena, struct ls_memory_range *range);
/* Gives all of it back: nothing was allocated from it yet. */
void ls_range_release(struct ls_range_arena *arena);

/* See ls_memory_limit_addresses. */
void ls_range_limit(struct ls_range_arena *arena, uint64_t limit_bytes, uint64_t mapped_bytes);

#endif
