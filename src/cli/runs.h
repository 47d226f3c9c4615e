/*
 * Finds the runs below the paths given and reads their summaries.
 *
 * A path may be a summary.json, a run, a directory of runs or a tree of them. Links are followed
 * only where they are named. Every error is told on stderr at once; a caller that gets one has not
 * seen everything and must not say that nothing was found. A path without any run is an error, and
 * so is a run without its summary.json.
 */
#ifndef LS_CLI_RUNS_H
#define LS_CLI_RUNS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/summary.h"

struct ls_run {
    char *directory; /* as reached from the path given */
    char *name;      /* the last part of it */
    struct ls_summary summary;
};

struct ls_runs {
    struct ls_run *items; /* by the time they started */
    size_t count;
};

/* False after any error; what could be read is in `runs` all the same and is to be freed. */
bool ls_runs_read(char *const *paths, size_t path_count, struct ls_runs *runs);
void ls_runs_free(struct ls_runs *runs);

#endif
