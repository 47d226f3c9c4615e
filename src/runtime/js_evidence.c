#include "runtime/js_evidence.h"

#include <string.h>

#include "base/math.h"
#include "ledger/ledger.h"
#include "runtime/runtime.h"
#include "system/clock.h"
#include "system/memory.h"
#include "v8/retention.h"

/* Loading the program is over: objects from before say nothing about growth. */
#define WARMUP_S     2.0
#define WARMUP_SHARE 0.1
/* A reading confirms one that had watched the site for a good part shorter, and has itself watched
 * it for some intervals: what filled up meanwhile, at start-up above all, is no longer even. */
#define CONFIRM_RATIO     1.75
#define CONFIRM_INTERVALS 3.5
/* By so many standard errors the site must have gained since before its window. */
#define GAIN_SCORE 4.0
/* From this share of what is allocated on its stacks of late, and below it at first, a function has
 * taken over from those inside of it. */
#define TAKEN_OVER_SHARE 0.5
/* The first of the two may rest on fewer samples than the second. */
#define SIGHTING_SAMPLES 6.0
#define SIGHTING_SHARE   (1.0 / 3)
/* What a leak kept is looked for when it is worth so many standard errors. */
#define GROWN_SCORE 1.5

static struct ls_js_evidence *evidences[LS_SITE_CHUNKS_MAX];

struct ls_js_evidence *ls_js_evidence_of(const struct ls_site *site)
{
    struct ls_js_evidence **chunk = &evidences[site->index / LS_SITES_PER_CHUNK];

    if (*chunk == NULL)
        *chunk = ls_memory_own_allocate(LS_SITES_PER_CHUNK * sizeof(**chunk));
    return *chunk == NULL ? NULL : &(*chunk)[site->index % LS_SITES_PER_CHUNK];
}

void ls_js_evidence_seen(const struct ls_site *site, uint64_t absent_ns, uint64_t taken_ns)
{
    struct ls_js_evidence *evidence = ls_js_evidence_of(site);

    if (evidence == NULL)
        return;
    if (taken_ns > evidence->last_read_ns)
        evidence->last_read_ns = taken_ns;
    if (evidence->first_live_ns == 0)
        evidence->first_live_ns = absent_ns + (taken_ns - absent_ns) / 2;
}

double ls_js_evidence_heir_bytes(const struct ls_js_evidence *evidence)
{
    return evidence->heir == NULL ? 0 : evidence->heir->tally.live_bytes;
}

/* From the start of sampling to where the site's window starts. */
static double warmup_of(const struct ls_js_reading *reading, const struct ls_js_evidence *evidence)
{
    double total_s = (double)(reading->taken_ns - reading->sampling_since_ns) / (double)LS_NS_PER_S;
    double warmup_s = total_s * WARMUP_SHARE < WARMUP_S ? total_s * WARMUP_SHARE : WARMUP_S;
    double before_s = 0;

    if (evidence->first_live_ns > reading->sampling_since_ns)
        before_s =
            (double)(evidence->first_live_ns - reading->sampling_since_ns) / (double)LS_NS_PER_S;
    return before_s > warmup_s ? before_s : warmup_s;
}

static bool looks_even(const struct ls_v8_retention *retention)
{
    double total = 0;

    for (size_t i = 0; i < LS_V8_RETENTION_PARTS; i++)
        total += retention->part_bytes[i];
    for (size_t i = 0; i < LS_V8_RETENTION_PARTS; i++) {
        if (retention->part_bytes[i] < SIGHTING_SHARE * total / LS_V8_RETENTION_PARTS)
            return false;
    }
    return retention->samples >= SIGHTING_SAMPLES;
}

static bool is_confirmed(const struct ls_js_evidence *evidence,
                         const struct ls_v8_retention *retention)
{
    return retention->even && retention->window_s >= CONFIRM_INTERVALS * ls_interval_s() &&
           retention->window_s >= CONFIRM_RATIO * evidence->sighted_after_s;
}

/* The site with all that was allocated on stacks through its function. A sample stands for as much
 * as in the site itself. */
static struct ls_js_site inclusive_site(const struct ls_js_site *source)
{
    struct ls_js_site inclusive = *source;
    double share = source->inclusive_bytes / source->live_bytes;

    inclusive.age_bytes = source->inclusive_age_bytes;
    inclusive.live_bytes = source->inclusive_bytes;
    inclusive.live_count = source->live_count * share;
    inclusive.variance_bytes = source->variance_bytes * share;
    return inclusive;
}

static struct ls_js_evidence *evidence_of_inner(const struct ls_js_site *source)
{
    const struct ls_site *inner;

    if (source->inner == NULL || source->live_bytes <= 0)
        return NULL;
    inner = ls_site_table_find(&ls_ledger.sites, LS_RESOURCE_JS, source->inner->key);
    return inner == NULL ? NULL : ls_js_evidence_of(inner);
}

/* Whether the function allocates by itself, of late, what those inside of it did at first. */
static bool takes_over(const struct ls_js_reading *reading, const struct ls_js_site *source,
                       const struct ls_js_evidence *inner)
{
    const struct ls_js_site inclusive = inclusive_site(source);
    double warmup_s = warmup_of(reading, inner);
    const size_t last = LS_V8_RETENTION_PARTS - 1;
    struct ls_v8_retention own;
    struct ls_v8_retention all;

    return ls_v8_retention_measure(reading, source, warmup_s, &own) &&
           ls_v8_retention_measure(reading, &inclusive, warmup_s, &all) &&
           own.part_bytes[last] >= TAKEN_OVER_SHARE * all.part_bytes[last] &&
           own.part_bytes[0] < TAKEN_OVER_SHARE * all.part_bytes[0];
}

static void inherit(struct ls_js_evidence *evidence, const struct ls_js_evidence *inner,
                    uint64_t now_ns)
{
    bool judged_already = inner->measured_ns == now_ns;

    evidence->has_taken_over = true;
    evidence->first_live_ns = inner->first_live_ns;
    evidence->sighted_after_s = judged_already ? inner->sighted_before_s : inner->sighted_after_s;
    evidence->holds = judged_already ? inner->held_before : inner->holds;
}

/* Some heaps are collected many times a second: what grows is to have grown by more than sampling
 * hides. Where all but a part of a site comes and goes, that takes many readings. */
static bool may_have_grown(const struct ls_js_evidence *evidence, const struct ls_js_site *source,
                           uint64_t now_ns)
{
    double since_s = (double)(now_ns - evidence->inclusive_ns) / (double)LS_NS_PER_S;
    double expected = evidence->kept_bytes_per_s * since_s;

    return now_ns - evidence->inclusive_ns >= ls_runtime.options.interval_ns &&
           expected * expected >=
               GROWN_SCORE * GROWN_SCORE * 2 * source->inclusive_bytes * evidence->bytes_per_sample;
}

static void watch_inclusive(struct ls_js_evidence *evidence, const struct ls_js_site *source,
                            uint64_t now_ns)
{
    if (evidence->inclusive_ns != 0 && !may_have_grown(evidence, source, now_ns))
        return;
    evidence->stands_still = source->inclusive_bytes <= evidence->inclusive_bytes;
    evidence->inclusive_bytes = source->inclusive_bytes;
    evidence->inclusive_ns = now_ns;
}

/* What came since the base and what went are counts of samples. Of a full cache that turns over
 * slowly, too, what is allocated stays evenly, and takes the place of what goes. */
static bool has_gained(const struct ls_js_evidence *evidence, const struct ls_js_base *base,
                       const struct ls_js_base *now)
{
    double since_s =
        base->time_s > evidence->window_start_s ? base->time_s : evidence->window_start_s;
    double came = evidence->kept_bytes_per_s * (now->time_s - since_s);
    double gain = evidence->has_taken_over ? now->inclusive_bytes - base->inclusive_bytes
                                           : now->own_bytes - base->own_bytes;
    double left = came > gain ? came - gain : 0;

    /* What is gained beyond what came and is kept is in flight. */
    if (gain > came)
        gain = came;
    return base->time_s > 0 && gain > 0 &&
           gain >= GAIN_SCORE * ls_math_sqrt((came + left) * evidence->bytes_per_sample);
}

static struct ls_js_base held_in_round(const struct ls_js_evidence *evidence,
                                       const struct ls_site *site)
{
    return (struct ls_js_base){
        .time_s = ls_seconds_watched(evidence->earliest_ns),
        .own_bytes = site->tally.live_bytes,
        .inclusive_bytes = evidence->inclusive_sum,
    };
}

void ls_js_evidence_add(const struct ls_site *site, uint64_t round,
                        const struct ls_js_reading *reading, const struct ls_js_site *source)
{
    struct ls_js_evidence *evidence = ls_js_evidence_of(site);

    if (evidence == NULL)
        return;
    if (evidence->round != round) {
        evidence->inclusive_sum = 0;
        evidence->earliest_ns = reading->taken_ns;
    }
    if (reading->taken_ns < evidence->earliest_ns)
        evidence->earliest_ns = reading->taken_ns;
    evidence->round = round;
    evidence->inclusive_sum += source->inclusive_bytes;
}

void ls_js_evidence_read(const struct ls_site *site)
{
    struct ls_js_evidence *evidence = ls_js_evidence_of(site);
    struct ls_js_base now;

    if (evidence == NULL)
        return;
    now = held_in_round(evidence, site);
    if (evidence->first.time_s == 0 ||
        now.time_s <= ls_seconds_watched(evidence->first_live_ns) + WARMUP_S)
        evidence->first = now;
}

void ls_js_evidence_settled(const struct ls_site *site)
{
    struct ls_js_evidence *evidence = ls_js_evidence_of(site);
    struct ls_js_base now;

    if (evidence == NULL)
        return;
    now = held_in_round(evidence, site);
    if (evidence->first_settled.time_s < evidence->window_start_s)
        evidence->first_settled.time_s = 0;
    if (evidence->confirmed && (has_gained(evidence, &evidence->first, &now) ||
                                has_gained(evidence, &evidence->first_settled, &now)))
        evidence->holds = true;
    if (evidence->first_settled.time_s == 0)
        evidence->first_settled = now;
}

void ls_js_evidence_reading(const struct ls_site *site, const struct ls_js_reading *reading,
                            const struct ls_js_site *source)
{
    struct ls_js_evidence *evidence = ls_js_evidence_of(site);
    const struct ls_js_evidence *inner = evidence_of_inner(source);
    struct ls_js_site judged = *source;
    struct ls_v8_retention retention;

    if (evidence == NULL)
        return;
    evidence->sighted_before_s = evidence->sighted_after_s;
    evidence->held_before = evidence->holds;
    if (inner != NULL && inner->first_live_ns != 0 && takes_over(reading, source, inner)) {
        judged = inclusive_site(source);
        if (!evidence->has_taken_over)
            inherit(evidence, inner, reading->taken_ns);
    }
    if (!ls_v8_retention_measure(reading, &judged, warmup_of(reading, evidence), &retention))
        return;
    /* Optimised code moves bytes to the caller it was inlined into; what is on the stack below a
     * function grows only with a leak. */
    watch_inclusive(evidence, source, reading->taken_ns);
    evidence->measured_ns = reading->taken_ns;
    evidence->window_start_s = ls_seconds_watched(reading->taken_ns) - retention.window_s;
    evidence->measured_bytes = source->live_bytes;
    evidence->heir_bytes = ls_js_evidence_heir_bytes(evidence);
    evidence->bytes_per_sample =
        retention.samples > 0 ? retention.kept_bytes_per_s * retention.window_s / retention.samples
                              : 0;
    evidence->fades = retention.fades;
    evidence->kept_bytes_per_s = retention.kept_bytes_per_s;
    evidence->error_bytes_per_s = retention.error_bytes_per_s;
    evidence->bytes_per_object =
        source->live_count > 0 ? source->live_bytes / source->live_count : 0;
    if (!looks_even(&retention) || evidence->stands_still) {
        evidence->sighted_after_s = 0;
        evidence->confirmed = false;
        evidence->holds = false;
        return;
    }
    if (evidence->sighted_after_s == 0)
        evidence->sighted_after_s = retention.window_s;
    evidence->confirmed = is_confirmed(evidence, &retention);
}

void ls_js_evidence_caller(const struct ls_site *site, const struct ls_js_site *source)
{
    struct ls_js_evidence *inner = evidence_of_inner(source);

    if (inner == NULL || inner->heir == site)
        return;
    if (inner->heir == NULL || inner->heir->tally.live_bytes < source->live_bytes) {
        inner->heir = site;
        inner->heir_bytes = site->tally.live_bytes;
    }
}

void ls_js_evidence_absent(const struct ls_site *site)
{
    struct ls_js_evidence *evidence = ls_js_evidence_of(site);

    if (evidence != NULL)
        *evidence = (struct ls_js_evidence){.first_live_ns = evidence->first_live_ns};
}

void ls_js_evidence_after_fork(void)
{
    for (size_t i = 0; i < LS_SITE_CHUNKS_MAX; i++) {
        if (evidences[i] != NULL)
            memset(evidences[i], 0, LS_SITES_PER_CHUNK * sizeof(*evidences[i]));
    }
}
