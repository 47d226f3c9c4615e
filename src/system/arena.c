#include "system/arena.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "system/memory.h"
#include "system/syscall.h"

#define ALIGNMENT   16
#define CHARGE_STEP ((size_t)64 << 10)

static size_t whole_steps(size_t size)
{
    return (size + CHARGE_STEP - 1) & ~(CHARGE_STEP - 1);
}

int ls_arena_init(struct ls_arena *arena, size_t size, size_t kept)
{
    void *base;

    /* Charges, and what a reset gives back, are counted in whole steps. */
    size = whole_steps(size);
    kept = whole_steps(kept);
    base = ls_memory_own_map(size, kept);
    if (base == NULL)
        return -ENOMEM;
    *arena = (struct ls_arena){.base = base, .size = size, .kept = kept, .charged = kept};
    return 0;
}

bool ls_arena_prepare(struct ls_arena *arena, size_t size)
{
    if (size > arena->size - arena->used)
        return false;
    while (arena->used + size > arena->charged) {
        if (!ls_memory_own_charge(CHARGE_STEP))
            return false;
        arena->charged += CHARGE_STEP;
    }
    return true;
}

void *ls_arena_take(struct ls_arena *arena, size_t size)
{
    void *piece;

    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!ls_arena_prepare(arena, size))
        return NULL;
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
    if (arena->charged > arena->kept) {
        ls_sys_madvise(arena->base + arena->kept, arena->charged - arena->kept, MADV_DONTNEED);
        ls_memory_own_discharge(arena->charged - arena->kept);
        arena->charged = arena->kept;
    }
    arena->used = 0;
}
