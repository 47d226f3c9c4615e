#include "capture/heap.h"

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

#define SIZE_BITS 48
#define SIZE_MASK ((UINT64_C(1) << SIZE_BITS) - 1)
#define NO_TAG    0

static _Atomic int mode = LS_HEAP_WAITING;
static size_t sample_mean = 1;
/* Set with exact mode and never cleared: blocks counted before a stop are released after it. */
static bool counts_exactly;
static _Atomic uint64_t damaged_blocks;
static _Atomic uint64_t missed_blocks;

void ls_heap_set_mode(enum ls_heap_mode new_mode)
{
    if (new_mode == LS_HEAP_EXACT)
        counts_exactly = true;
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

static void wipe_tag(void *block)
{
    memset(tag_of(block), NO_TAG, sizeof(struct tag));
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
    if (counts_exactly)
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
    bool first = ls_hot.thread == NULL;
    struct ls_thread *thread;

    *now = ls_heap_current_mode();
    if (*now == LS_HEAP_OFF) {
        ls_hot.countdown = LS_COUNTDOWN_NEVER;
        return NULL;
    }
    if (*now == LS_HEAP_WAITING)
        return NULL;
    thread = ls_thread_enter();
    if (thread == NULL) {
        miss();
        return NULL;
    }
    if (*now == LS_HEAP_EXACT) {
        ls_hot.countdown = 0;
        return thread;
    }
    if (first) { /* it has not counted down yet: this allocation is its first */
        ls_hot.countdown = ls_sampler_distance(&thread->random, sample_mean);
        if ((uint64_t)ls_hot.countdown > size) {
            ls_hot.countdown -= (int64_t)size;
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

    if (size > SIZE_MASK - sizeof(struct tag))
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

void ls_heap_free(void *block)
{
    struct ls_thread *thread;
    struct tag tag;
    uint64_t size;
    int saved_errno = errno;

    if (LS_UNLIKELY(!read_tag(block, &tag, &size))) {
        /* Giving it to jemalloc a second time would hand one block out twice. It is kept. */
        ls_add_relaxed(&damaged_blocks, 1);
        ls_add_relaxed(&ls_ledger.lost_releases, 1);
        return;
    }
    /* The record goes first: once the memory is free another thread may be given it. */
    thread = counts_exactly ? ls_thread_enter() : NULL;
    unrecord(thread, &tag, size);
    if (thread != NULL)
        ls_thread_leave();
    wipe_tag(block);
    ls_memory_tracked_free(block);
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
    struct ls_thread *thread;
    struct tag tag;
    uint64_t old_size;
    int saved_errno = errno;

    if (size > SIZE_MASK - sizeof(struct tag))
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
    ls_hot.countdown -= (int64_t)size;
    thread = ls_hot.countdown > 0 ? NULL : choose(size, &now);
    if (thread == NULL)
        return move_out(block, ls_heap_usable_size(block), size, resized);
    *resized = ls_memory_tracked_resize(block, size + sizeof(struct tag));
    if (*resized != NULL) {
        unrecord(thread, &tag, old_size);
        record(thread, now, *resized, size);
    }
    ls_thread_leave();
    if (*resized == NULL)
        return false;
    errno = saved_errno;
    return true;
}
