/*
 * Exact mode's counts: every thread adds to its own table, by stack ordinal, with plain additions;
 * the collector sums the tables. No lock and no shared counter on malloc or free.
 *
 * Add: the thread itself, signal handlers on it included. Sum: the collector. What an ended thread
 * counted moves to a table of the departed. When memory for a table cannot be had, or the tables
 * have their share of it, the count goes to a shared table by atomic addition, so that no total is
 * ever wrong.
 */
#ifndef LS_CAPTURE_EXACT_H
#define LS_CAPTURE_EXACT_H

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/thread.h"

enum ls_exact_side {
    LS_EXACT_ACQUIRED,
    LS_EXACT_RELEASED,
    LS_EXACT_SIDES,
};

struct ls_exact_cell {
    struct {
        _Atomic unsigned long count;
        _Atomic unsigned long bytes;
    } sides[LS_EXACT_SIDES];
};

#define LS_EXACT_CELLS_PER_CHUNK 128

struct ls_exact_counts {
    /* Written by the thread, read by the collector. */
    _Atomic(struct ls_exact_cell *) chunks[1]; /* stacks / LS_EXACT_CELLS_PER_CHUNK of them */
};

/* `stacks`: capacity of the stack table. 0 or -ENOMEM. */
int ls_exact_start(uint32_t stacks);
/* Bounds what the threads' tables take together. Once, before threads; without it there is none. */
void ls_exact_set_memory(size_t bytes);

/* For a thread that has no cell for this stack yet, or none that can be had. */
void ls_exact_add_slowly(struct ls_thread *thread, uint32_t stack, enum ls_exact_side side,
                         uint64_t size);

LS_INLINE struct ls_exact_cell *ls_exact_cell(struct ls_thread *thread, uint32_t stack)
{
    struct ls_exact_counts *counts;
    struct ls_exact_cell *chunk;

    if (LS_UNLIKELY(thread == NULL))
        return NULL;
    /* Relaxed: written by this thread. */
    counts = ls_load_relaxed(&thread->counts);
    if (LS_UNLIKELY(counts == NULL))
        return NULL;
    chunk = ls_load_relaxed(&counts->chunks[stack / LS_EXACT_CELLS_PER_CHUNK]);
    return LS_LIKELY(chunk != NULL) ? &chunk[stack % LS_EXACT_CELLS_PER_CHUNK] : NULL;
}

LS_INLINE void ls_exact_add(struct ls_thread *thread, uint32_t stack, enum ls_exact_side side,
                            uint64_t size)
{
    struct ls_exact_cell *cell = ls_exact_cell(thread, stack);

    if (LS_UNLIKELY(cell == NULL)) {
        ls_exact_add_slowly(thread, stack, side, size);
        return;
    }
    ls_add_own_thread(&cell->sides[side].count, 1);
    ls_add_own_thread(&cell->sides[side].bytes, size);
}

/* `thread` is entered, or NULL for a handler that interrupted a hook: it counts the shared way. */
LS_INLINE void ls_exact_acquire(struct ls_thread *thread, uint32_t stack, uint64_t size)
{
    ls_exact_add(thread, stack, LS_EXACT_ACQUIRED, size);
}

LS_INLINE void ls_exact_release(struct ls_thread *thread, uint32_t stack, uint64_t size)
{
    ls_exact_add(thread, stack, LS_EXACT_RELEASED, size);
}

/* Sums every thread's counts into the ledger's tallies of LS_RESOURCE_HEAP, which it overwrites,
 * and frees the records of ended threads (in sampled mode too). Collector only. */
void ls_exact_settle(void);

#endif
