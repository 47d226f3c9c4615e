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
 * from have fallen by as much, or when it plainly has stopped since; and the dates' when the series
 * plainly fades.
 */
#include "base/math.h"
#include "ledger/ledger.h"
#include "runtime/js_evidence.h"
#include "runtime/runtime.h"
#include "system/clock.h"

/* The verdict stands for as long as later readings, garbage and all, show this share of the growth
 * told: collections may be far between. */
#define CONTINUING_SHARE 0.5
/* Points from which a series of readings is believed against their dates: a leak may begin late,
 * and the first of a few readings are of a program that warms up. */
#define SERIES_POINTS 12
/* Readings whose gaps say how far between they come at present. */
#define RECENT_POINTS 8
/* So long nothing is gained before it has stopped: what is in flight comes and goes meanwhile. */
#define STOPPED_INTERVALS 2.5
/* A fade is no fade when the heir gains this share of what the site used to. */
#define MOVED_SHARE 0.5

/* How sure: the chance that sampling alone shows such growth somewhere among the sites tested. */
static double confidence_of(const struct ls_js_evidence *evidence, unsigned sites_tested)
{
    double doubt =
        evidence->error_bytes_per_s > 0
            ? ls_math_normal_tail(evidence->kept_bytes_per_s / evidence->error_bytes_per_s) *
                  (double)sites_tested
            : 0;

    return doubt < 0.5 ? 1.0 - doubt : 0.5;
}

/* Whether a gain is less than the due share of so much growth a second, by more than sampling may
 * hide: two standard errors. */
static bool falls_short(double gain, double bytes_per_s, double since_s, double bytes_per_sample)
{
    double due = CONTINUING_SHARE * bytes_per_s * since_s;

    return gain + 2 * ls_math_sqrt(due * bytes_per_sample) < due;
}

static bool goes_on(const struct ls_js_evidence *evidence, const struct ls_site *site)
{
    double since_s = (double)(evidence->last_read_ns - evidence->measured_ns) / (double)LS_NS_PER_S;
    double gain = site->tally.live_bytes - evidence->measured_bytes;

    if (ls_js_evidence_heir_bytes(evidence) > evidence->heir_bytes)
        gain += ls_js_evidence_heir_bytes(evidence) - evidence->heir_bytes;
    return !falls_short(gain, evidence->kept_bytes_per_s, since_s, evidence->bytes_per_sample);
}

static double longest_gap_s(const struct ls_history *history)
{
    double longest_s = 0;
    uint32_t first = history->count > RECENT_POINTS ? history->count - RECENT_POINTS : 0;

    for (uint32_t i = first; i + 1 < history->count; i++) {
        double gap_s =
            ls_history_time(&history->points[i + 1]) - ls_history_time(&history->points[i]);

        if (gap_s > longest_s)
            longest_s = gap_s;
    }
    return longest_s;
}

/* By the last reading of any kind, with what the heir has gained since the last settled one. */
static double held_now(const struct ls_site *site, const struct ls_site *heir)
{
    double gain = heir == NULL || heir->history.count == 0
                      ? 0
                      : heir->tally.live_bytes -
                            (double)heir->history.points[heir->history.count - 1].live_bytes;

    return site->tally.live_bytes + (gain > 0 ? gain : 0);
}

/* A program that has come to rest collects nothing, and the last collection is no evidence for what
 * happens now. But what is read without one is no less than what lives, so a site that does not
 * gain even then, from where it last kept up on, rises no more. Nothing is known of the time since
 * the last reading: a heap that is full is collected again and again, and not read. Gaps as long as
 * those between the last collections say nothing: a load may come in bursts. */
static bool has_stopped(const struct ls_site *site, double bytes_per_s)
{
    struct ls_js_evidence *evidence = ls_js_evidence_of(site);
    const struct ls_history_point *last;
    double read_s;
    double held;
    double gain;

    if (evidence == NULL || site->history.count < 2)
        return false;
    last = &site->history.points[site->history.count - 1];
    if (!(last->live_bytes > 0))
        return false;
    read_s = ls_seconds_watched(evidence->last_read_ns);
    held = held_now(site, evidence->heir);
    if (evidence->kept_up_s < ls_history_time(last) || evidence->kept_up_s > read_s) {
        evidence->kept_up_s = ls_history_time(last);
        evidence->kept_up_bytes = (double)last->live_bytes;
    }
    gain = held - evidence->kept_up_bytes;
    if (gain >= bytes_per_s * (read_s - evidence->kept_up_s)) {
        evidence->kept_up_s = read_s;
        evidence->kept_up_bytes = held;
    }
    return read_s - ls_history_time(last) > longest_gap_s(&site->history) &&
           read_s - evidence->kept_up_s > STOPPED_INTERVALS * ls_interval_s() &&
           falls_short(gain, bytes_per_s, read_s - evidence->kept_up_s,
                       (double)last->error_bytes * (double)last->error_bytes /
                           (double)last->live_bytes);
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
    const struct ls_js_evidence *evidence = ls_js_evidence_of(site);
    bool is_short = site->history.count < SERIES_POINTS;
    bool fading;

    if (evidence == NULL)
        return;
    fading = evidence->fades || (verdict->verdict == LS_VERDICT_SETTLING && !is_short);
    if (fading && has_moved(site, evidence->heir))
        fading = false;
    /* A short series that rises while what is alive is of late only: a cache that has filled. */
    if (verdict->verdict == LS_VERDICT_RISING &&
        (fading || (evidence->sighted_after_s == 0 && is_short)))
        verdict->verdict = LS_VERDICT_SETTLING;
    if (!evidence->holds || !goes_on(evidence, site))
        return;
    if (verdict->verdict != LS_VERDICT_RISING)
        verdict->confidence = confidence_of(evidence, sites_tested);
    verdict->verdict = fading ? LS_VERDICT_SETTLING : LS_VERDICT_RISING;
    verdict->growth_bytes_per_s = evidence->kept_bytes_per_s;
    verdict->growth_error_per_s = evidence->error_bytes_per_s;
    verdict->window_start_s = evidence->window_start_s;
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
    if (verdict->verdict == LS_VERDICT_RISING &&
        (!is_in_the_heap(site) || has_stopped(site, verdict->growth_bytes_per_s)))
        verdict->verdict = LS_VERDICT_SETTLING;
}
