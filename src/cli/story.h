/*
 * What a row of runs tells: how each ended, and which of them are one service that was started
 * again and again. Pure functions of what the summaries say.
 */
#ifndef LS_CLI_STORY_H
#define LS_CLI_STORY_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/runs.h"

enum ls_ending {
    LS_ENDING_RUNNING,
    LS_ENDING_BY_ITSELF,
    LS_ENDING_KILLED,
    LS_ENDING_KILLED_AT_LIMIT,
    LS_ENDING_COUNT
};

extern const char *const ls_ending_names[LS_ENDING_COUNT];

/* The runs of one command. */
struct ls_service {
    size_t runs;
    size_t restarts; /* began after the one before had ended */
    size_t endings[LS_ENDING_COUNT];
    double shortest_s;
    double longest_s;
};

/* `now` in seconds since 1970 tells runs that go on from those that were killed. */
enum ls_ending ls_story_ending(const struct ls_snapshot *snapshot, double now);
bool ls_story_is_same_service(const struct ls_run *left, const struct ls_run *right);
/* Whether it is the first run of its service. */
bool ls_story_is_first(const struct ls_runs *runs, size_t index);
/* Of the service whose first run is `first`. */
struct ls_service ls_story_sum_up(const struct ls_runs *runs, size_t first, double now);

#endif
