/*
 * The event loops as a summary tells them: what the clocks of capture/loop_clock.h have counted
 * since the summary before, as percentiles and a share.
 */
#include "runtime/runtime.h"

#include "base/compiler.h"
#include "base/histogram.h"
#include "capture/loop_clock.h"
#include "runtime/notes.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/process.h"

/* A thread that has not been back for so long does something else by now. */
#define GONE_AFTER_NS (600 * LS_NS_PER_S)
#define NAME_BYTES    32

/* A clock as it was at the last summary. */
struct past {
    uint64_t owner;
    uint64_t waits;
    uint64_t busy_ns;
    uint64_t idle_ns;
    char name[NAME_BYTES];
    uint64_t counts[LS_HISTOGRAM_BUCKETS];
};

static struct past *pasts[LS_LOOP_CLOCKS_MAX];
static struct ls_loop_reading reading;
static struct ls_snapshot_event_loop views[LS_LOOP_CLOCKS_MAX];

/* Sums only grow, but a turn that ended as it was read may have been told too early. */
static uint64_t take_difference(uint64_t *past, uint64_t present)
{
    uint64_t difference = present > *past ? present - *past : 0;

    *past = present;
    return difference;
}

static double seconds(uint64_t ns)
{
    return (double)ns / (double)LS_NS_PER_S;
}

/* From sums to what has come since the summary before. */
static void take_interval(struct past *past)
{
    reading.waits = take_difference(&past->waits, reading.waits);
    reading.busy_ns = take_difference(&past->busy_ns, reading.busy_ns);
    reading.idle_ns = take_difference(&past->idle_ns, reading.idle_ns);
    for (size_t i = 0; i < LS_HISTOGRAM_BUCKETS; i++)
        reading.counts[i] = take_difference(&past->counts[i], reading.counts[i]);
    /* The timer that waits for the present turn to end counts now, as late as it is, and once more
     * when it has fired: a loop that never comes back is told all the same. */
    if (reading.overdue_ns > 0)
        reading.counts[ls_histogram_bucket(reading.overdue_ns)]++;
    if (reading.turn_ns > reading.longest_turn_ns)
        reading.longest_turn_ns = reading.turn_ns;
}

static double delay(double share)
{
    uint64_t ns = ls_histogram_percentile(reading.counts, share);

    return seconds(ns < reading.longest_turn_ns ? ns : reading.longest_turn_ns);
}

static void describe(unsigned number, const struct past *past, struct ls_snapshot_event_loop *view)
{
    uint64_t whole_ns = reading.busy_ns + reading.idle_ns;

    *view = (struct ls_snapshot_event_loop){
        .number = number,
        .thread = past->name,
        .thread_id = reading.thread,
        .delay_p50_s = delay(0.50),
        .delay_p95_s = delay(0.95),
        .delay_p99_s = delay(0.99),
        .delay_max_s = seconds(reading.longest_turn_ns),
        .utilization = whole_ns == 0 ? 0 : (double)reading.busy_ns / (double)whole_ns,
    };
}

static bool is_before(const struct ls_snapshot_event_loop *a,
                      const struct ls_snapshot_event_loop *b)
{
    bool a_is_main = a->thread_id == ls_runtime.pid;

    if (a_is_main != (b->thread_id == ls_runtime.pid))
        return a_is_main;
    return a->utilization > b->utilization;
}

static void insert(const struct ls_snapshot_event_loop *view, size_t count)
{
    while (count > 0 && is_before(view, &views[count - 1])) {
        views[count] = views[count - 1];
        count--;
    }
    views[count] = *view;
}

/* The past of the clock's present owner; NULL without memory. */
static struct past *past_of(unsigned number)
{
    struct past *past = pasts[number];

    if (past == NULL)
        past = pasts[number] = ls_memory_own_allocate(sizeof(*past));
    if (past != NULL && past->owner != reading.owner) {
        *past = (struct past){.owner = reading.owner};
    }
    return past;
}

void ls_loops_describe(uint64_t now_ns, struct ls_snapshot *snapshot)
{
    size_t count = 0;

    for (unsigned number = 0; number < LS_LOOP_CLOCKS_MAX; number++) {
        struct ls_snapshot_event_loop view;
        struct past *past;

        if (!ls_loop_clock_read(number, now_ns, &reading) || (past = past_of(number)) == NULL)
            continue;
        take_interval(past);
        if (reading.waits == 0 && !reading.sleeping && reading.turn_ns >= GONE_AFTER_NS)
            continue;
        ls_process_thread_name(reading.thread, past->name, sizeof(past->name));
        describe(number, past, &view);
        insert(&view, count++);
    }
    snapshot->event_loops = views;
    snapshot->event_loop_count = count;
    if (ls_loop_clock_refused() > 0)
        ls_note("some event loops are not timed: there are more than 64, or no memory for more");
}
