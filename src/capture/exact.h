/*
 * Exact mode's counts: every thread adds to its own table, by stack ordinal, with plain additions;
 * the collector sums the tables. No lock and no shared counter on malloc or free.
 *
 * Add: the thread itself, signal handlers on it included. Sum: the collector. What an ended thread
 * counted moves to a table of the departed. When memory for a table cannot be had, the count goes
 * to a shared table by atomic addition, so that no total is ever wrong.
 */
#ifndef LS_CAPTURE_EXACT_H
#define LS_CAPTURE_EXACT_H

#include <stdint.h>

#include "capture/thread.h"

struct ls_exact_cell {
    _Atomic unsigned long acquired_count;
    _Atomic unsigned long acquired_bytes;
    _Atomic unsigned long released_count;
    _Atomic unsigned long released_bytes;
};

/* `stacks`: capacity of the stack table. 0 or -ENOMEM. */
int ls_exact_start(uint32_t stacks);

/* `thread` is entered, or NULL for a handler that interrupted a hook: it counts the shared way. */
void ls_exact_acquire(struct ls_thread *thread, uint32_t stack, uint64_t size);
void ls_exact_release(struct ls_thread *thread, uint32_t stack, uint64_t size);

/* Sums every thread's counts into the ledger's tallies of LS_RESOURCE_HEAP, which it overwrites,
 * and frees the records of ended threads (in sampled mode too). Collector only. */
void ls_exact_settle(void);

#endif
