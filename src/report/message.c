#include <string.h>

#include "base/math.h"
#include "base/text.h"
#include "report/units.h"
#include "report/writers.h"

#define EARLY_INTERVALS 8

static bool has_limit(const struct ls_snapshot *snapshot)
{
    return ls_math_is_positive(snapshot->process.limit_bytes);
}

/* V8 limits its own heap, not what is resident: it counts only once that heap is what grows. */
static bool is_heap_limit(const struct ls_snapshot *snapshot)
{
    return strcmp(snapshot->process.limit_source, "v8") == 0;
}

static bool limits_resident(const struct ls_snapshot *snapshot)
{
    return has_limit(snapshot) && !is_heap_limit(snapshot);
}

/* A summary of an older version has none. */
static void limit_interval(const struct ls_snapshot_memory *memory, struct ls_text *text)
{
    if (!(memory->seconds_to_limit_low >= 0))
        return;
    ls_text_string(text, " (");
    ls_units_rough_range(text, memory->seconds_to_limit_low, memory->seconds_to_limit_high);
    ls_text_char(text, ')');
}

static void limit_clause(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    if (!has_limit(snapshot) ||
        (is_heap_limit(snapshot) && !(snapshot->memory.seconds_to_limit >= 0))) {
        ls_text_string(text, ", no memory limit is set");
        return;
    }
    ls_text_string(text, ", ");
    ls_units_round_size(text, snapshot->process.limit_bytes);
    if (is_heap_limit(snapshot))
        ls_text_string(text, " JavaScript heap");
    if (snapshot->memory.seconds_to_limit == 0) {
        ls_text_string(text, " limit reached");
    } else if (snapshot->memory.seconds_to_limit > 0) {
        ls_text_string(text, " limit reached in about ");
        ls_units_rough_duration(text, snapshot->memory.seconds_to_limit);
        limit_interval(&snapshot->memory, text);
    } else {
        ls_text_string(text, " limit not in sight");
    }
}

/* What a finished run says in place of a forecast. */
static void ended_clause(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    ls_text_string(text, ", ended after ");
    ls_units_duration(text, snapshot->process.uptime_s);
    if (snapshot->memory.rss_bytes > 0) {
        ls_text_string(text, " at ");
        ls_units_round_size(text, snapshot->memory.rss_bytes);
        if (limits_resident(snapshot)) {
            ls_text_string(text, " of ");
            ls_units_round_size(text, snapshot->process.limit_bytes);
        }
    }
}

static void outlook_clause(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    if (snapshot->final)
        ended_clause(snapshot, text);
    else
        limit_clause(snapshot, text);
}

static void rising_sites(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    unsigned count = snapshot->verdict.rising_sites;

    ls_units_count(text, count);
    ls_text_string(text, count == 1 ? " rising site" : " rising sites");
}

static void explained_clause(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    double share = snapshot->verdict.explained_growth_share;

    ls_text_string(text, "; ");
    rising_sites(snapshot, text);
    if (share >= 0.005) {
        ls_text_string(text, snapshot->verdict.rising_sites == 1 ? " explains " : " explain ");
        ls_units_share(text, share);
        ls_text_string(text, " of the growth");
    }
}

/* "+12 sockets/min": the unit goes into the rate that is written for a bare number. */
static void count_rate(struct ls_text *text, const struct ls_snapshot_site *site)
{
    char buffer[64];
    struct ls_text rate;
    const char *slash;

    ls_text_init(&rate, buffer, sizeof(buffer));
    ls_units_count_rate(&rate, site->growth_count_per_s);
    slash = strchr(buffer, '/');
    if (slash == NULL)
        slash = buffer + rate.length;
    ls_text_bytes(text, buffer, (size_t)(slash - buffer));
    ls_text_char(text, ' ');
    ls_text_string(text, ls_resource_names[site->resource]);
    ls_text_char(text, 's');
    ls_text_string(text, slash);
}

/* What rises has no size: whatever the resident size does beside it, it is not what leaks. */
static const struct ls_snapshot_site *counted_leak(const struct ls_snapshot *snapshot)
{
    const struct ls_snapshot_site *first = snapshot->site_count > 0 ? snapshot->sites : NULL;

    return !(snapshot->verdict.rising_growth_bytes_per_s > 0) && first != NULL &&
                   first->growth_count_per_s > 0
               ? first
               : NULL;
}

/* Sites rise while the resident size does not, or not measurably: small blocks that fill pages
 * already resident, or resources without a size. */
static void hidden_leak(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    double bytes_per_s = snapshot->verdict.rising_growth_bytes_per_s;
    const struct ls_snapshot_site *counted = counted_leak(snapshot);

    if (counted != NULL) {
        count_rate(text, counted);
        ls_text_string(text, snapshot->verdict.rising_sites == 1 ? " at " : " at the first of ");
    }
    rising_sites(snapshot, text);
    if (bytes_per_s > 0) {
        ls_text_string(text, snapshot->verdict.rising_sites == 1 ? " grows " : " grow ");
        ls_units_size_rate(text, bytes_per_s);
        ls_text_string(text, ", not yet seen in resident memory");
    }
    if (snapshot->final)
        ended_clause(snapshot, text);
}

static void leaking(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    ls_text_string(text, "leaking: ");
    if (!(snapshot->memory.rss_growth_bytes_per_s > 0) || counted_leak(snapshot) != NULL) {
        hidden_leak(snapshot, text);
        return;
    }
    ls_units_size_rate(text, snapshot->memory.rss_growth_bytes_per_s);
    outlook_clause(snapshot, text);
    explained_clause(snapshot, text);
}

static void fragmenting(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    ls_text_string(text, "fragmenting: resident memory ");
    ls_units_size_rate(text, snapshot->memory.rss_growth_bytes_per_s);
    outlook_clause(snapshot, text);
    ls_text_string(text, "; live memory does not grow with it");
}

static void resident(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    if (!(snapshot->memory.rss_bytes > 0))
        return;
    ls_text_string(text, ", ");
    ls_units_round_size(text, snapshot->memory.rss_bytes);
    if (limits_resident(snapshot)) {
        ls_text_string(text, " of ");
        ls_units_round_size(text, snapshot->process.limit_bytes);
    }
    ls_text_string(text, " resident");
}

static void clean(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    ls_text_string(text, "clean: nothing rises");
    if (snapshot->final) {
        ended_clause(snapshot, text);
    } else {
        ls_text_string(text, " after ");
        ls_units_duration(text, snapshot->process.uptime_s);
        resident(snapshot, text);
    }
}

static void backlog(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    unsigned count = snapshot->verdict.drained_sites;

    ls_text_string(text, "backlog: ");
    ls_units_count(text, count);
    ls_text_string(text, count == 1 ? " site rose for " : " sites rose for up to ");
    ls_units_rough_duration(text, snapshot->verdict.rose_s);
    ls_text_string(text, count == 1 ? " and has drained" : " and have drained");
    ls_text_string(text, "; nothing rises any more");
    if (snapshot->final)
        ended_clause(snapshot, text);
    else
        resident(snapshot, text);
}

static void learning(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    ls_text_string(text, "learning: ");
    if (snapshot->final) {
        ls_text_string(text, "too short for a verdict");
        ended_clause(snapshot, text);
        return;
    }
    /* Past the first readings it is V8 that is waited for; a note says so. */
    ls_text_string(text,
                   snapshot->process.uptime_s > EARLY_INTERVALS * snapshot->settings.interval_s
                       ? "no verdict yet after "
                       : "too early for a verdict after ");
    ls_units_duration(text, snapshot->process.uptime_s);
    resident(snapshot, text);
    if (snapshot->memory.rss_growth_bytes_per_s > 0) {
        ls_text_string(text, ", so far ");
        ls_units_size_rate(text, snapshot->memory.rss_growth_bytes_per_s);
    }
}

void ls_report_message(const struct ls_snapshot *snapshot, struct ls_text *text)
{
    switch (snapshot->verdict.state) {
    case LS_PROCESS_LEAKING:
        leaking(snapshot, text);
        break;
    case LS_PROCESS_FRAGMENTING:
        fragmenting(snapshot, text);
        break;
    case LS_PROCESS_BACKLOG:
        backlog(snapshot, text);
        break;
    case LS_PROCESS_CLEAN:
        clean(snapshot, text);
        break;
    case LS_PROCESS_LEARNING:
    case LS_PROCESS_VERDICT_COUNT:
        learning(snapshot, text);
        break;
    }
    if (snapshot->health.state == LS_HEALTH_OFF)
        ls_text_string(text, " (tracking has stopped, see health)");
    else if (snapshot->health.state == LS_HEALTH_DEGRADED)
        ls_text_string(text, " (part of it untracked, see health)");
}
