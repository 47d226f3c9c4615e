/*
 * The isolates being read: a fixed pool of records, and in each a mailbox of readings on their way
 * to the collector.
 *
 * A record belongs to the isolate's thread from claim to end; then to the collector, which takes
 * what is left in it and frees it. A mailbox that is full loses its oldest reading, never its
 * newest. Lock-free throughout: neither side waits for the other, and the collector may be
 * stuck for ever without an isolate noticing.
 *
 *   V1 -> V2  a reading is complete before its mailbox slot shows it
 *   V3 -> V4  whatever the isolate's thread did is over before its record reads as ended
 *   V5 -> V6  the collector is done with a record before it can be claimed again
 *   V13 -> V14  number and thread are written before a record reads as live
 *
 * After fork: ls_v8_isolates_keep_only in the child.
 */
#ifndef LS_V8_ISOLATES_H
#define LS_V8_ISOLATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "v8/ages.h"
#include "v8/interval.h"
#include "v8/reading.h"
#include "v8/sampling.h"

#define LS_V8_ISOLATES_MAX 4096
#define LS_V8_MAILBOX      8

enum ls_v8_sampler {
    LS_V8_SAMPLER_WAITING, /* not started yet: a program that profiles itself goes first */
    LS_V8_SAMPLER_OURS,
    LS_V8_SAMPLER_ASIDE,  /* another's, or stopped by another: retried later */
    LS_V8_SAMPLER_BROKEN, /* this isolate's profile could not be read: left alone */
};

/* From a place in a script to its interned function. */
struct ls_v8_place {
    int script_id;
    int start_position;
    const struct ls_js_function *function; /* NULL: empty */
};

/* From when the samples taken are counted. */
struct ls_v8_load_window {
    uint64_t since_ns;
    uint64_t samples;
};

struct ls_v8_isolate {
    /* Set by claim, cleared by end: how a thread recognises its record. Relaxed: only threads that
     * hold the isolate compare it, and V8 hands an isolate over with its own synchronisation. */
    void *_Atomic isolate;
    _Atomic uint32_t state;
    struct ls_js_reading *_Atomic mailbox[LS_V8_MAILBOX];
    /* Relaxed: the collector shows it, nothing hangs on it. */
    _Atomic bool aside;
    /* Written by claim, constant until the record is free again. */
    uint64_t number;
    int thread; /* kernel thread id */

    /* The isolate's thread only, from here on. */
    int loop; /* epoll descriptor of the environment's own event loop */
    uint64_t posted;
    enum ls_v8_sampler sampler;
    bool major_gc_pending; /* set in the GC callback, on the same thread */
    uint64_t major_gcs;
    uint64_t last_major_gc_ns;
    uint64_t seen_request;
    uint64_t last_cost_ns;
    uint64_t last_reading_ns;
    uint64_t not_before_ns; /* readings are spaced by what they cost */
    uint64_t sampling_since_ns;
    struct ls_v8_sampling sampling;
    struct ls_v8_intervals intervals;
    uint64_t interval_bytes;        /* in force, without the mark that sampling adds */
    double frames;                  /* mean depth of the stacks last read */
    struct ls_v8_load_window burst; /* what sampling costs lately */
    struct ls_v8_load_window calm;  /* and over some time */
    uint64_t free_since_ns; /* since when nobody has been seen to sample; 0: somebody does */
    unsigned displaced;     /* times another has stopped or replaced ours */
    uint64_t begun_ns;
    uint64_t begun_cpu_ns;    /* the thread's */
    bool blocked;             /* read in an interrupt since its loop was last seen waiting */
    bool interrupt_requested; /* V8 has not called back yet */
    struct ls_v8_place *places;
    size_t place_capacity;
    size_t place_count;
    struct ls_v8_ages ages;
};

/* A record for a new isolate, with the next number; NULL when the pool or own memory is full. */
struct ls_v8_isolate *ls_v8_isolate_claim(void *isolate);
/* The record of a live isolate; NULL when it has none. */
struct ls_v8_isolate *ls_v8_isolate_find(const void *isolate);
/* The isolate is gone. The record must not be touched after. */
void ls_v8_isolate_end(struct ls_v8_isolate *record);

/* Hands a reading over. Returns how many older ones were dropped for it: 0 or 1. */
unsigned ls_v8_isolate_post(struct ls_v8_isolate *record, struct ls_js_reading *reading);

/* Collector: oldest first; NULL when all mailboxes are empty. */
struct ls_js_reading *ls_v8_isolates_take(void);
/* Collector: isolates that ended and whose readings are all taken or dropped. */
size_t ls_v8_isolates_take_ended(uint64_t *numbers, size_t capacity);

/* Collector: the isolates that live. Returns how many were written. */
struct ls_v8_isolate_view {
    uint64_t number;
    int thread;
    bool aside;
};
size_t ls_v8_isolates_list(struct ls_v8_isolate_view *views, size_t capacity);

/* In a forked child: only this record's thread still exists. NULL: none does. */
void ls_v8_isolates_keep_only(struct ls_v8_isolate *record);

void ls_v8_reading_free(struct ls_js_reading *reading);

#endif
