#include "system/range.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/atomic.h"
#include "system/memory.h"
#include "system/syscall.h"

static void *take_extent(struct ls_extent_hooks *hooks, void *wanted, size_t size, size_t alignment,
                         bool *zero, bool *commit, unsigned arena)
{
    struct ls_range_arena *self = (struct ls_range_arena *)(void *)hooks;
    size_t used = ls_load_relaxed(&self->used);
    uintptr_t start;
    size_t end;

    (void)arena;
    if (wanted != NULL)
        return NULL;
    do {
        start = (self->range->base + used + alignment - 1) & ~(uintptr_t)(alignment - 1);
        end = start - self->range->base + size;
        if (end > ls_load_relaxed(&self->allowed) || end < size)
            return NULL;
        /* Relaxed: the counter only hands out disjoint stretches, nothing is read through it. */
    } while (!ls_compare_exchange_relaxed(&self->used, &used, end));
    if (ls_sys_mprotect((void *)start, size, PROT_READ | PROT_WRITE) < 0)
        return NULL;
    *zero = true;
    *commit = true;
    return (void *)start;
}

static bool keep_extent(struct ls_extent_hooks *hooks, void *address, size_t size, bool committed,
                        unsigned arena)
{
    (void)hooks, (void)address, (void)size, (void)committed, (void)arena;
    return true; /* refused: jemalloc retains it */
}

static bool already_committed(struct ls_extent_hooks *hooks, void *address, size_t size,
                              size_t offset, size_t length, unsigned arena)
{
    (void)hooks, (void)address, (void)size, (void)offset, (void)length, (void)arena;
    return false;
}

static bool no_decommit(struct ls_extent_hooks *hooks, void *address, size_t size, size_t offset,
                        size_t length, unsigned arena)
{
    (void)hooks, (void)address, (void)size, (void)offset, (void)length, (void)arena;
    return true;
}

static bool give_pages_back(struct ls_extent_hooks *hooks, void *address, size_t size,
                            size_t offset, size_t length, unsigned arena)
{
    (void)hooks, (void)size, (void)arena;
    return ls_sys_madvise((char *)address + offset, length, MADV_DONTNEED) < 0;
}

static bool may_split(struct ls_extent_hooks *hooks, void *address, size_t size, size_t first,
                      size_t second, bool committed, unsigned arena)
{
    (void)hooks, (void)address, (void)size, (void)first, (void)second, (void)committed, (void)arena;
    return false;
}

static bool may_merge(struct ls_extent_hooks *hooks, void *first, size_t first_size, void *second,
                      size_t second_size, bool committed, unsigned arena)
{
    (void)hooks, (void)first, (void)first_size, (void)second, (void)second_size, (void)committed;
    (void)arena;
    return false;
}

static const struct ls_extent_hooks range_hooks = {
    .alloc = take_extent,
    .dalloc = keep_extent,
    .commit = already_committed,
    .decommit = no_decommit,
    .purge_lazy = give_pages_back,
    .purge_forced = give_pages_back,
    .split = may_split,
    .merge = may_merge,
};

/* Under RLIMIT_AS reserved addresses count like used ones: then this share of what is allowed. */
#define LIMITED_SHARE 32
#define LARGEST_RANGE ((size_t)256 << 30)
#define LEAST_RANGE   ((size_t)8 << 20)

static int reserve(struct ls_memory_range *range)
{
    struct rlimit limit;
    size_t size = LARGEST_RANGE;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        while (size > LEAST_RANGE && size > limit.rlim_cur / LIMITED_SHARE)
            size >>= 1;
    }
    for (; size >= LEAST_RANGE; size >>= 1) {
        void *base =
            ls_sys_mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (!ls_sys_mmap_failed(base)) {
            range->base = (uintptr_t)base;
            ls_store_relaxed(&range->size, size);
            return 0;
        }
    }
    return -ENOMEM;
}

/* The part no extent has been taken from goes back. An extent that is being taken at this moment
 * may find its mprotect refused; jemalloc then has no memory, and the block is not tracked. */
static void shrink_range(struct ls_range_arena *arena, uint64_t limit_bytes)
{
    size_t size = ls_load_relaxed(&arena->range->size);
    size_t kept = ls_load_relaxed(&arena->used) + limit_bytes / LIMITED_SHARE;

    kept = (kept + LEAST_RANGE - 1) & ~(LEAST_RANGE - 1);
    if (kept >= size)
        return;
    ls_store_relaxed(&arena->allowed, kept);
    /* First the size: what the kernel maps there next is the host's. */
    ls_store_relaxed(&arena->range->size, kept);
    ls_sys_munmap((void *)(arena->range->base + kept), size - kept);
}

/* The range stays as large as it is, but no more is used of it than now and a share of the rest. */
static void freeze_range(struct ls_range_arena *arena, uint64_t spare_bytes)
{
    size_t allowed = ls_load_relaxed(&arena->used) + spare_bytes / LIMITED_SHARE;

    if (allowed < ls_load_relaxed(&arena->allowed))
        ls_store_relaxed(&arena->allowed, allowed);
}

int ls_range_reserve(struct ls_range_arena *arena, struct ls_memory_range *range)
{
    struct ls_memory_range reserved = {0};
    int status = reserve(&reserved);

    if (status != 0)
        return status;
    arena->hooks = range_hooks;
    arena->range = range;
    range->base = reserved.base;
    ls_store_relaxed(&range->size, reserved.size);
    ls_store_relaxed(&arena->allowed, reserved.size);
    return 0;
}

void ls_range_release(struct ls_range_arena *arena)
{
    size_t size = ls_load_relaxed(&arena->range->size);

    ls_store_relaxed(&arena->range->size, 0);
    ls_sys_munmap((void *)arena->range->base, size);
}

/*
 * A limit below what the process has mapped was meant without our reservation: that goes back. One
 * above it was reckoned from a size that has it in, so to give it back would grant the host more
 * than it means to have: the reservation stays, and is not used to get round the limit.
 */
void ls_range_limit(struct ls_range_arena *arena, uint64_t limit_bytes, uint64_t mapped_bytes)
{
    if (limit_bytes > mapped_bytes)
        freeze_range(arena, limit_bytes - mapped_bytes);
    else
        shrink_range(arena, limit_bytes);
}
