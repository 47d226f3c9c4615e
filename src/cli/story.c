#include "cli/story.h"

#include <string.h>

/* A run that has missed this many summaries does not write any more. */
#define INTERVALS_MISSED 3
#define SECONDS_SPARE    5
#define NEAR_THE_LIMIT   0.9

const char *const ls_ending_names[LS_ENDING_COUNT] = {
    [LS_ENDING_RUNNING] = "running",
    [LS_ENDING_BY_ITSELF] = "ended",
    [LS_ENDING_KILLED] = "killed",
    [LS_ENDING_KILLED_AT_LIMIT] = "killed at its limit",
};

/*
 * What the files can tell. A killed process leaves no last summary; whether the memory limit did it
 * is inferred from how near it was, with what it would have grown until the next summary.
 */
enum ls_ending ls_story_ending(const struct ls_snapshot *snapshot, double now)
{
    double interval = snapshot->settings.interval_s;
    double limit = snapshot->process.limit_bytes;
    bool is_heap_limit = strcmp(snapshot->process.limit_source, "v8") == 0;
    double used = is_heap_limit ? snapshot->memory.v8_heap_bytes : snapshot->memory.rss_bytes;
    double growth = snapshot->memory.rss_growth_bytes_per_s;

    if (snapshot->final)
        return LS_ENDING_BY_ITSELF;
    if (now - snapshot->written_at < INTERVALS_MISSED * interval + SECONDS_SPARE)
        return LS_ENDING_RUNNING;
    if (limit > 0 && used + (growth > 0 ? growth * interval : 0) >= NEAR_THE_LIMIT * limit)
        return LS_ENDING_KILLED_AT_LIMIT;
    return LS_ENDING_KILLED;
}

bool ls_story_is_same_service(const struct ls_run *left, const struct ls_run *right)
{
    return strcmp(left->summary.snapshot.process.command,
                  right->summary.snapshot.process.command) == 0;
}

bool ls_story_is_first(const struct ls_runs *runs, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (ls_story_is_same_service(&runs->items[i], &runs->items[index]))
            return false;
    }
    return true;
}

struct ls_service ls_story_sum_up(const struct ls_runs *runs, size_t first, double now)
{
    struct ls_service service = {0};
    double ended_at = -1;

    for (size_t i = first; i < runs->count; i++) {
        const struct ls_snapshot *snapshot = &runs->items[i].summary.snapshot;

        if (!ls_story_is_same_service(&runs->items[i], &runs->items[first]))
            continue;
        service.restarts +=
            service.runs > 0 && ended_at >= 0 && snapshot->process.started_at >= ended_at;
        if (service.runs == 0 || snapshot->process.uptime_s < service.shortest_s)
            service.shortest_s = snapshot->process.uptime_s;
        if (snapshot->process.uptime_s > service.longest_s)
            service.longest_s = snapshot->process.uptime_s;
        service.runs++;
        service.endings[ls_story_ending(snapshot, now)]++;
        ended_at = snapshot->written_at;
    }
    return service;
}
