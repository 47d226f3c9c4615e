#include "capture/heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "capture/exact.h"
#include "capture/sampler.h"
#include "capture/thread.h"
#include "capture/unwind.h"
#include "ledger/ledger.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/real.h"

/* In the last bytes of a tracked block's usable size. */
struct tag {
    uint32_t stack;
    uint32_t slot;           /* 0: none */
    uint64_t size_and_check; /* size in the low 48 bits, check above */
};

#define SIZE_BITS   48
#define SIZE_MASK   ((UINT64_C(1) << SIZE_BITS) - 1)
#define FREED_STACK UINT32_MAX

static _Atomic int mode = LS_HEAP_WAITING;
static size_t sample_mean = 1;
/* Set with exact mode and never cleared: blocks counted before a stop are released after it.
 * Relaxed: who frees a block that was counted got its address after this was set. */
static _Atomic int counts_exactly;
static _Atomic uint64_t damaged_blocks;
static _Atomic uint64_t missed_blocks;

void ls_heap_set_mode(enum ls_heap_mode new_mode)
{
    if (new_mode == LS_HEAP_EXACT)
        ls_store_relaxed(&counts_exactly, 1);
    ls_store_release(&mode, (int)new_mode); /* C1 pairs with C2 */
}

enum ls_heap_mode ls_heap_current_mode(void)
{
    return (enum ls_heap_mode)ls_load_acquire(&mode); /* C2 pairs with C1 */
}

void ls_heap_set_sample_mean(size_t bytes)
{
    sample_mean = bytes;
}

uint64_t ls_heap_damaged_blocks(void)
{
    return ls_load_relaxed(&damaged_blocks);
}

uint64_t ls_heap_missed_blocks(void)
{
    return ls_load_relaxed(&missed_blocks);
}

/* The address of malloc does not tell: a program that takes it sees an entry of its own. */
bool ls_heap_sees_malloc(void)
{
    void *(*bound_malloc)(size_t) = NULL;
    void (*bound_free)(void *) = NULL;
    void *found_malloc = dlsym(RTLD_DEFAULT, "malloc");
    void *found_free = dlsym(RTLD_DEFAULT, "free");
    const uint64_t probe = 1000;
    uint64_t before = ls_hot.countdown;
    bool counted;

    if (found_malloc == NULL || found_free == NULL)
        return false;
    memcpy(&bound_malloc, &found_malloc, sizeof(found_malloc));
    memcpy(&bound_free, &found_free, sizeof(found_free));
    ls_hot.countdown = probe;
    bound_free(bound_malloc(1));
    counted = ls_hot.countdown != probe;
    ls_hot.countdown = before;
    return counted;
}

/* Differs for every block, and is never that of zeroed or untouched memory. */
static uint64_t check_of(const void *block, uint32_t stack, uint32_t slot, uint64_t size)
{
    uint64_t hash = ((uintptr_t)block >> 4) * UINT64_C(0x9e3779b97f4a7c15);

    hash ^= ((uint64_t)stack << 32 | slot) * UINT64_C(0xc2b2ae3d27d4eb4f);
    hash ^= size * UINT64_C(0x165667b19e3779f9);
    return (hash >> SIZE_BITS) | 1;
}

static struct tag *tag_of(const void *block)
{
    return (struct tag *)((uintptr_t)block + ls_memory_tracked_usable(block) - sizeof(struct tag));
}

static void write_tag(void *block, uint32_t stack, uint32_t slot, uint64_t size)
{
    struct tag tag = {stack, slot, size | check_of(block, stack, slot, size) << SIZE_BITS};

    memcpy(tag_of(block), &tag, sizeof(tag));
}

/* False when the host has written past its block, or frees it twice. */
static bool read_tag(const void *block, struct tag *tag, uint64_t *size)
{
    memcpy(tag, tag_of(block), sizeof(*tag));
    *size = tag->size_and_check & SIZE_MASK;
    return tag->size_and_check >> SIZE_BITS == check_of(block, tag->stack, tag->slot, *size);
}

/* The mark of a freed block: a stack no table has. */
static void mark_freed(void *block)
{
    write_tag(block, FREED_STACK, 0, 0);
}

static uint32_t stack_here(struct ls_thread *thread, uint64_t now_ns)
{
    uintptr_t pcs[LS_STACK_DEPTH_MAX];
    size_t depth = ls_unwind_capture(thread, pcs);

    return ls_stack_table_intern(&ls_ledger.stacks, pcs, depth, now_ns);
}

/* In exact mode a slot serves the ages only, and a sample of the blocks has one. */
static uint32_t slot_for(struct ls_thread *thread, enum ls_heap_mode now, uint32_t stack,
                         size_t size, uint64_t now_ns)
{
    const uint64_t one_in = 256;

    if (now == LS_HEAP_SAMPLED)
        return ls_ledger_acquire(LS_RESOURCE_HEAP, stack, size,
                                 ls_sampler_weight(size, sample_mean), now_ns);
    if (ls_sampler_random(&thread->random) % one_in != 0)
        return 0;
    return ls_ledger_acquire(LS_RESOURCE_HEAP, stack, size, 0, now_ns);
}

static void record(struct ls_thread *thread, enum ls_heap_mode now, void *block, size_t size)
{
    uint64_t now_ns = ls_clock_coarse_ns();
    uint32_t stack = stack_here(thread, now_ns);
    uint32_t slot = slot_for(thread, now, stack, size, now_ns);

    if (now == LS_HEAP_EXACT)
        ls_exact_acquire(thread, stack, size);
    write_tag(block, stack, slot, size);
}

/* `thread` is NULL when this thread could not enter: the count then takes the shared way. */
static void unrecord(struct ls_thread *thread, const struct tag *tag, uint64_t size)
{
    if (ls_load_relaxed(&counts_exactly))
        ls_exact_release(thread, tag->stack, size);
    if (tag->slot != 0)
        ls_ledger_release(tag->slot);
}

static void miss(void)
{
    /* Relaxed: a statistic. */
    ls_add_relaxed(&missed_blocks, 1);
}

/* The record of this thread if this allocation is to be tracked, entered; else NULL. */
static struct ls_thread *choose(size_t size, enum ls_heap_mode *now)
{
    struct ls_thread *thread;

    *now = ls_heap_current_mode();
    if (*now == LS_HEAP_OFF) {
        ls_hot.countdown = LS_COUNTDOWN_NEVER;
        return NULL;
    }
    if (*now == LS_HEAP_WAITING) {
        ls_hot.counting = false;
        return NULL;
    }
    thread = ls_thread_enter();
    if (thread == NULL) {
        if (!ls_thread_is_own_work())
            miss();
        return NULL;
    }
    if (*now == LS_HEAP_EXACT) {
        ls_hot.countdown = 0;
        return thread;
    }
    if (!ls_hot.counting) { /* this allocation is the first to be counted down */
        ls_hot.counting = true;
        ls_hot.countdown = ls_sampler_distance(&thread->random, sample_mean);
        if (size < ls_hot.countdown) {
            ls_hot.countdown -= size;
            ls_thread_leave();
            return NULL;
        }
    }
    ls_hot.countdown = ls_sampler_distance(&thread->random, sample_mean);
    return thread;
}

void *ls_heap_allocate(size_t size, size_t alignment, bool zero)
{
    enum ls_heap_mode now;
    struct ls_thread *thread;
    int saved_errno;
    void *block;

    if (size > PTRDIFF_MAX)
        return NULL;
    saved_errno = errno;
    thread = choose(size, &now);
    if (thread == NULL)
        return NULL;
    block = ls_memory_tracked_allocate(size + sizeof(struct tag), alignment, zero);
    if (block != NULL)
        record(thread, now, block, size);
    else
        miss();
    ls_thread_leave();
    errno = saved_errno;
    return block;
}

/* `thread` is NULL when this thread could not enter. */
static void free_block(struct ls_thread *thread, void *block)
{
    struct tag tag;
    uint64_t size;

    if (LS_UNLIKELY(!read_tag(block, &tag, &size))) {
        /* Written past its end, most likely. It is kept: whether it was freed before is not known,
         * and to free it twice would hand it out twice. */
        ls_add_relaxed(&damaged_blocks, 1);
        ls_add_relaxed(&ls_ledger.lost_releases, 1);
        return;
    }
    if (LS_UNLIKELY(tag.stack == FREED_STACK)) {
        /* A double free is the host's own, and its allocator's to judge. */
        ls_real.free(block);
        return;
    }
    /* The record goes first: once the memory is free another thread may be given it. */
    unrecord(thread, &tag, size);
    mark_freed(block);
    if (LS_UNLIKELY(thread == NULL && ls_hot.hook_depth != 0))
        ls_thread_defer_free(block);
    else
        ls_memory_tracked_free(block);
}

void ls_heap_free(void *block)
{
    int saved_errno = errno;
    /* Before anything is asked of jemalloc: a signal handler that allocates must not find this
     * thread halfway through it. */
    struct ls_thread *thread = ls_thread_enter();

    free_block(thread, block);
    if (thread != NULL)
        ls_thread_leave();
    errno = saved_errno;
}

size_t ls_heap_usable_size(const void *block)
{
    return ls_memory_tracked_usable(block) - sizeof(struct tag);
}

/* Out of the tracked range, because this time the block was not chosen. */
static bool move_out(void *block, uint64_t old_size, size_t size, void **resized)
{
    *resized = ls_real.malloc(size);
    if (*resized == NULL)
        return false;
    memcpy(*resized, block, old_size < size ? old_size : size);
    ls_heap_free(block);
    return true;
}

/*
 * A release at the old site and an acquire at this one. The old record is settled only after the
 * new memory is there; it is kept by slot and not by address, so nobody can come between.
 */
bool ls_heap_resize(void *block, size_t size, void **resized)
{
    enum ls_heap_mode now;
    struct ls_thread *thread = NULL;
    struct tag tag;
    uint64_t old_size;
    int saved_errno = errno;

    if (size > PTRDIFF_MAX)
        return false;
    /* The host may have used all of malloc_usable_size. */
    if (!read_tag(block, &tag, &old_size)) {
        ls_add_relaxed(&damaged_blocks, 1);
        old_size = ls_heap_usable_size(block);
        *resized = ls_real.malloc(size);
        if (*resized == NULL)
            return false;
        memcpy(*resized, block, old_size < size ? old_size : size);
        ls_add_relaxed(&ls_ledger.lost_releases, 1);
        return true;
    }
    if (LS_UNLIKELY(tag.stack == FREED_STACK)) { /* as in ls_heap_free */
        *resized = ls_real.realloc(block, size);
        return *resized != NULL;
    }
    if (size < ls_hot.countdown)
        ls_hot.countdown -= size;
    else
        thread = choose(size, &now);
    if (thread == NULL)
        return move_out(block, ls_heap_usable_size(block), size, resized);
    mark_freed(block); /* if the block moves, a late free of the old address must find none */
    *resized = ls_memory_tracked_resize(block, size + sizeof(struct tag));
    if (*resized != NULL) {
        unrecord(thread, &tag, old_size);
        record(thread, now, *resized, size);
    } else {
        memcpy(tag_of(block), &tag, sizeof(tag));
    }
    ls_thread_leave();
    if (*resized == NULL)
        return false;
    errno = saved_errno;
    return true;
}
