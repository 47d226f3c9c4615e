/*
 * What `leakshim run` says at the end: where the runs of the command are, and what each found.
 */
#ifndef LS_CLI_RUN_RUNS_H
#define LS_CLI_RUN_RUNS_H

#include <sys/types.h>

#include "runtime/options.h"

/* Carried by all processes of a command in this variable; each summary repeats it. */
#define LS_RUN_MARK_VARIABLE "LEAKSHIM_LAUNCH"
#define LS_RUN_MARK_BYTES    48

/* Different for every launch on this machine since it started. */
void ls_run_make_mark(char mark[LS_RUN_MARK_BYTES]);

/* One line on stderr for each run that has the mark, the command's own first, then the worst; a
 * bounded number of them. `since` in seconds since 1970: no run began before. */
void ls_run_tell_runs(const struct ls_options *options, const char *mark, pid_t command,
                      double since);

#endif
