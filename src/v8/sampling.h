/*
 * The sampler that was started in one isolate: whether the one that runs is still that one, how
 * many samples it has taken, and its interval.
 *
 * V8's interface starts and stops a sampler and hands out the profile; it does not say whose it is,
 * and a profile of another's may force a garbage collection. So the sampler is recognised in V8's
 * memory: v8::internal::SamplingHeapProfiler is the object whose address StartSamplingHeapProfiler
 * stores into the isolate's HeapProfiler, and it holds the interval it was given, an odd number
 * that nobody else is likely to ask for, at three places, and its own address at one
 * (https://github.com/nodejs/node/blob/v24.x/deps/v8/src/profiler/sampling-heap-profiler.h; the
 * same from Node 18 to 24). Only an object found so, after a start of our own, is looked at later.
 * What is not recognised is sampled as before, at a fixed interval, and told apart by nothing.
 *
 * The isolate's own thread only, outside of an allocation; reads and writes memory of V8's that no
 * other thread uses. Nothing blocks. Zero-filled: no sampler.
 */
#ifndef LS_V8_SAMPLING_H
#define LS_V8_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "v8/symbols.h"

struct ls_v8_sampler_object;

struct ls_v8_sampling {
    void *const *place;                  /* where V8 keeps its sampler's address; NULL: not found */
    struct ls_v8_sampler_object *object; /* ours, while it is there */
    uint64_t start_bytes;                /* what it was started with */
    uint64_t samples;                    /* as last seen */
    unsigned rate_word;                  /* where it keeps what it was started with */
};

enum ls_v8_presence {
    LS_V8_PRESENT_OURS,
    LS_V8_PRESENT_NONE,
    LS_V8_PRESENT_OTHER,
    LS_V8_PRESENT_UNKNOWN, /* nothing was recognised: ask V8 */
};

/* Starts a sampler of about `bytes`; false when another runs. */
bool ls_v8_sampling_start(struct ls_v8_sampling *sampling, const struct ls_v8_symbols *symbols,
                          void *profiler, uint64_t bytes);
/* Which sampler runs now. */
enum ls_v8_presence ls_v8_sampling_look(struct ls_v8_sampling *sampling);
/* Samples taken so far; only right after ls_v8_sampling_look has said OURS, in the same breath. */
uint64_t ls_v8_sampling_count(const struct ls_v8_sampling *sampling);
/* Another interval for the samples to come. The counts V8 reports stay scaled by `start_bytes`. */
void ls_v8_sampling_set_interval(struct ls_v8_sampling *sampling, uint64_t bytes);

#endif
