/*
 * What hooks tell the collector of mappings, in order: Vyukov's bounded queue as in ledger/ring.h,
 * with the event in the cell.
 *
 * Push: any thread, in a signal handler too; no lock, no wait; 0 when full. Pop: the collector.
 * After fork the child empties it with ls_mapping_queue_pop_whole: cells that other threads had
 * claimed and not filled are passed over.
 */
#ifndef LS_CAPTURE_MAPPING_QUEUE_H
#define LS_CAPTURE_MAPPING_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum ls_mapping_event_kind {
    LS_MAPPING_ACQUIRE,
    LS_MAPPING_RELEASE,
    LS_MAPPING_LIFT,   /* a release that a RESTORE, MOVE or CONFIRM will answer */
    LS_MAPPING_DETACH, /* a release of all the mapping that begins at `start` */
    LS_MAPPING_RESTORE,
    LS_MAPPING_MOVE,
    LS_MAPPING_CONFIRM,
    LS_MAPPING_PROTECT,
};

struct ls_mapping_event {
    uintptr_t start;
    uintptr_t end;
    uint64_t released; /* RESTORE, MOVE, CONFIRM: the release's ticket */
    uint64_t now_ns;
    uint32_t stack;
    uint8_t kind;
    bool reserved;
};

struct ls_mapping_cell {
    _Atomic uint64_t sequence;
    struct ls_mapping_event event;
};

struct ls_mapping_queue {
    struct ls_mapping_cell *cells;
    uint64_t mask;
    _Alignas(LS_CACHE_LINE) _Atomic uint64_t tail;
    _Alignas(LS_CACHE_LINE) _Atomic uint64_t head; /* written by the collector */
};

/* `cells` is zeroed memory for `capacity` cells, a power of two. */
void ls_mapping_queue_init(struct ls_mapping_queue *queue, struct ls_mapping_cell *cells,
                           size_t capacity);
/* The event's number, from 1; 0 when the queue is full. */
uint64_t ls_mapping_queue_push(struct ls_mapping_queue *queue,
                               const struct ls_mapping_event *event);
/* Returns the event's number; 0 when none is ready. */
uint64_t ls_mapping_queue_pop(struct ls_mapping_queue *queue, struct ls_mapping_event *event);
/* Events popped so far; any thread, as a hint. */
uint64_t ls_mapping_queue_taken(const struct ls_mapping_queue *queue);
uint64_t ls_mapping_queue_waiting(const struct ls_mapping_queue *queue);
/* Only when no producer runs: the events that are whole, then the queue is empty. */
uint64_t ls_mapping_queue_pop_whole(struct ls_mapping_queue *queue, struct ls_mapping_event *event);

#endif
