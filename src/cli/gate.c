#include "cli/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gate_message.h"

const struct ls_criteria ls_criteria_default = {
    .fail_on = 1U << LS_FAIL_ON_LEAKING,
    .resources = ~0U,
    .max_growth_bytes_per_s = -1,
    .max_live_bytes = -1,
    .baseline_margin = 0.5,
};

const char *const ls_fail_on_names[LS_FAIL_ON_COUNT] = {
    [LS_FAIL_ON_LEAKING] = "leaking",   [LS_FAIL_ON_FRAGMENTING] = "fragmenting",
    [LS_FAIL_ON_LEARNING] = "learning", [LS_FAIL_ON_DEGRADED] = "degraded",
    [LS_FAIL_ON_NONE] = "none",
};

const char *const ls_finding_names[LS_FINDING_KIND_COUNT] = {
    [LS_FINDING_RISING] = "rising-site",      [LS_FINDING_LIVE] = "live-above-limit",
    [LS_FINDING_TOGETHER] = "growth-in-sum",  [LS_FINDING_UNLISTED] = "unlisted-sites",
    [LS_FINDING_FRAGMENTING] = "fragmenting", [LS_FINDING_LEARNING] = "no-verdict",
    [LS_FINDING_DEGRADED] = "degraded",
};

const char *const ls_finding_meanings[LS_FINDING_KIND_COUNT] = {
    [LS_FINDING_RISING] = "What a callsite holds keeps growing.",
    [LS_FINDING_LIVE] = "A callsite holds more than --max-live allows.",
    [LS_FINDING_TOGETHER] = "Callsites that rise slowly grow faster in sum than --max-growth.",
    [LS_FINDING_UNLISTED] = "More callsites rise than the summary lists.",
    [LS_FINDING_FRAGMENTING] = "Resident memory grows while what is live does not.",
    [LS_FINDING_LEARNING] = "The run was too short for a verdict.",
    [LS_FINDING_DEGRADED] = "Part of the process was not tracked.",
};

const char *const ls_finding_state_names[4] = {"fails", "suppressed", "known", "tolerated"};

static bool has(unsigned set, unsigned bit)
{
    return (set & (1U << bit)) != 0;
}

static struct ls_finding *add(struct ls_gate_result *result, enum ls_finding_kind kind,
                              const struct ls_run *run, const struct ls_snapshot_site *site)
{
    struct ls_finding *findings =
        reallocarray(result->findings, result->count + 1, sizeof(*findings));

    if (findings == NULL)
        return NULL;
    result->findings = findings;
    findings[result->count] = (struct ls_finding){
        .kind = kind, .run = run, .site = site, .runs = 1, .known_growth_bytes_per_s = -1};
    return &findings[result->count++];
}

/* A site rises faster than another run of it, when both are about the same. */
static bool is_worse(const struct ls_snapshot_site *left, const struct ls_snapshot_site *right)
{
    if (left->growth_bytes_per_s != right->growth_bytes_per_s)
        return left->growth_bytes_per_s > right->growth_bytes_per_s;
    if (left->growth_count_per_s != right->growth_count_per_s)
        return left->growth_count_per_s > right->growth_count_per_s;
    return left->live_bytes > right->live_bytes;
}

/* One finding for a site, however many processes show it. */
static bool add_site(struct ls_gate_result *result, enum ls_finding_kind kind,
                     const struct ls_run *run, const struct ls_snapshot_site *site)
{
    for (size_t i = 0; i < result->count; i++) {
        struct ls_finding *known = &result->findings[i];

        if (known->kind == kind && known->site->id == site->id &&
            known->site->resource == site->resource) {
            known->runs++;
            if (is_worse(site, known->site)) {
                known->site = site;
                known->run = run;
            }
            return true;
        }
    }
    return add(result, kind, run, site) != NULL;
}

static bool collect_sites(const struct ls_run *run, const struct ls_criteria *criteria,
                          struct ls_gate_result *result)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;

    for (size_t i = 0; i < snapshot->site_count; i++) {
        const struct ls_snapshot_site *site = &snapshot->sites[i];

        if (!has(criteria->resources, site->resource))
            continue;
        if (site->verdict == LS_VERDICT_RISING && has(criteria->fail_on, LS_FAIL_ON_LEAKING) &&
            !add_site(result, LS_FINDING_RISING, run, site))
            return false;
        if (criteria->max_live_bytes >= 0 && !ls_snapshot_site_is_counted(site) &&
            site->live_bytes > criteria->max_live_bytes &&
            !add_site(result, LS_FINDING_LIVE, run, site))
            return false;
    }
    return true;
}

/* Whether a known site is still about as bad as it was. */
static bool is_as_known(const struct ls_finding *finding, const struct ls_baseline_site *known,
                        double margin)
{
    double factor = 1 + margin;

    if (finding->kind == LS_FINDING_LIVE)
        return finding->site->live_bytes <= known->live_bytes * factor;
    if (ls_snapshot_site_is_counted(finding->site))
        return finding->site->growth_count_per_s <= known->growth_count_per_s * factor;
    return finding->site->growth_bytes_per_s <= known->growth_bytes_per_s * factor;
}

/* What has no size, a socket or a thread, has no growth in bytes that could be allowed. */
static bool is_tolerated(const struct ls_finding *finding, const struct ls_criteria *criteria)
{
    return finding->kind == LS_FINDING_RISING && criteria->max_growth_bytes_per_s >= 0 &&
           !ls_snapshot_site_is_counted(finding->site) &&
           finding->site->growth_bytes_per_s <= criteria->max_growth_bytes_per_s;
}

static void settle(struct ls_finding *finding, const struct ls_criteria *criteria)
{
    struct ls_baseline_site known;

    finding->suppression = criteria->suppressions != NULL
                               ? ls_suppressions_find(criteria->suppressions, finding->site)
                               : NULL;
    if (finding->suppression != NULL) {
        finding->state = LS_FINDING_SUPPRESSED;
        return;
    }
    if (criteria->baseline != NULL && ls_baseline_find(criteria->baseline, finding->site, &known)) {
        finding->known_growth_bytes_per_s = known.growth_bytes_per_s;
        if (is_as_known(finding, &known, criteria->baseline_margin)) {
            finding->state = LS_FINDING_BASELINED;
            return;
        }
    }
    if (is_tolerated(finding, criteria))
        finding->state = LS_FINDING_TOLERATED;
}

static double tolerated_growth(const struct ls_run *run, const struct ls_gate_result *result)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;
    double sum = 0;

    for (size_t i = 0; i < snapshot->site_count; i++) {
        for (size_t j = 0; j < result->count; j++) {
            const struct ls_finding *finding = &result->findings[j];

            if (finding->kind == LS_FINDING_RISING && finding->state == LS_FINDING_TOLERATED &&
                finding->site->id == snapshot->sites[i].id &&
                snapshot->sites[i].verdict == LS_VERDICT_RISING)
                sum += snapshot->sites[i].growth_bytes_per_s;
        }
    }
    return sum;
}

static size_t listed_rising(const struct ls_snapshot *snapshot)
{
    size_t count = 0;

    for (size_t i = 0; i < snapshot->site_count; i++)
        count += snapshot->sites[i].verdict == LS_VERDICT_RISING;
    return count;
}

static bool has_fragmented(const struct ls_snapshot *snapshot, const struct ls_criteria *criteria)
{
    return snapshot->verdict.state == LS_PROCESS_FRAGMENTING &&
           snapshot->memory.rss_growth_bytes_per_s > criteria->max_growth_bytes_per_s;
}

/* A run without a verdict says nothing, unless another one of the same program was judged: a child
 * between fork and exec, a worker that was started late. */
static bool was_never_judged(const struct ls_runs *runs, const struct ls_run *run)
{
    const char *program = run->summary.snapshot.process.program;

    for (size_t i = 0; i < runs->count; i++) {
        const struct ls_snapshot *other = &runs->items[i].summary.snapshot;

        if (other->verdict.state != LS_PROCESS_LEARNING &&
            strcmp(other->process.program, program) == 0)
            return false;
    }
    return true;
}

/* What is said of a whole process. */
static bool judge_process(const struct ls_runs *runs, const struct ls_run *run,
                          const struct ls_criteria *criteria, struct ls_gate_result *result)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;
    bool is_whole = true;

    if (has(criteria->fail_on, LS_FAIL_ON_LEAKING)) {
        if (criteria->max_growth_bytes_per_s >= 0 &&
            tolerated_growth(run, result) > criteria->max_growth_bytes_per_s)
            is_whole = add(result, LS_FINDING_TOGETHER, run, NULL) != NULL && is_whole;
        if (snapshot->verdict.rising_sites > listed_rising(snapshot))
            is_whole = add(result, LS_FINDING_UNLISTED, run, NULL) != NULL && is_whole;
    }
    if (has(criteria->fail_on, LS_FAIL_ON_FRAGMENTING) && has_fragmented(snapshot, criteria))
        is_whole = add(result, LS_FINDING_FRAGMENTING, run, NULL) != NULL && is_whole;
    if (has(criteria->fail_on, LS_FAIL_ON_LEARNING) && was_never_judged(runs, run))
        is_whole = add(result, LS_FINDING_LEARNING, run, NULL) != NULL && is_whole;
    if (has(criteria->fail_on, LS_FAIL_ON_DEGRADED) && snapshot->health.state != LS_HEALTH_ACTIVE)
        is_whole = add(result, LS_FINDING_DEGRADED, run, NULL) != NULL && is_whole;
    return is_whole;
}

static int by_weight(const void *left, const void *right)
{
    const struct ls_finding *a = left;
    const struct ls_finding *b = right;

    if (a->state != b->state)
        return a->state < b->state ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->site != NULL && b->site != NULL && a->site != b->site)
        return is_worse(a->site, b->site) ? -1 : 1;
    return strcmp(a->run->directory, b->run->directory);
}

bool ls_gate_judge(const struct ls_runs *runs, const struct ls_criteria *criteria,
                   struct ls_gate_result *result)
{
    bool is_whole = true;

    *result = (struct ls_gate_result){0};
    for (size_t i = 0; i < runs->count && is_whole; i++)
        is_whole = collect_sites(&runs->items[i], criteria, result);
    for (size_t i = 0; i < result->count; i++)
        settle(&result->findings[i], criteria);
    for (size_t i = 0; i < runs->count && is_whole; i++) {
        is_whole = judge_process(runs, &runs->items[i], criteria, result);
        result->learning += runs->items[i].summary.snapshot.verdict.state == LS_PROCESS_LEARNING;
    }
    for (size_t i = 0; i < result->count; i++) {
        result->failed += result->findings[i].state == LS_FINDING_FAILS;
        ls_finding_write_message(&result->findings[i], criteria);
    }
    if (result->count > 1)
        qsort(result->findings, result->count, sizeof(*result->findings), by_weight);
    return is_whole;
}

void ls_gate_free(struct ls_gate_result *result)
{
    free(result->findings);
    *result = (struct ls_gate_result){0};
}
