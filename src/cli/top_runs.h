/*
 * The runs that `leakshim top` looks at: found again and read again as they change, without a word
 * on stderr, since the terminal belongs to the screen.
 */
#ifndef LS_CLI_TOP_RUNS_H
#define LS_CLI_TOP_RUNS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "cli/summary.h"
#include "cli/symbolizer.h"

struct ls_top_run {
    char *directory;
    struct stat facts;                  /* of the summary that was read */
    bool is_read;                       /* there is one */
    struct ls_summary summary;          /* the last whole one */
    char reason[LS_SUMMARY_REASON_MAX]; /* why the newest could not be read; "" when it was */
};

struct ls_top_runs {
    char root[PATH_MAX];
    struct ls_top_run **items; /* none goes away: what is shown may be pruned meanwhile */
    size_t count;
    struct ls_symbolizer *symbolizer; /* NULL: frames stay as they are */
};

enum ls_top_state {
    LS_TOP_RUNNING,
    LS_TOP_ENDED,
    LS_TOP_STALE, /* has missed its summaries: killed, stopped, or its disk is full */
};

/* Finds what a person named: a run, a directory of runs, or the pid of a process that is tracked.
 * False, told on stderr, when there is no such thing. */
bool ls_top_runs_open(struct ls_top_runs *runs, const char *named);
void ls_top_runs_close(struct ls_top_runs *runs);

/* Looks for new runs and new summaries; true when there was something. */
bool ls_top_runs_refresh(struct ls_top_runs *runs);

/* The run to begin with: one that goes on, the worst, the newest. NULL when none is read. */
struct ls_top_run *ls_top_runs_choose(const struct ls_top_runs *runs, double now);
bool ls_top_run_is_bad(const struct ls_top_run *run);
/* Sorts the runs so. */
void ls_top_runs_sort(struct ls_top_runs *runs, double now);

enum ls_top_state ls_top_run_state(const struct ls_top_run *run, double now);

#endif
