/*
 * A bounded queue of events, many producers and one consumer, after Dmitry Vyukov's bounded queue
 * (https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue) with a single
 * consumer.
 *
 * Push: any thread, also in a signal handler; no lock, no allocation, no wait; false when full.
 * Pop: the collector only. A producer that is stopped between claiming a cell and filling it hides
 * what was pushed after it from pop until it goes on; producers are not held up, the ring only
 * fills. What the ring cannot carry is found by ls_live_set_sweep, so an event is a hint and never
 * the only record.
 * After fork the child calls ls_ring_clear: cells claimed by threads it does not have stay empty.
 */
#ifndef LS_LEDGER_RING_H
#define LS_LEDGER_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct ls_ring_cell {
    _Atomic uint64_t sequence;
    uint64_t event;
};

struct ls_ring {
    struct ls_ring_cell *cells;
    uint64_t mask;
    _Alignas(LS_CACHE_LINE) _Atomic uint64_t tail; /* next cell to claim */
    _Alignas(LS_CACHE_LINE) _Atomic uint64_t head; /* next cell to pop; written by the consumer */
    uint64_t high_water;                           /* consumer's: most events seen waiting */
};

/* `cells` is zeroed memory for `capacity` cells, a power of two, owned by the caller. */
void ls_ring_init(struct ls_ring *ring, struct ls_ring_cell *cells, size_t capacity);
bool ls_ring_push(struct ls_ring *ring, uint64_t event);
bool ls_ring_pop(struct ls_ring *ring, uint64_t *event);
/* Only when no producer runs. */
void ls_ring_clear(struct ls_ring *ring);
/* Events waiting, approximately. Any thread. */
uint64_t ls_ring_waiting(const struct ls_ring *ring);

#endif
