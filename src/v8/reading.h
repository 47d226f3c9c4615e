/*
 * What V8 said of one isolate's live JavaScript heap at one moment, by JavaScript function.
 * Absolute figures, not events: the collector sets each site to them.
 *
 * A reading is made on the isolate's own thread and handed over whole; it never changes after. The
 * collector frees it.
 */
#ifndef LS_V8_READING_H
#define LS_V8_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/js_function.h"

#define LS_JS_STACK_MAX 16

/* A callsite: all live objects whose allocation stacks roll up to the same user function. Stacks
 * with no user function roll up to their innermost named one. */
struct ls_js_site {
    const struct ls_js_function *function;
    double live_bytes;
    double live_count;
    double variance_bytes; /* of live_bytes, from sampling */
    /* Of live_bytes, those that have lived through a whole cycle between two major collections. 0
     * before the second. */
    double survived_bytes;
    /* Live bytes of every stack the function is on, its callees' included; at least live_bytes for
     * user functions. Optimisation moves bytes from a function to the caller that it was inlined
     * into, which raises that caller's live_bytes but not its inclusive_bytes. */
    double inclusive_bytes;
    /* The function that allocated the most of the inclusive bytes among those the site's function
     * called; NULL when it called none. */
    const struct ls_js_function *inner;
    double median_age_s; /* of the live bytes, as far as readings date them */
    /* The live bytes by when they were allocated: age_count figures of the reading's intervals.
     * NULL when age_count is 0. */
    const float *age_bytes;
    const float *inclusive_age_bytes; /* the same of the inclusive bytes */
    /* The heaviest stack among those rolled up, innermost first; includes `function`. */
    const struct ls_js_function *stack[LS_JS_STACK_MAX];
    uint32_t stack_length;
};

struct ls_js_reading {
    uint64_t isolate;           /* number given when the isolate was first seen, from 1 */
    int thread;                 /* kernel thread id */
    uint64_t taken_ns;          /* CLOCK_MONOTONIC */
    uint64_t major_gcs;         /* mark-sweep collections seen so far in this isolate */
    bool after_major_gc;        /* taken at the first safe point after one */
    uint64_t since_major_gc_ns; /* since the last of them; 0 before the first */
    size_t used_heap_bytes;     /* v8::HeapStatistics */
    size_t total_heap_bytes;
    size_t heap_limit_bytes;
    size_t external_bytes;
    int64_t array_buffer_bytes; /* of the external ones; -1: not known */
    size_t malloced_bytes;
    double sample_bytes; /* mean between V8's samples at this moment */
    size_t site_count;
    struct ls_js_site *sites;
    /*
     * Intervals of allocation time, oldest first, from the start of sampling to taken_ns. Right
     * after a major collection their sums say how much of what was allocated up to each moment is
     * still needed: a leak spreads evenly over all of them, a cache with turnover lies in the last
     * ones, what was loaded at start in the first. At any other moment the intervals since the
     * collection hold garbage as well.
     */
    uint64_t sampling_since_ns;
    size_t age_count;
    const uint64_t *age_end_ns; /* CLOCK_MONOTONIC */
    bool truncated;             /* bounds were reached: some live bytes are in no site */
    uint64_t cost_ns;           /* what the reading took of the isolate's thread */
    size_t allocated_bytes;     /* for ls_v8_reading_free */
    struct ls_js_reading *next; /* the tracker's and the collector's, to chain readings */
};

#endif
