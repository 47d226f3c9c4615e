/*
 * Reads the live JavaScript heap of every isolate in the process, from C alone.
 *
 * ls_v8_safe_point runs on event-loop threads, from the epoll hook, where no JavaScript is running;
 * it is one relaxed load and one comparison unless a reading is wanted. A thread that does not come
 * there is read in an interrupt that it asks V8 for itself, after a collection: no thread ever
 * calls into another's isolate. Readings are handed to the collector through a lock-free list.
 * Nothing here blocks, and no lock is held across a call into V8 or the loader. When V8 is missing,
 * unknown or already being profiled, js tracking steps down and says so; the rest of the library
 * goes on.
 *
 * After fork the child keeps the isolate of the thread that forked; see ls_v8_after_fork.
 */
#ifndef LS_V8_TRACKER_H
#define LS_V8_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "v8/reading.h"

enum ls_v8_state {
    LS_V8_ABSENT,  /* no V8 in this process */
    LS_V8_READY,   /* symbols found and understood */
    LS_V8_UNKNOWN, /* a V8 whose layout is not known: left alone */
    LS_V8_ASIDE,   /* another profiler holds the sampler */
    LS_V8_OFF,
};

/* Looks V8 up (dlsym in the main program, then libnode.so). Call once, from a constructor or later
 * from the collector; false when there is no V8 to read. `sample_bytes` is the mean between
 * samples.
 */
bool ls_v8_start(size_t sample_bytes);

enum ls_v8_state ls_v8_current_state(void);
/* One line for health.notes when the state is not READY or ABSENT; else NULL. */
const char *ls_v8_note(void);

/* The same when native stacks cannot be given JavaScript functions though V8 is read. */
const char *ls_v8_frames_note(void);

/* The same while no isolate could be attended to, some intervals after the start. */
const char *ls_v8_unread_note(void);
/* The same while some isolate is sampled further apart than asked. */
const char *ls_v8_interval_note(void);

/* From a call that Node makes on every thread that is to run JavaScript, before its first line: the
 * isolate is known from then on, should its loop never wait. Asks V8 for an interrupt of this
 * thread's isolate and does nothing else. Keeps errno. */
void ls_v8_environment_begins(void);

/* From the epoll hook, before the real call, on whatever thread entered it; `loop` is the epoll
 * descriptor it waits on. Keeps errno. */
void ls_v8_safe_point(int loop);

/* From the collector: every isolate reads itself at its next safe point. */
void ls_v8_request_readings(void);

/* Takes one finished reading, oldest first; NULL when there is none. Free it with
 * ls_v8_reading_free. Collector only. */
struct ls_js_reading *ls_v8_take_reading(void);
void ls_v8_reading_free(struct ls_js_reading *reading);
/* Readings dropped so far because nobody took them. */
uint64_t ls_v8_dropped_readings(void);

/* Isolates that have ended since the last call, by number; returns how many were written. Their
 * sites hold nothing any more. Collector only. */
size_t ls_v8_take_ended(uint64_t *isolates, size_t capacity);

/* In the child, on the thread that called fork. */
void ls_v8_after_fork(void);

/* No more readings are started; samplers of live isolates are left to their cleanup hooks. */
void ls_v8_stop(void);

#endif
