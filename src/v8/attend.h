/*
 * What is done for one isolate whenever its thread can be asked: start V8's sampler, keep its cost
 * down, read it, step aside for another profiler and come back.
 *
 * The isolate's own thread only, where V8 may be called: in the epoll hook, or in an interrupt
 * callback of V8's. After a collection only ls_v8_attend_load may be called. Nothing blocks. The
 * counters are for any thread.
 */
#ifndef LS_V8_ATTEND_H
#define LS_V8_ATTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "v8/isolates.h"
#include "v8/symbols.h"

enum ls_v8_attention {
    LS_V8_ATTEND_DONE,  /* nothing more to do for these requests */
    LS_V8_ATTEND_LATER, /* a reading is due, but not yet */
    LS_V8_ATTEND_STOP,  /* V8's profile is not what it should be: no isolate is to be read again */
};

/* Once, before the rest: the table of V8's functions and the mean bytes between samples. */
void ls_v8_attend_start(const struct ls_v8_symbols *symbols, uint64_t sample_bytes);

/* The isolate is known from now on. */
void ls_v8_attend_begin(struct ls_v8_isolate *record, uint64_t now);
/* `wanted`: the last request for readings. */
enum ls_v8_attention ls_v8_attend(struct ls_v8_isolate *record, void *isolate, uint64_t wanted,
                                  uint64_t now);
/* Stretches or shortens the interval when what samples cost asks for it. Touches no heap. */
void ls_v8_attend_load(struct ls_v8_isolate *record, uint64_t now);
/* The isolate is about to end: stops the sampler if it is ours. */
void ls_v8_attend_end(struct ls_v8_isolate *record, void *isolate);

/* Isolates whose sampler another profiler holds; readings dropped because nobody took them. */
unsigned ls_v8_attend_aside(void);
/* Isolates that are sampled further apart than asked. */
unsigned ls_v8_attend_stretched(void);
uint64_t ls_v8_attend_dropped(void);

#endif
