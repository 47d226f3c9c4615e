#include "system/arena.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "system/memory.h"
#include "system/syscall.h"

#define ALIGNMENT   16
#define CHARGE_STEP ((size_t)64 << 10)
/* Kept through a reset, so that the usual summary costs no page faults. */
#define KEPT_BYTES ((size_t)256 << 10)

int ls_arena_init(struct ls_arena *arena, size_t size)
{
    void *base;

    /* Charges, and what a reset gives back, are counted in whole steps. */
    size = (size + CHARGE_STEP - 1) & ~(CHARGE_STEP - 1);
    base = ls_memory_own_map(size, 0);
    if (base == NULL)
        return -ENOMEM;
    *arena = (struct ls_arena){.base = base, .size = size};
    return 0;
}

void *ls_arena_take(struct ls_arena *arena, size_t size)
{
    void *piece;

    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size > arena->size - arena->used)
        return NULL;
    while (arena->used + size > arena->charged) {
        if (!ls_memory_own_charge(CHARGE_STEP))
            return NULL;
        arena->charged += CHARGE_STEP;
    }
    piece = arena->base + arena->used;
    arena->used += size;
    memset(piece, 0, size);
    return piece;
}

const char *ls_arena_copy(struct ls_arena *arena, const char *bytes, size_t length)
{
    char *copy = ls_arena_take(arena, length + 1);

    if (copy == NULL)
        return "";
    memcpy(copy, bytes, length);
    return copy;
}

void ls_arena_reset(struct ls_arena *arena)
{
    if (arena->charged > KEPT_BYTES) {
        ls_sys_madvise(arena->base + KEPT_BYTES, arena->charged - KEPT_BYTES, MADV_DONTNEED);
        ls_memory_own_discharge(arena->charged - KEPT_BYTES);
        arena->charged = KEPT_BYTES;
    }
    arena->used = 0;
}
