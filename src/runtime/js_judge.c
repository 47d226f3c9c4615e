/*
 * The verdict of JavaScript sites.
 *
 * Between two major collections dead objects count as live and a healthy cache rises like a leak,
 * so only readings made right after one are judged (docs/v8.md has the measurements). They are few:
 * a busy server has one every few seconds, a calm one a few in a minute. So two questions are asked
 * of them, and a yes to either is `rising`:
 *
 *   - Does the series of such readings rise, as for any other site?
 *   - Do the dates of what is alive say that what is allocated stays, evenly since the start; and
 * did a reading some time before say so too? A cache that is filling looks like that until it is
 *     full, and no longer; at one reading nobody can tell.
 *
 * Either is withdrawn when the heap itself has not risen, or the functions that the site takes over
 * from have fallen by as much; and the dates' when the series plainly fades.
 *
 * When V8 compiles a leaking function into its caller, the one holds what was allocated before, the
 * other what comes since, and neither alone looks like a leak: the caller then is judged by the
 * dates of both, and goes on with what was known of the one inside.
 */
#include "runtime/runtime.h"

#include "base/math.h"
#include "ledger/ledger.h"
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
/* The verdict stands for as long as later readings, garbage and all, show this share of the growth
 * told: collections may be far between. */
#define CONTINUING_SHARE 0.5
/* From this share of what is allocated on its stacks of late, and below it at first, a function has
 * taken over from those inside of it. */
#define TAKEN_OVER_SHARE 0.5
/* Points from which a series of readings is believed against their dates: a leak may begin late. */
#define SERIES_POINTS 12
/* The first of the two may rest on fewer samples than the second. */
#define SIGHTING_SAMPLES 6.0
#define SIGHTING_SHARE   (1.0 / 3)
/* What a leak kept is looked for when it is worth so many standard errors. */
#define GROWN_SCORE 1.5
/* A fade is no fade when the heir gains this share of what the site used to. */
#define MOVED_SHARE 0.5

struct evidence {
    uint64_t first_live_ns; /* about when it first held anything; 0: it has not yet */
    uint64_t last_read_ns;  /* last reading of any kind that had it */
    uint64_t measured_ns;   /* the last measured reading */
    double measured_bytes;  /* live then */
    double sighted_after_s; /* time watched at the first of the unbroken row of readings that look
                               even; 0: none */
    /* At a measured reading an interval ago or more, and whether it had grown by then. */
    double inclusive_bytes;
    uint64_t inclusive_ns;
    bool stands_still;
    double kept_bytes_per_s;
    double error_bytes_per_s;
    double bytes_per_object;
    double bytes_per_sample;
    bool fades; /* as of the last measured reading, what it keeps gets less and less */
    bool holds; /* evidence for a leak, as of the last measured reading */
    /* The two as they were before that reading, for who takes over from this function in it. */
    double sighted_before_s;
    bool held_before;
    bool has_taken_over; /* from a function that was compiled into it */
    /* The function that the most was allocated in further out on this one's stacks: it takes over
     * if this one is compiled into it. And what it held at the last measured reading. */
    const struct ls_site *heir;
    double heir_bytes;
};

static struct evidence *evidences[LS_SITE_CHUNKS_MAX];

static struct evidence *evidence_of(const struct ls_site *site)
{
    struct evidence **chunk = &evidences[site->index / LS_SITES_PER_CHUNK];

    if (*chunk == NULL)
        *chunk = ls_memory_own_allocate(LS_SITES_PER_CHUNK * sizeof(**chunk));
    return *chunk == NULL ? NULL : &(*chunk)[site->index % LS_SITES_PER_CHUNK];
}

void ls_js_judge_seen(const struct ls_site *site, uint64_t absent_ns, uint64_t taken_ns)
{
    struct evidence *evidence = evidence_of(site);

    if (evidence == NULL)
        return;
    if (taken_ns > evidence->last_read_ns)
        evidence->last_read_ns = taken_ns;
    if (evidence->first_live_ns == 0)
        evidence->first_live_ns = absent_ns + (taken_ns - absent_ns) / 2;
}

static double heir_bytes(const struct evidence *evidence)
{
    return evidence->heir == NULL ? 0 : evidence->heir->tally.live_bytes;
}

/* From the start of sampling to where the site's window starts. */
static double warmup_of(const struct ls_js_reading *reading, const struct evidence *evidence)
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

static bool is_confirmed(const struct evidence *evidence, const struct ls_v8_retention *retention)
{
    double interval_s = (double)ls_runtime.options.interval_ns / (double)LS_NS_PER_S;

    return retention->even && retention->window_s >= CONFIRM_INTERVALS * interval_s &&
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

static struct evidence *evidence_of_inner(const struct ls_js_site *source)
{
    const struct ls_site *inner;

    if (source->inner == NULL || source->live_bytes <= 0)
        return NULL;
    inner = ls_site_table_find(&ls_ledger.sites, LS_RESOURCE_JS, source->inner->key);
    return inner == NULL ? NULL : evidence_of(inner);
}

/* Whether the function allocates by itself, of late, what those inside of it did at first. */
static bool takes_over(const struct ls_js_reading *reading, const struct ls_js_site *source,
                       const struct evidence *inner)
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

static void inherit(struct evidence *evidence, const struct evidence *inner, uint64_t now_ns)
{
    bool judged_already = inner->measured_ns == now_ns;

    evidence->has_taken_over = true;
    evidence->first_live_ns = inner->first_live_ns;
    evidence->sighted_after_s = judged_already ? inner->sighted_before_s : inner->sighted_after_s;
    evidence->holds = judged_already ? inner->held_before : inner->holds;
}

/* Some heaps are collected many times a second: what grows is to have grown by more than sampling
 * hides. Where all but a part of a site comes and goes, that takes many readings. */
static bool may_have_grown(const struct evidence *evidence, const struct ls_js_site *source,
                           uint64_t now_ns)
{
    double since_s = (double)(now_ns - evidence->inclusive_ns) / (double)LS_NS_PER_S;
    double expected = evidence->kept_bytes_per_s * since_s;

    return now_ns - evidence->inclusive_ns >= ls_runtime.options.interval_ns &&
           expected * expected >=
               GROWN_SCORE * GROWN_SCORE * 2 * source->inclusive_bytes * evidence->bytes_per_sample;
}

static void watch_inclusive(struct evidence *evidence, const struct ls_js_site *source,
                            uint64_t now_ns)
{
    if (evidence->inclusive_ns != 0 && !may_have_grown(evidence, source, now_ns))
        return;
    evidence->stands_still = source->inclusive_bytes <= evidence->inclusive_bytes;
    evidence->inclusive_bytes = source->inclusive_bytes;
    evidence->inclusive_ns = now_ns;
}

/* What the site held at the last of its readings before that time; 0 when there was none. */
static double bytes_before(const struct ls_site *site, double time_s)
{
    double bytes = 0;

    for (uint32_t i = 0; i < site->history.count; i++) {
        const struct ls_history_point *point = &site->history.points[i];

        if (ls_history_time(point) <= time_s)
            bytes = (double)point->live_bytes;
    }
    return bytes;
}

/* Whether the site holds more than before the window, by more than chance: of a full cache that
 * turns over slowly, too, what is allocated stays evenly, and takes the place of what goes. What
 * came and what went are counts of samples. */
static bool has_gained(const struct ls_site *site, const struct evidence *evidence,
                       const struct ls_js_reading *reading, double live_bytes, double window_s)
{
    double taken_s =
        (double)(reading->taken_ns - ls_runtime.watched_since_ns) / (double)LS_NS_PER_S;
    double gain = live_bytes - bytes_before(site, taken_s - window_s);
    double came = evidence->kept_bytes_per_s * window_s;
    double left = came > gain ? came - gain : 0;

    return gain >= GAIN_SCORE * ls_math_sqrt((came + left) * evidence->bytes_per_sample);
}

void ls_js_judge_reading(const struct ls_site *site, const struct ls_js_reading *reading,
                         const struct ls_js_site *source)
{
    struct evidence *evidence = evidence_of(site);
    const struct evidence *inner = evidence_of_inner(source);
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
    evidence->measured_bytes = source->live_bytes;
    evidence->heir_bytes = heir_bytes(evidence);
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
        evidence->holds = false;
        return;
    }
    if (evidence->sighted_after_s == 0)
        evidence->sighted_after_s = retention.window_s;
    evidence->holds = evidence->holds ||
                      (is_confirmed(evidence, &retention) &&
                       has_gained(site, evidence, reading, judged.live_bytes, retention.window_s));
}

void ls_js_judge_caller(const struct ls_site *site, const struct ls_js_site *source)
{
    struct evidence *inner = evidence_of_inner(source);

    if (inner == NULL || inner->heir == site)
        return;
    if (inner->heir == NULL || inner->heir->tally.live_bytes < source->live_bytes) {
        inner->heir = site;
        inner->heir_bytes = site->tally.live_bytes;
    }
}

/* How sure: the chance that sampling alone shows such growth somewhere among the sites tested. */
static double confidence_of(const struct evidence *evidence, unsigned sites_tested)
{
    double doubt =
        evidence->error_bytes_per_s > 0
            ? ls_math_normal_tail(evidence->kept_bytes_per_s / evidence->error_bytes_per_s) *
                  (double)sites_tested
            : 0;

    return doubt < 0.5 ? 1.0 - doubt : 0.5;
}

/* But for what sampling may hide: two standard errors. */
static bool goes_on(const struct evidence *evidence, const struct ls_site *site)
{
    double since_s = (double)(evidence->last_read_ns - evidence->measured_ns) / (double)LS_NS_PER_S;
    double expected = evidence->kept_bytes_per_s * since_s;
    double gain = site->tally.live_bytes - evidence->measured_bytes;

    if (heir_bytes(evidence) > evidence->heir_bytes)
        gain += heir_bytes(evidence) - evidence->heir_bytes;
    return gain + 2 * ls_math_sqrt(expected * evidence->bytes_per_sample) >=
           CONTINUING_SHARE * expected;
}

/* The last point of the series up to which it holds at most so much; else the first. */
static uint32_t point_below(const struct ls_history *history, uint32_t first, double bytes)
{
    uint32_t found = first;

    for (uint32_t i = first; i < history->count; i++) {
        if ((double)history->points[i].live_bytes <= bytes)
            found = i;
    }
    return found;
}

static uint32_t point_at(const struct ls_history *history, double time_s)
{
    uint32_t found = 0;

    while (found + 1 < history->count && ls_history_time(&history->points[found + 1]) <= time_s)
        found++;
    return found;
}

static double gain_since(const struct ls_history *history, uint32_t first)
{
    return (double)history->points[history->count - 1].live_bytes -
           (double)history->points[first].live_bytes;
}

/* From sampling, of gain_since. */
static double variance_since(const struct ls_history *history, uint32_t first)
{
    double before = (double)history->points[first].error_bytes;
    double after = (double)history->points[history->count - 1].error_bytes;

    return before * before + after * after;
}

/* The function that the site was or is being compiled into gains what the site used to. */
static bool has_moved(const struct ls_site *site, const struct ls_site *heir)
{
    const struct ls_history *history = &site->history;
    double last_s;
    double middle_s;

    if (heir == NULL || heir->history.count == 0 || history->count == 0)
        return false;
    last_s = ls_history_time(&history->points[history->count - 1]);
    middle_s = (ls_history_time(&history->points[0]) + last_s) / 2;
    return gain_since(&heir->history, point_at(&heir->history, middle_s)) >=
           MOVED_SHARE * ((double)history->points[point_at(history, middle_s)].live_bytes -
                          (double)history->points[0].live_bytes);
}

static void judge_evidence(const struct ls_site *site, unsigned sites_tested,
                           struct ls_trend_verdict *verdict)
{
    const struct evidence *evidence = evidence_of(site);
    bool fading;

    if (evidence == NULL)
        return;
    fading = verdict->verdict == LS_VERDICT_SETTLING || evidence->fades;
    if (fading && has_moved(site, evidence->heir))
        fading = false;
    /* A short series that rises while what is alive is of late only: a cache that has filled. */
    if (verdict->verdict == LS_VERDICT_RISING &&
        (fading || (evidence->sighted_after_s == 0 && site->history.count < SERIES_POINTS)))
        verdict->verdict = LS_VERDICT_SETTLING;
    if (!evidence->holds || !goes_on(evidence, site))
        return;
    if (verdict->verdict != LS_VERDICT_RISING)
        verdict->confidence = confidence_of(evidence, sites_tested);
    verdict->verdict = fading ? LS_VERDICT_SETTLING : LS_VERDICT_RISING;
    verdict->growth_bytes_per_s = evidence->kept_bytes_per_s;
    verdict->growth_error_per_s = evidence->error_bytes_per_s;
    verdict->growth_count_per_s = evidence->bytes_per_object > 0
                                      ? evidence->kept_bytes_per_s / evidence->bytes_per_object
                                      : 0;
}

static bool heap_lacks(const struct ls_site *site, uint32_t first, double since_s)
{
    double first_s = ls_history_time(&site->history.points[first]);
    struct ls_whole_gain gain;

    ls_js_sites_heap_gain(site, first_s > since_s ? first_s : since_s, &gain);
    return ls_whole_lacks(&gain, gain_since(&site->history, first),
                          variance_since(&site->history, first));
}

/* What a site gains is in the heap, or is no gain: optimised code moves bytes from one function to
 * another, and data that is made anew moves from who loaded it to who replaces it. The heap in use
 * after collections stands still then. The second half of the gain is looked at by itself too: the
 * first may fall into the time the program was loading. */
static bool is_in_the_heap(const struct ls_site *site)
{
    const struct ls_history *history = &site->history;
    double since_s = ls_js_sites_heap_since(site);
    uint32_t first;
    double half_bytes;

    if (history->count < 2 || since_s < 0)
        return true;
    first = point_at(history, since_s);
    half_bytes = (double)history->points[first].live_bytes + gain_since(history, first) / 2;
    return !heap_lacks(site, first, since_s) &&
           !heap_lacks(site, point_below(history, first, half_bytes), since_s);
}

void ls_js_judge_site(const struct ls_site *site, unsigned sites_tested,
                      struct ls_trend_verdict *verdict)
{
    judge_evidence(site, sites_tested, verdict);
    if (verdict->verdict == LS_VERDICT_RISING && !is_in_the_heap(site))
        verdict->verdict = LS_VERDICT_SETTLING;
}

void ls_js_judge_absent(const struct ls_site *site)
{
    struct evidence *evidence = evidence_of(site);

    if (evidence != NULL)
        *evidence = (struct evidence){.first_live_ns = evidence->first_live_ns};
}
