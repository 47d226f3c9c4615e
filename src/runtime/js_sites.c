/*
 * V8's readings as sites of the ledger. A reading is absolute: a site holds what the last reading
 * of every live isolate says of its function, and nothing once no reading has it any more.
 */
#include "runtime/runtime.h"

#include "base/math.h"
#include "ledger/ledger.h"
#include "runtime/js_evidence.h"
#include "system/clock.h"
#include "system/memory.h"
#include "v8/tracker.h"

#define ISOLATES_MAX 1024
/* By how much sites may hold more than the heap has in use. */
#define EXCESS_RATIO 1.1
#define EXCESS_SCORE 4.0

struct isolate {
    uint64_t number; /* 0: free */
    struct ls_js_reading *last;
    /* The last one made right after a major collection; may be the same. */
    struct ls_js_reading *settled;
    /* Heap in use at the settled ones; NULL before the first, or without memory. */
    struct ls_history *heap;
};

static struct isolate isolates[ISOLATES_MAX];
static uint64_t round_number;
/* A reading right after a major collection has come since the last update. */
static bool settled_anew;
/* An isolate has made a major collection since the last update. */
static bool collected_anew;

static struct isolate *isolate_of(uint64_t number)
{
    struct isolate *free_place = NULL;

    for (size_t i = 0; i < ISOLATES_MAX; i++) {
        if (isolates[i].number == number)
            return &isolates[i];
        if (isolates[i].number == 0 && free_place == NULL)
            free_place = &isolates[i];
    }
    if (free_place != NULL)
        free_place->number = number;
    return free_place;
}

static void drop_reading(struct isolate *isolate, struct ls_js_reading *reading)
{
    if (reading != NULL && reading != isolate->last && reading != isolate->settled)
        ls_v8_reading_free(reading);
}

static void keep_reading(struct isolate *isolate, struct ls_js_reading *reading)
{
    struct ls_js_reading *former_last = isolate->last;
    struct ls_js_reading *former_settled = isolate->settled;

    isolate->last = reading;
    if (reading->major_gcs > (former_last == NULL ? 0 : former_last->major_gcs))
        collected_anew = true;
    if (reading->after_major_gc) {
        isolate->settled = reading;
        settled_anew = true;
        drop_reading(isolate, former_settled);
    }
    if (former_last != former_settled)
        drop_reading(isolate, former_last);
}

/* As one point, at the same moment as those of the sites. */
static void remember_heap(struct isolate *isolate, double now_s)
{
    if (isolate->heap == NULL)
        isolate->heap = ls_memory_own_allocate(sizeof(*isolate->heap));
    if (isolate->heap != NULL && isolate->settled->used_heap_bytes > 0)
        ls_history_add(isolate->heap, (struct ls_history_point){
                                          .time_s = now_s,
                                          .live_bytes = (float)isolate->settled->used_heap_bytes});
}

static void forget(struct isolate *isolate)
{
    struct isolate former = *isolate;

    *isolate = (struct isolate){0};
    drop_reading(isolate, former.last);
    if (former.settled != former.last)
        drop_reading(isolate, former.settled);
    if (former.heap != NULL)
        ls_memory_own_free(former.heap, sizeof(*former.heap));
}

static struct ls_site *site_of(const struct ls_js_site *source)
{
    return ls_site_table_obtain(&ls_ledger.sites, LS_RESOURCE_JS, source->function->key);
}

/* `former_ns`: the isolate's reading before, or the start of sampling. */
static void weigh(const struct ls_js_reading *reading, uint64_t former_ns)
{
    for (size_t i = 0; i < reading->site_count; i++) {
        struct ls_site *site = site_of(&reading->sites[i]);

        if (site == NULL || site->overflow)
            continue;
        ls_js_evidence_seen(site, former_ns, reading->taken_ns);
        ls_js_evidence_caller(site, &reading->sites[i]);
        if (reading->after_major_gc)
            ls_js_evidence_reading(site, reading, &reading->sites[i]);
    }
}

static void take_readings(void)
{
    struct ls_js_reading *reading;
    uint64_t ended[64];
    size_t count;

    while ((reading = ls_v8_take_reading()) != NULL) {
        struct isolate *isolate = isolate_of(reading->isolate);
        uint64_t former_ns;

        if (isolate == NULL) {
            ls_v8_reading_free(reading);
            continue;
        }
        former_ns = isolate->last != NULL ? isolate->last->taken_ns : reading->sampling_since_ns;
        keep_reading(isolate, reading);
        weigh(reading, former_ns);
    }
    while ((count = ls_v8_take_ended(ended, 64)) > 0) {
        for (size_t i = 0; i < count; i++) {
            struct isolate *isolate = isolate_of(ended[i]);

            if (isolate != NULL)
                forget(isolate);
        }
    }
}

/* The stack may change from reading to reading; the array is made once, for the longest. */
static void name_frames(struct ls_site *site, const struct ls_js_site *source)
{
    const size_t bytes = LS_JS_STACK_MAX * sizeof(struct ls_named_frame);
    struct ls_named_frame *frames;

    if (site->named_frames == NULL)
        site->named_frames = ls_memory_own_allocate(bytes);
    frames = site->named_frames;
    if (frames == NULL)
        return;
    site->named_frame_count = source->stack_length;
    for (uint32_t i = 0; i < source->stack_length; i++) {
        frames[i] = (struct ls_named_frame){
            .function = source->stack[i]->name,
            .file = source->stack[i]->script,
            .line = source->stack[i]->line,
        };
        if (source->stack[i] == source->function)
            site->named_frame = i;
    }
}

static void add_reading(const struct ls_js_reading *reading)
{
    for (size_t i = 0; i < reading->site_count; i++) {
        const struct ls_js_site *source = &reading->sites[i];
        struct ls_site *site = site_of(source);

        if (site == NULL)
            continue;
        if (site->reading != round_number)
            site->tally = (struct ls_tally){0};
        site->reading = round_number;
        site->tally.live_bytes += source->live_bytes;
        site->tally.live_count += source->live_count;
        site->tally.variance_bytes += source->variance_bytes;
        name_frames(site, source);
    }
}

static void add_evidence(const struct ls_js_reading *reading)
{
    for (size_t i = 0; i < reading->site_count; i++) {
        const struct ls_site *site = site_of(&reading->sites[i]);

        if (site != NULL)
            ls_js_evidence_add(site, round_number, reading, &reading->sites[i]);
    }
}

/* What the settled readings of all isolates say of each site, as one point of its history. */
static void remember_settled(double now_s)
{
    round_number++;
    for (size_t i = 0; i < ISOLATES_MAX; i++) {
        if (isolates[i].settled == NULL)
            continue;
        add_reading(isolates[i].settled);
        add_evidence(isolates[i].settled);
        remember_heap(&isolates[i], now_s);
    }
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->resource != LS_RESOURCE_JS)
            continue;
        if (site->reading != round_number) {
            site->tally = (struct ls_tally){0};
            ls_js_evidence_absent(site);
        } else {
            ls_js_evidence_settled(site);
        }
        ls_judge_remember(site, now_s);
    }
}

void ls_js_sites_update(void)
{
    double now_s = ls_seconds_watched(ls_clock_monotonic_ns());

    settled_anew = false;
    collected_anew = false;
    take_readings();
    if (settled_anew)
        remember_settled(now_s);
    round_number++;
    for (size_t i = 0; i < ISOLATES_MAX; i++) {
        if (isolates[i].last == NULL)
            continue;
        add_reading(isolates[i].last);
        add_evidence(isolates[i].last);
    }
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->resource != LS_RESOURCE_JS)
            continue;
        if (site->reading == round_number)
            ls_js_evidence_read(site);
        else
            site->tally = (struct ls_tally){0};
        ls_site_note_peak_count(site);
    }
}

bool ls_js_sites_collected(void)
{
    return collected_anew;
}

/* An isolate whose heap after collections is known and has something of the site in it. */
static bool holds(const struct isolate *isolate, const struct ls_site *site)
{
    if (isolate->heap == NULL || isolate->heap->count == 0)
        return false;
    for (size_t i = 0; i < isolate->settled->site_count; i++) {
        if (isolate->settled->sites[i].function->key == site->id)
            return true;
    }
    return false;
}

double ls_js_sites_heap_since(const struct ls_site *site)
{
    double since_s = -1;

    for (size_t i = 0; i < ISOLATES_MAX; i++) {
        double first_s;

        if (!holds(&isolates[i], site))
            continue;
        first_s = ls_history_time(&isolates[i].heap->points[0]);
        if (since_s < 0 || first_s < since_s)
            since_s = first_s;
    }
    return since_s;
}

void ls_js_sites_heap_gain(const struct ls_site *site, double since_s, struct ls_whole_gain *gain)
{
    *gain = (struct ls_whole_gain){0};
    for (size_t i = 0; i < ISOLATES_MAX; i++) {
        if (holds(&isolates[i], site))
            ls_whole_add(gain, isolates[i].heap, since_s);
    }
}

bool ls_js_sites_readings(uint64_t number, const struct ls_js_reading **last,
                          const struct ls_js_reading **settled)
{
    for (size_t i = 0; i < ISOLATES_MAX; i++) {
        if (isolates[i].number != number)
            continue;
        *last = isolates[i].last;
        *settled = isolates[i].settled;
        return *last != NULL;
    }
    return false;
}

/* Whether the samples stand for more than is in use, and not by chance: V8 has counted something
 * twice (docs/limits.md). Garbage is in both. */
static bool exceeds_heap(const struct ls_js_reading *reading)
{
    double sampled = 0;
    double variance = 0;

    for (size_t i = 0; i < reading->site_count; i++) {
        sampled += reading->sites[i].live_bytes;
        variance += reading->sites[i].variance_bytes;
    }
    return reading->used_heap_bytes > 0 &&
           sampled > EXCESS_RATIO * (double)reading->used_heap_bytes +
                         EXCESS_SCORE * ls_math_sqrt(variance);
}

void ls_js_sites_totals(struct ls_js_totals *totals)
{
    double fullest = -1;

    *totals = (struct ls_js_totals){0};
    for (size_t i = 0; i < ISOLATES_MAX; i++) {
        const struct ls_js_reading *reading = isolates[i].last;
        double share;

        if (reading == NULL)
            continue;
        totals->isolates++;
        totals->exceeds_heap |= exceeds_heap(reading);
        totals->used_heap_bytes += (double)reading->used_heap_bytes;
        totals->total_heap_bytes += (double)reading->total_heap_bytes;
        totals->external_bytes += (double)reading->external_bytes;
        share = reading->heap_limit_bytes == 0
                    ? 0
                    : (double)reading->used_heap_bytes / (double)reading->heap_limit_bytes;
        if (share > fullest) {
            fullest = share;
            totals->fullest_limit_bytes = (double)reading->heap_limit_bytes;
            totals->fullest_heap = isolates[i].heap;
            if (isolates[i].settled != NULL)
                reading = isolates[i].settled;
            totals->fullest_used_bytes = (double)reading->used_heap_bytes;
            totals->fullest_used_at_s = ls_seconds_watched(reading->taken_ns);
        }
    }
}
