/*
 * Memory that is taken piece by piece and given back all at once: what one summary is built of.
 *
 * Address space is reserved at the start and touched as it is used; the touched part is charged
 * against the library's memory cap. One thread at a time.
 */
#ifndef LS_SYSTEM_ARENA_H
#define LS_SYSTEM_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct ls_arena {
    char *base;
    size_t size;
    size_t kept;
    size_t used;
    size_t charged;
};

/* `kept` bytes of `size` are charged for good, so that they are there whatever the cap leaves
 * later. 0 or -ENOMEM. */
int ls_arena_init(struct ls_arena *arena, size_t size, size_t kept);
/* Zeroed, aligned to 16 bytes; NULL when the arena or the cap is exhausted. */
void *ls_arena_take(struct ls_arena *arena, size_t size);
/* True when `size` bytes more can be taken, whatever the cap leaves by then. */
bool ls_arena_prepare(struct ls_arena *arena, size_t size);
/* A copy of `length` bytes and a zero byte; "" when there is no room. */
const char *ls_arena_copy(struct ls_arena *arena, const char *bytes, size_t length);
/* Everything taken is void; what was touched beyond the part that is kept goes back to the kernel.
 */
void ls_arena_reset(struct ls_arena *arena);

#endif
