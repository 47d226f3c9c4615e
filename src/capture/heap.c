#include "capture/heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "capture/callsite.h"
#include "capture/exact.h"
#include "capture/sampler.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/real.h"

/* Right before a tracked block. Written and read as whole words: two halves just stored cannot be
 * forwarded to one load. */
struct tag {
    uint64_t record; /* stack in the low half, slot in the high one */
    uint64_t block;  /* size, alignment, whether fitted, check */
};

#define TAG_BYTES       sizeof(struct tag)
#define SIZE_BITS       40 /* no range is larger */
#define ALIGNMENT_BITS  6
#define ALIGNMENT_SHIFT SIZE_BITS
#define FITTED_SHIFT    (ALIGNMENT_SHIFT + ALIGNMENT_BITS)
#define CHECK_SHIFT     (FITTED_SHIFT + 1)
#define FREED_STACK     UINT32_MAX

/* Exact mode keeps the age of one block in so many, on average, and of every large one. */
#define AGES_ONE_IN 32
#define AGES_ALWAYS 4096 /* bytes */

/* What is known of a tracked block. */
struct account {
    uint32_t stack;
    uint32_t slot;
    uint64_t size;
    unsigned alignment_bits; /* logarithm of an alignment larger than malloc's, else 0 */
    bool fitted;             /* its memory was allocated for this size, and not resized since */
};

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

/* The tag, and where the alignment asks for more, padding before it. */
static size_t prefix_of(unsigned alignment_bits)
{
    return alignment_bits == 0 ? TAG_BYTES : (size_t)1 << alignment_bits;
}

static void *memory_of(void *block, unsigned alignment_bits)
{
    return (char *)block - prefix_of(alignment_bits);
}

/* jemalloc's smallest blocks would have no byte behind the tag. */
static size_t memory_size(size_t size, size_t prefix)
{
    return (size == 0 ? 1 : size) + prefix;
}

/* Differs for every block, and is never that of zeroed or untouched memory. */
LS_INLINE uint64_t check_of(const void *block, uint64_t record, uint64_t rest)
{
    uint64_t value = record ^ (uintptr_t)block >> 4;

    value = (value << 21 | value >> 43) ^ rest;
    return value * UINT64_C(0x9e3779b97f4a7c15) >> CHECK_SHIFT | 1;
}

LS_INLINE void write_tag(void *block, const struct account *account)
{
    uint64_t record = (uint64_t)account->slot << 32 | account->stack;
    uint64_t rest = account->size | (uint64_t)account->alignment_bits << ALIGNMENT_SHIFT |
                    (uint64_t)account->fitted << FITTED_SHIFT;

    ((struct tag *)block)[-1] =
        (struct tag){record, rest | check_of(block, record, rest) << CHECK_SHIFT};
}

/* False when the host has written before its block or past the one in front of it, or frees what is
 * no block. */
LS_INLINE bool read_tag(const void *block, struct account *account)
{
    struct tag tag = ((const struct tag *)block)[-1];
    uint64_t rest = tag.block & LS_BITS(CHECK_SHIFT);

    account->stack = (uint32_t)tag.record;
    account->slot = (uint32_t)(tag.record >> 32);
    account->size = rest & LS_BITS(SIZE_BITS);
    account->alignment_bits = (unsigned)(rest >> ALIGNMENT_SHIFT & LS_BITS(ALIGNMENT_BITS));
    account->fitted = rest >> FITTED_SHIFT != 0;
    return tag.block >> CHECK_SHIFT == check_of(block, tag.record, rest);
}

/* The mark of a freed block: a stack no table has. */
static void mark_freed(void *block)
{
    const struct account freed = {.stack = FREED_STACK};

    write_tag(block, &freed);
}

/* In exact mode a slot serves the ages only, and a sample of the blocks has one. */
LS_INLINE uint32_t slot_for(struct ls_thread *thread, enum ls_heap_mode now, uint32_t stack,
                            size_t size)
{
    if (now == LS_HEAP_SAMPLED)
        return ls_ledger_acquire(LS_RESOURCE_HEAP, stack, size,
                                 ls_sampler_weight(size, sample_mean), ls_clock_coarse_ns());
    if (LS_UNLIKELY(size >= AGES_ALWAYS))
        return ls_ledger_acquire(LS_RESOURCE_HEAP, stack, size, -1, ls_clock_coarse_ns());
    if (LS_LIKELY(thread->ages_in > 0)) {
        thread->ages_in--;
        return 0;
    }
    /* At irregular distances, so that no rhythm of the host's is met. */
    thread->ages_in = (uint32_t)(ls_sampler_random(&thread->random) % (2 * AGES_ONE_IN - 1));
    return ls_ledger_acquire(LS_RESOURCE_HEAP, stack, size, -AGES_ONE_IN, ls_clock_coarse_ns());
}

/* Inlined: `frame` is that of the function that the hook called. */
LS_INLINE void record(struct ls_thread *thread, enum ls_heap_mode now, void *block,
                      struct account *account, const void *frame)
{
    account->stack = ls_callsite_stack(thread, frame);
    account->slot = slot_for(thread, now, account->stack, account->size);
    if (now == LS_HEAP_EXACT)
        ls_exact_acquire(thread, account->stack, account->size);
    write_tag(block, account);
}

/* `thread` is NULL when this thread could not enter: the count then takes the shared way. */
static void unrecord(struct ls_thread *thread, const struct account *account)
{
    if (ls_load_relaxed(&counts_exactly))
        ls_exact_release(thread, account->stack, account->size);
    if (account->slot != 0)
        ls_ledger_release(account->slot);
}

static void miss(void)
{
    /* Relaxed: a statistic. */
    ls_add_relaxed(&missed_blocks, 1);
}

/* The record of this thread if this allocation is to be tracked, entered; else NULL. */
LS_INLINE struct ls_thread *choose(size_t size, enum ls_heap_mode *now)
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
    struct account account = {.size = size, .fitted = true};
    enum ls_heap_mode now;
    struct ls_thread *thread;
    int saved_errno;
    char *memory = NULL;
    size_t prefix;

    if (LS_UNLIKELY(size > LS_BITS(SIZE_BITS) || alignment > LS_BITS(SIZE_BITS)))
        return NULL;
    saved_errno = errno;
    thread = choose(size, &now);
    if (thread == NULL)
        return NULL;
    if (LS_UNLIKELY(alignment > TAG_BYTES)) {
        account.alignment_bits = (unsigned)__builtin_ctzll(alignment);
        account.fitted = false;
    }
    prefix = prefix_of(account.alignment_bits);
    memory = ls_memory_tracked_allocate(memory_size(size, prefix), alignment, zero);
    if (LS_LIKELY(memory != NULL))
        record(thread, now, memory + prefix, &account, __builtin_frame_address(0));
    else
        miss();
    ls_thread_leave();
    errno = saved_errno;
    return memory != NULL ? memory + prefix : NULL;
}

static void free_memory(struct ls_thread *thread, void *block, const struct account *account)
{
    void *memory = memory_of(block, account->alignment_bits);

    if (LS_UNLIKELY(thread == NULL && ls_hot.hook_depth != 0))
        ls_thread_defer_free(memory);
    else if (LS_UNLIKELY(thread == NULL && ls_hot.thread == NULL))
        ls_thread_leave_to_others(memory);
    else if (LS_LIKELY(account->fitted))
        ls_memory_tracked_free_sized(memory, memory_size(account->size, TAG_BYTES));
    else
        ls_memory_tracked_free(memory);
}

/* `thread` is NULL when this thread could not enter. */
static void free_block(struct ls_thread *thread, void *block)
{
    struct account account;

    if (LS_UNLIKELY(!read_tag(block, &account))) {
        /* Written over, most likely. It is kept: whether it was freed before is not known, and to
         * free it twice would hand it out twice. */
        ls_add_relaxed(&damaged_blocks, 1);
        ls_add_relaxed(&ls_ledger.lost_releases, 1);
        return;
    }
    if (LS_UNLIKELY(account.stack == FREED_STACK)) {
        /* A double free is the host's own, and its allocator's to judge. */
        ls_real.free(block);
        return;
    }
    /* The record goes first: once the memory is free another thread may be given it. */
    unrecord(thread, &account);
    mark_freed(block);
    free_memory(thread, block, &account);
}

void ls_heap_free(void *block)
{
    int saved_errno = errno;
    /* Before anything is asked of jemalloc: a signal handler that allocates must not find this
     * thread halfway through it. */
    struct ls_thread *thread = ls_thread_may_have_ended() ? NULL : ls_thread_enter();

    free_block(thread, block);
    if (thread != NULL)
        ls_thread_leave();
    errno = saved_errno;
}

size_t ls_heap_usable_size(const void *block)
{
    struct account account;

    /* Damaged: no more than is sure. */
    if (!read_tag(block, &account) || account.stack == FREED_STACK)
        return 0;
    return ls_memory_tracked_usable(memory_of((void *)(uintptr_t)block, account.alignment_bits)) -
           prefix_of(account.alignment_bits);
}

/* Out of the tracked range, because this time the block was not chosen. The host may have used all
 * of malloc_usable_size. */
static bool move_out(void *block, size_t size, void **resized)
{
    size_t usable = ls_heap_usable_size(block);

    *resized = ls_real.malloc(size);
    if (*resized == NULL)
        return false;
    memcpy(*resized, block, usable < size ? usable : size);
    ls_heap_free(block);
    return true;
}

/* realloc promises no more than malloc's alignment, so only such blocks stay where they are. */
static char *resize_memory(void *block, const struct account *account, size_t size)
{
    size_t usable;
    char *moved;

    if (LS_LIKELY(account->alignment_bits == 0))
        return ls_memory_tracked_resize(memory_of(block, 0), memory_size(size, TAG_BYTES));
    moved = ls_memory_tracked_allocate(memory_size(size, TAG_BYTES), 0, false);
    if (moved == NULL)
        return NULL;
    usable = ls_memory_tracked_usable(memory_of(block, account->alignment_bits)) -
             prefix_of(account->alignment_bits);
    memcpy(moved + TAG_BYTES, block, usable < size ? usable : size);
    ls_memory_tracked_free(memory_of(block, account->alignment_bits));
    return moved;
}

/*
 * A release at the old site and an acquire at this one. The old record is settled only after the
 * new memory is there; it is kept by slot and not by address, so nobody can come between.
 */
bool ls_heap_resize(void *block, size_t size, void **resized)
{
    enum ls_heap_mode now;
    struct ls_thread *thread = NULL;
    struct account old;
    struct account account = {.size = size};
    int saved_errno = errno;
    char *memory;

    if (size > LS_BITS(SIZE_BITS))
        return false;
    if (LS_UNLIKELY(!read_tag(block, &old))) { /* how much of it is the host's is not known */
        ls_add_relaxed(&damaged_blocks, 1);
        return false;
    }
    if (LS_UNLIKELY(old.stack == FREED_STACK)) { /* as in ls_heap_free */
        *resized = ls_real.realloc(block, size);
        return *resized != NULL;
    }
    if (size < ls_hot.countdown)
        ls_hot.countdown -= size;
    else
        thread = choose(size, &now);
    if (thread == NULL)
        return move_out(block, size, resized);
    mark_freed(block); /* if the block moves, a late free of the old address must find none */
    memory = resize_memory(block, &old, size);
    if (memory != NULL) {
        unrecord(thread, &old);
        *resized = memory + TAG_BYTES;
        record(thread, now, *resized, &account, __builtin_frame_address(0));
    } else {
        write_tag(block, &old);
    }
    ls_thread_leave();
    if (memory == NULL)
        return false;
    errno = saved_errno;
    return true;
}
