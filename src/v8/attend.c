#include "v8/attend.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "base/atomic.h"
#include "system/clock.h"
#include "system/syscall.h"
#include "v8/reader.h"

#define MILLISECOND      UINT64_C(1000000)
#define GC_READING_SPACE (100 * MILLISECOND)
/* A reading that took t is followed by none for 99 t: at most 1 % of the thread's time. */
#define COST_SPACE 99
#define SPACE_MAX  (60000 * MILLISECOND)
/* A program that profiles itself from its first lines is to find the sampler free. The main thread
 * has run them when it first waits; a worker has not, and is slow to on a busy machine. */
#define OTHERS_FIRST     (200 * MILLISECOND)
#define OTHERS_FIRST_CPU (50 * MILLISECOND)
#define OTHERS_FIRST_MAX (1000 * MILLISECOND)
/* How long nobody must have sampled before ours comes back: doubled each time another has stopped
 * ours since, so that a program that profiles itself again and again is left alone in the end. */
#define FREE_FIRST     (2000 * MILLISECOND)
#define FREE_DOUBLINGS 8
/* How long the cost of sampling is looked at: a load must not hide behind the calm before it, and a
 * short calm is none. */
#define BURST_WINDOW (1000 * MILLISECOND)
#define CALM_WINDOW  (10000 * MILLISECOND)

static const struct ls_v8_symbols *symbols;
static uint64_t configured_bytes;
/* Relaxed: figures to show. */
static _Atomic unsigned isolates_aside;
static _Atomic unsigned isolates_stretched;
static _Atomic uint64_t readings_dropped;

void ls_v8_attend_start(const struct ls_v8_symbols *table, uint64_t sample_bytes)
{
    symbols = table;
    configured_bytes = sample_bytes;
}

/* Processor time and not the clock's: on a busy machine a thread may stand still for long. */
static uint64_t cpu_ns(void)
{
    return ls_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void ls_v8_attend_begin(struct ls_v8_isolate *record, uint64_t now)
{
    record->begun_ns = now;
    record->begun_cpu_ns = cpu_ns();
}

static bool is_others_turn(const struct ls_v8_isolate *record, uint64_t now)
{
    uint64_t age = now - record->begun_ns;

    if (ls_sys_gettid() == ls_sys_getpid())
        return false;
    return age < OTHERS_FIRST ||
           (age < OTHERS_FIRST_MAX && cpu_ns() - record->begun_cpu_ns < OTHERS_FIRST_CPU);
}

static void become(struct ls_v8_isolate *record, enum ls_v8_sampler sampler)
{
    if (record->sampler == LS_V8_SAMPLER_ASIDE)
        ls_add_relaxed(&isolates_aside, -1U);
    if (sampler == LS_V8_SAMPLER_ASIDE)
        ls_add_relaxed(&isolates_aside, 1);
    record->sampler = sampler;
    /* Relaxed: a figure to show. */
    ls_store_relaxed(&record->aside, sampler == LS_V8_SAMPLER_ASIDE);
}

static void set_interval(struct ls_v8_isolate *record, uint64_t bytes)
{
    if (record->interval_bytes > configured_bytes)
        ls_add_relaxed(&isolates_stretched, -1U);
    if (bytes > configured_bytes)
        ls_add_relaxed(&isolates_stretched, 1);
    record->interval_bytes = bytes;
}

static struct ls_v8_load_window window_from(const struct ls_v8_isolate *record, uint64_t now)
{
    return (struct ls_v8_load_window){now, ls_v8_sampling_count(&record->sampling)};
}

/* What the load since the window's beginning asks for. */
static uint64_t interval_for(const struct ls_v8_isolate *record,
                             const struct ls_v8_load_window *window, uint64_t now)
{
    struct ls_v8_load load = {
        .samples = ls_v8_sampling_count(&record->sampling) - window->samples,
        .elapsed_ns = now - window->since_ns,
        .frames = record->frames,
    };

    return ls_v8_interval_choose(&load, record->interval_bytes, configured_bytes);
}

static void start_sampler(struct ls_v8_isolate *record, void *isolate, uint64_t now)
{
    void *profiler = symbols->isolate_heap_profiler(isolate);

    if (!ls_v8_sampling_start(&record->sampling, symbols, profiler, configured_bytes)) {
        become(record, LS_V8_SAMPLER_ASIDE);
        record->free_since_ns = now;
        return;
    }
    become(record, LS_V8_SAMPLER_OURS);
    record->sampling_since_ns = now;
    set_interval(record, configured_bytes);
    ls_v8_intervals_start(&record->intervals, record->sampling.start_bytes);
    ls_v8_ages_reset(&record->ages);
    /* What was collected before says nothing of what is sampled from here. */
    record->major_gc_pending = false;
    record->burst = window_from(record, now);
    record->calm = record->burst;
}

static void step_aside(struct ls_v8_isolate *record, uint64_t now, bool free_now)
{
    become(record, LS_V8_SAMPLER_ASIDE);
    set_interval(record, 0);
    record->free_since_ns = free_now ? now : 0;
    if (record->displaced < FREE_DOUBLINGS)
        record->displaced++;
}

/* Tries only once V8's sampler has been free for long enough, as far as that can be seen: a program
 * that starts and stops it finds it free. Trying while another runs changes nothing. */
static void try_to_return(struct ls_v8_isolate *record, void *isolate, uint64_t now)
{
    unsigned doublings = record->displaced ? record->displaced - 1 : 0;

    if (ls_v8_sampling_look(&record->sampling) == LS_V8_PRESENT_OTHER)
        record->free_since_ns = 0;
    else if (!record->free_since_ns)
        record->free_since_ns = now;
    if (record->free_since_ns && now - record->free_since_ns >= FREE_FIRST << doublings)
        start_sampler(record, isolate, now);
}

/* True when the sampler that runs is ours, as far as can be told. */
static bool holds_sampler(struct ls_v8_isolate *record, uint64_t now)
{
    switch (ls_v8_sampling_look(&record->sampling)) {
    case LS_V8_PRESENT_NONE:
        step_aside(record, now, true);
        return false;
    case LS_V8_PRESENT_OTHER:
        step_aside(record, now, false);
        return false;
    default:
        return true;
    }
}

void ls_v8_attend_load(struct ls_v8_isolate *record, uint64_t now)
{
    uint64_t bytes;

    if (record->sampler != LS_V8_SAMPLER_OURS ||
        ls_v8_sampling_look(&record->sampling) != LS_V8_PRESENT_OURS)
        return;
    bytes = interval_for(record, &record->burst, now);
    if (bytes == record->interval_bytes && ls_v8_intervals_may_lower(&record->intervals))
        bytes = interval_for(record, &record->calm, now);
    if (bytes != record->interval_bytes &&
        ls_v8_intervals_change(&record->intervals, ls_v8_sampling_count(&record->sampling) + 1,
                               bytes)) {
        ls_v8_sampling_set_interval(&record->sampling, bytes);
        set_interval(record, bytes);
        record->burst = window_from(record, now);
        record->calm = record->burst;
    }
    if (now - record->burst.since_ns >= BURST_WINDOW)
        record->burst = window_from(record, now);
    if (now - record->calm.since_ns >= CALM_WINDOW)
        record->calm = window_from(record, now);
}

static void space_readings(struct ls_v8_isolate *record, uint64_t cost, uint64_t end)
{
    uint64_t space;

    /* One slow reading should not silence the isolate: the mean of this cost and the last. */
    space = (record->last_cost_ns ? (cost + record->last_cost_ns) / 2 : cost) * COST_SPACE;
    record->last_cost_ns = cost;
    record->not_before_ns = end + (space < SPACE_MAX ? space : SPACE_MAX);
}

static void post(struct ls_v8_isolate *record, struct ls_js_reading *reading, uint64_t start)
{
    reading->isolate = record->number;
    reading->thread = ls_sys_gettid();
    reading->taken_ns = start;
    reading->sampling_since_ns = record->sampling_since_ns;
    reading->sample_bytes = (double)record->interval_bytes;
    reading->since_major_gc_ns = reading->major_gcs ? start - record->last_major_gc_ns : 0;
    ls_add_relaxed(&readings_dropped, ls_v8_isolate_post(record, reading));
}

static enum ls_v8_attention take_reading(struct ls_v8_isolate *record, void *isolate,
                                         uint64_t start)
{
    struct ls_js_reading *reading = NULL;
    bool after_major_gc = record->major_gc_pending;
    uint64_t major_gcs = record->major_gcs;
    uint64_t cost = cpu_ns();
    uint64_t end;
    int status;

    /* Before the reading: a collection during it asks for the next. */
    record->major_gc_pending = false;
    status = ls_v8_reader_read(symbols, record, isolate,
                               &(struct ls_v8_reading_order){
                                   .sample_bytes = (double)record->sampling.start_bytes,
                                   .intervals = &record->intervals,
                                   .now_ns = start,
                                   .after_major_gc = after_major_gc,
                               },
                               &reading, &record->frames);
    end = ls_clock_ns(CLOCK_MONOTONIC);
    cost = cpu_ns() - cost;
    space_readings(record, cost, end);
    if (status == -ENODATA)
        step_aside(record, end, true);
    if (status == -EFAULT) {
        symbols->sampling_stop(symbols->isolate_heap_profiler(isolate));
        become(record, LS_V8_SAMPLER_BROKEN);
        return LS_V8_ATTEND_STOP;
    }
    if (status == 0) {
        reading->cost_ns = cost;
        reading->major_gcs = major_gcs;
        reading->after_major_gc = after_major_gc;
        post(record, reading, start);
    }
    return record->major_gc_pending ? LS_V8_ATTEND_LATER : LS_V8_ATTEND_DONE;
}

enum ls_v8_attention ls_v8_attend(struct ls_v8_isolate *record, void *isolate, uint64_t wanted,
                                  uint64_t now)
{
    bool requested = record->seen_request != wanted;

    if (record->sampler == LS_V8_SAMPLER_BROKEN)
        return LS_V8_ATTEND_DONE;
    if (record->sampler == LS_V8_SAMPLER_WAITING && is_others_turn(record, now))
        return LS_V8_ATTEND_LATER;
    if (record->sampler == LS_V8_SAMPLER_WAITING)
        start_sampler(record, isolate, now);
    else if (record->sampler == LS_V8_SAMPLER_ASIDE)
        try_to_return(record, isolate, now);
    if (record->sampler == LS_V8_SAMPLER_ASIDE || !holds_sampler(record, now)) {
        record->major_gc_pending = false;
        record->seen_request = wanted;
        return LS_V8_ATTEND_DONE;
    }
    ls_v8_attend_load(record, now);
    if (!requested && !record->major_gc_pending)
        return LS_V8_ATTEND_DONE;
    if (now < record->not_before_ns ||
        (!requested && now < record->last_reading_ns + GC_READING_SPACE))
        return LS_V8_ATTEND_LATER;
    record->seen_request = wanted;
    record->last_reading_ns = now;
    return take_reading(record, isolate, now);
}

/* A sampler that still runs when the isolate is disposed of aborts Node 24; one that is not ours is
 * its owner's to stop. */
void ls_v8_attend_end(struct ls_v8_isolate *record, void *isolate)
{
    if (record->sampler == LS_V8_SAMPLER_OURS && holds_sampler(record, 0))
        symbols->sampling_stop(symbols->isolate_heap_profiler(isolate));
    set_interval(record, 0);
    become(record, LS_V8_SAMPLER_BROKEN);
}

unsigned ls_v8_attend_aside(void)
{
    return ls_load_relaxed(&isolates_aside);
}

unsigned ls_v8_attend_stretched(void)
{
    return ls_load_relaxed(&isolates_stretched);
}

uint64_t ls_v8_attend_dropped(void)
{
    return ls_load_relaxed(&readings_dropped);
}
