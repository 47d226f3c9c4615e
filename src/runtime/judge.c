/*
 * From live figures to verdicts: adds this moment to every site's history, asks src/trend for each
 * site and for the process, and finds the limit that is reached first.
 */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "ledger/ledger.h"
#include "runtime/js_evidence.h"
#include "runtime/site_ages.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/process.h"
#include "trend/episode.h"

/* What is read once for a whole judgement. */
struct moment {
    double now_s;
    struct ls_process_memory memory;
    struct ls_js_totals js;
    double js_limit_bytes; /* of V8's fullest heap */
};

struct judged {
    struct ls_trend_verdict verdict;
    struct ls_trend_episode episode;
};

/* Like the first sites, there whatever memory is left. */
static struct judged first_judged[LS_SITES_PER_CHUNK];
static struct judged *judged[LS_SITE_CHUNKS_MAX] = {first_judged};
static struct ls_history resident_history;
static struct ls_history address_history;
static struct ls_history group_history;
static struct ls_history v8_heap_history;
static double last_judged_s;
static struct ls_judgement last_judgement;

/* JavaScript that cannot be judged yet and holds this share of what is resident keeps the process
 * from being called clean. */
#define UNJUDGED_SHARE 0.1
#define KIND_SHARE     8
/* Of its limit in use after a collection: from here on V8 collects often. */
#define FULL_SHARE 0.75

static double seconds(uint64_t ns)
{
    return (double)ns / (double)LS_NS_PER_S;
}

static struct judged *place_of(const struct ls_site *site)
{
    struct judged **chunk = &judged[site->index / LS_SITES_PER_CHUNK];

    if (*chunk == NULL)
        *chunk = ls_memory_own_allocate(LS_SITES_PER_CHUNK * sizeof(**chunk));
    return *chunk == NULL ? NULL : &(*chunk)[site->index % LS_SITES_PER_CHUNK];
}

const struct ls_trend_verdict *ls_judge_site(const struct ls_site *site)
{
    static const struct ls_trend_verdict learning = {.verdict = LS_VERDICT_LEARNING};
    const struct judged *place = place_of(site);

    return place == NULL ? &learning : &place->verdict;
}

void ls_judge_remember(struct ls_site *site, double now_s)
{
    struct ls_history_point point = {
        .time_s = now_s,
        .live_bytes = (float)site->tally.live_bytes,
        .live_count = (float)site->tally.live_count,
        .error_bytes = (float)ls_math_sqrt(site->tally.variance_bytes),
    };

    if (site->history.count == 0) {
        site->first_seen_s = now_s;
        /* It held nothing when the others were last looked at. */
        if (last_judged_s > 0)
            ls_history_add(&site->history, (struct ls_history_point){.time_s = last_judged_s});
    }
    ls_history_add(&site->history, point);
}

static void remember_bytes(struct ls_history *history, double now_s, double bytes)
{
    ls_history_add(history, (struct ls_history_point){.time_s = now_s, .live_bytes = (float)bytes});
}

static size_t points_of(const struct ls_history *history, struct ls_trend_point *points)
{
    for (uint32_t i = 0; i < history->count; i++) {
        points[i] = (struct ls_trend_point){
            .time_s = ls_history_time(&history->points[i]),
            .live_bytes = history->points[i].live_bytes,
            .live_count = history->points[i].live_count,
            .error_bytes = history->points[i].error_bytes,
        };
    }
    return history->count;
}

/* Growth of V8's own is that of its heap, which is judged by who fills it. */
static void withhold(const struct ls_site *site, const struct moment *moment,
                     struct ls_trend_verdict *verdict)
{
    if (verdict->verdict != LS_VERDICT_RISING)
        return;
    if (site->origin >= LS_SITE_ENGINE_HEAP)
        verdict->verdict = LS_VERDICT_STEADY;
    else if (moment->js.isolates > 0 && ls_engine_code_owns(site->module) &&
             !ls_js_held_may_rise(site, verdict, moment->now_s, ls_interval_s()))
        verdict->verdict = LS_VERDICT_LEARNING;
    if (verdict->verdict != LS_VERDICT_RISING)
        verdict->confidence = 0;
}

/* The option is what people set and what V8 stops at; the limit V8 tells has its young generation
 * in, several times. 0 without the option. */
static double old_space_option(const char *options)
{
    static const char *const names[] = {"--max-old-space-size=", "--max_old_space_size="};
    double megabytes = 0;

    for (size_t i = 0; options != NULL && i < 2; i++) {
        const char *found = strstr(options, names[i]);

        if (found == NULL)
            continue;
        for (found += strlen(names[i]); *found >= '0' && *found <= '9'; found++)
            megabytes = megabytes * 10 + (*found - '0');
        break;
    }
    return megabytes * 1024 * 1024;
}

static double js_heap_limit(const struct ls_js_totals *js)
{
    double limit = old_space_option(ls_runtime.command);

    if (limit == 0)
        limit = old_space_option(getenv("NODE_OPTIONS"));
    return limit > 0 && limit < js->fullest_limit_bytes ? limit : js->fullest_limit_bytes;
}

/* What is full cannot show a rise any more: V8 collects again and again, and the program stands. */
static bool heap_is_full(const struct moment *moment)
{
    return moment->js.isolates > 0 &&
           moment->js.fullest_used_bytes >= FULL_SHARE * moment->js_limit_bytes;
}

static void judge_site(const struct ls_site *site, const struct moment *moment,
                       unsigned sites_tested)
{
    struct ls_trend_point points[LS_HISTORY_POINTS];
    struct judged *place = place_of(site);
    struct ls_trend_ages ages;
    bool was_rising;
    struct ls_trend_series series = {
        .points = points,
        .count = points_of(&site->history, points),
        .step_s = ls_interval_s(),
        .interval_s = ls_interval_s(),
        .warmup_s = 0,
        .process_bytes = (double)moment->memory.resident_bytes,
        .sites_tested = sites_tested,
        .count_only = ls_site_is_counted(site),
    };

    if (place == NULL)
        return;
    was_rising = place->verdict.verdict == LS_VERDICT_RISING;
    series.was_settling = place->verdict.verdict == LS_VERDICT_SETTLING;
    if (ls_site_ages_of(site, &ages))
        series.ages = &ages;
    ls_trend_judge(&series, &place->verdict);
    withhold(site, moment, &place->verdict);
    if (site->resource == LS_RESOURCE_JS)
        ls_js_judge_site(site, sites_tested, &place->verdict);
    if (site->resource == LS_RESOURCE_JS && was_rising &&
        place->verdict.verdict == LS_VERDICT_SETTLING && heap_is_full(moment))
        place->verdict.verdict = LS_VERDICT_RISING;
    ls_trend_episode_follow(&place->episode, &series, &place->verdict);
}

static void add_up_episode(const struct ls_site *site, double now_s, struct ls_judgement *judgement)
{
    const struct judged *place = place_of(site);
    const struct ls_trend_episode *episode;

    if (place == NULL)
        return;
    episode = &place->episode;
    if (!ls_trend_episode_is_recent(episode, now_s, ls_interval_s()))
        return;
    judgement->kept_sites += episode->state == LS_EPISODE_KEPT;
    if (episode->state != LS_EPISODE_DRAINED)
        return;
    judgement->drained_sites++;
    if (episode->ended_s - episode->began_s > judgement->rose_s)
        judgement->rose_s = episode->ended_s - episode->began_s;
}

static void add_up(const struct ls_site *site, struct ls_judgement *judgement,
                   double *tracked_bytes_per_s)
{
    const struct ls_trend_verdict *verdict = ls_judge_site(site);
    /* What a custom resource holds is counted where its memory comes from. */
    double bytes_per_s = site->resource == LS_RESOURCE_CUSTOM ? 0 : verdict->growth_bytes_per_s;
    /* The error of a resource without a size is one of its number. */
    double error = bytes_per_s > 0 ? verdict->growth_error_per_s : 0;
    double variance = error * error;

    /* V8's heap is taken as a whole: what it keeps for itself grows with it. */
    if (site->resource != LS_RESOURCE_JS)
        *tracked_bytes_per_s += bytes_per_s;
    /* A native site that is learning but told to grow waits for V8 to collect. */
    if (verdict->verdict == LS_VERDICT_LEARNING &&
        (site->resource == LS_RESOURCE_JS || verdict->growth_bytes_per_s > 0))
        judgement->learning_js_bytes += site->tally.live_bytes;
    if (site->resource == LS_RESOURCE_HEAP)
        judgement->live_heap_bytes += site->tally.live_bytes;
    if (verdict->verdict != LS_VERDICT_RISING)
        return;
    if (judgement->rising_sites == 0 || bytes_per_s > judgement->fastest_bytes_per_s) {
        judgement->fastest_bytes_per_s = bytes_per_s;
        judgement->rising_since_s = verdict->window_start_s;
    }
    judgement->rising_sites++;
    judgement->rising_bytes_per_s += bytes_per_s;
    judgement->rising_variance += variance;
    if (site->resource == LS_RESOURCE_JS) {
        judgement->rising_js_bytes_per_s += bytes_per_s;
        judgement->rising_js_variance += variance;
    }
}

/* Takes the limit if it is reached before the one held. */
static void take_nearer(const struct ls_trend_limit *limit, const char *source,
                        const struct ls_trend_process_verdict *answer,
                        struct ls_judgement *judgement)
{
    const struct ls_trend_process_verdict *best = &judgement->process;
    bool first = judgement->limit_bytes == 0;

    if (first ||
        (answer->seconds_to_limit >= 0 &&
         (best->seconds_to_limit < 0 || answer->seconds_to_limit < best->seconds_to_limit)) ||
        (answer->seconds_to_limit < 0 && best->seconds_to_limit < 0 &&
         limit->limit_bytes - limit->used_bytes < judgement->limit_bytes - judgement->rss_bytes)) {
        judgement->process = *answer;
        judgement->limit_bytes = limit->limit_bytes;
        judgement->limit_source = source;
    }
}

/* `used` is the history of what counts against the limit, NULL when none is known. */
static void consider(const struct ls_trend_limit *limit, const char *source,
                     const struct ls_history *used, const struct ls_trend_process *process,
                     struct ls_judgement *judgement)
{
    struct ls_trend_point points[LS_HISTORY_POINTS];
    struct ls_trend_process_verdict answer = judgement->process;
    struct ls_trend_limit question = *limit;

    if (limit->limit_bytes <= 0)
        return;
    if (used != NULL) {
        question.used = points;
        question.count = points_of(used, points);
    }
    ls_trend_forecast(process, &question, &answer);
    take_nearer(limit, source, &answer, judgement);
}

/* Slope of V8's committed heap, up to the summary before this one. */
static double v8_heap_growth(const struct ls_js_totals *js, double now_s)
{
    struct ls_trend_point points[LS_HISTORY_POINTS];
    size_t count = points_of(&v8_heap_history, points);

    if (js->isolates == 0)
        return 0;
    remember_bytes(&v8_heap_history, now_s, js->total_heap_bytes);
    return ls_trend_recent_slope(points, count, count);
}

/* Each limit counts something else: a control group what all its processes hold, RLIMIT_AS
 * addresses, V8 what is in use in its heap once garbage is gone. */
static void consider_limits(const struct moment *moment, const struct ls_trend_process *process,
                            struct ls_judgement *judgement)
{
    const struct ls_js_totals *js = &moment->js;
    uint64_t held_bytes;
    struct ls_trend_limit group = {
        .used_bytes = judgement->rss_bytes,
        .limit_bytes = (double)ls_process_cgroup_limit(&held_bytes),
        .rising_bytes_per_s = process->rising_bytes_per_s,
        .rising_error_per_s = process->rising_error_per_s,
        .rising_sites = process->rising_sites,
    };
    struct ls_trend_limit addresses = group;
    struct ls_trend_limit heap = {
        .used_bytes = js->fullest_used_bytes,
        .used_age_s = moment->now_s - js->fullest_used_at_s,
        .rising_bytes_per_s = judgement->rising_js_bytes_per_s,
        .rising_error_per_s = ls_math_sqrt(judgement->rising_js_variance),
        .rising_sites = judgement->rising_js_bytes_per_s > 0,
        .after_collections = true,
    };

    addresses.used_bytes = (double)moment->memory.virtual_bytes;
    addresses.limit_bytes = (double)ls_process_address_limit();
    if (held_bytes > 0) {
        group.used_bytes = (double)held_bytes;
        remember_bytes(&group_history, moment->now_s, (double)held_bytes);
    }
    consider(&group, "cgroup", held_bytes > 0 ? &group_history : &resident_history, process,
             judgement);
    consider(&addresses, "rlimit", &address_history, process, judgement);
    if (js->isolates == 0)
        return;
    heap.limit_bytes = moment->js_limit_bytes;
    consider(&heap, "v8", js->fullest_heap, process, judgement);
}

static void judge_process(const struct moment *moment, double tracked_bytes_per_s,
                          struct ls_judgement *judgement)
{
    const struct ls_js_totals *js = &moment->js;
    struct ls_trend_point points[LS_HISTORY_POINTS];
    struct ls_trend_process process = {
        .resident = points,
        .count = points_of(&resident_history, points),
        .step_s = ls_interval_s(),
        .interval_s = ls_interval_s(),
        .rising_bytes_per_s = judgement->rising_bytes_per_s,
        .rising_error_per_s = ls_math_sqrt(judgement->rising_variance),
        .rising_since_s = judgement->rising_since_s,
        .tracked_bytes_per_s = tracked_bytes_per_s,
        .rising_sites = judgement->rising_sites,
        .drained_sites = judgement->drained_sites,
        .kept_sites = judgement->kept_sites,
        .resident_bytes = judgement->rss_bytes,
    };

    process.tracked_bytes_per_s += v8_heap_growth(js, moment->now_s);
    judgement->v8_heap_bytes = js->isolates > 0 ? js->total_heap_bytes : -1;
    ls_trend_judge_process(&process, &judgement->process);
    consider_limits(moment, &process, judgement);
    if (judgement->process.state != LS_PROCESS_LEAKING &&
        judgement->learning_js_bytes > UNJUDGED_SHARE * judgement->rss_bytes)
        judgement->process.state = LS_PROCESS_LEARNING;
}

/* Sites that hold anything, of each kind: those could be found rising. */
static unsigned look_over_sites(unsigned live[LS_RESOURCE_COUNT])
{
    unsigned all = 0;

    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        live[site->resource] += site->tally.live_count > 0;
        all += site->tally.live_count > 0;
        if (site->tally.live_bytes > site->peak_live_bytes)
            site->peak_live_bytes = site->tally.live_bytes;
    }
    return all;
}

/* How many tests the correction counts, at least 1. A kind of few sites, as threads are, need not
 * pay for the thousands of the heap: each has an eighth of the error that is allowed for all, where
 * that is more than its part of them. */
static unsigned tests_of(unsigned live_of_kind, unsigned live)
{
    unsigned tests = KIND_SHARE * live_of_kind < live ? KIND_SHARE * live_of_kind : live;

    return tests > 0 ? tests : 1;
}

static void remember_sites(double now_s)
{
    struct ls_release_fade fade;

    ls_release_fade_init(&fade, (now_s - last_judged_s) / ls_interval_s());
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->resource == LS_RESOURCE_JS) /* these have points of their own making */
            continue;
        ls_judge_remember(site, now_s);
        ls_release_ages_fade(&site->released, &fade);
    }
}

void ls_judge(uint64_t now_ns, bool final, struct ls_judgement *judgement)
{
    struct moment moment = {.now_s = seconds(now_ns - ls_runtime.watched_since_ns)};
    double tracked_bytes_per_s = 0;
    unsigned live_of_kind[LS_RESOURCE_COUNT] = {0};
    unsigned live = look_over_sites(live_of_kind);

    if (final && last_judged_s > 0) {
        *judgement = last_judgement;
        return;
    }
    *judgement = (struct ls_judgement){.limit_source = "none", .v8_heap_bytes = -1};
    ls_process_read_memory(&moment.memory);
    ls_js_sites_totals(&moment.js);
    moment.js_limit_bytes = js_heap_limit(&moment.js);
    judgement->js_exceeds_heap = moment.js.exceeds_heap;
    judgement->rss_bytes = (double)moment.memory.resident_bytes;
    judgement->file_bytes = (double)moment.memory.resident_file_bytes;
    remember_bytes(&resident_history, moment.now_s, judgement->rss_bytes);
    remember_bytes(&address_history, moment.now_s, (double)moment.memory.virtual_bytes);
    remember_sites(moment.now_s);
    if (ls_js_sites_collected())
        ls_js_held_collected(moment.now_s);
    ls_site_ages_take();
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        const struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        judge_site(site, &moment, tests_of(live_of_kind[site->resource], live));
        add_up(site, judgement, &tracked_bytes_per_s);
        add_up_episode(site, moment.now_s, judgement);
    }
    ls_site_ages_drop();
    judge_process(&moment, tracked_bytes_per_s, judgement);
    last_judged_s = moment.now_s;
    last_judgement = *judgement;
}

void ls_judge_after_fork(void)
{
    resident_history.count = 0;
    address_history.count = 0;
    group_history.count = 0;
    v8_heap_history.count = 0;
    ls_js_held_after_fork();
    ls_js_evidence_after_fork();
    last_judged_s = 0;
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);
        struct judged *place = place_of(site);

        if (place != NULL)
            place->episode = (struct ls_trend_episode){.state = LS_EPISODE_NONE};
        site->history.count = 0;
        site->released = (struct ls_release_ages){.watched = 0};
    }
}
