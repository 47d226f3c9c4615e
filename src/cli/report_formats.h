/*
 * What `leakshim report` prints. Each returns 0, or -errno when the output could not be made;
 * whether it got to the file is for the caller to ask.
 */
#ifndef LS_CLI_REPORT_FORMATS_H
#define LS_CLI_REPORT_FORMATS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/runs.h"

enum ls_report_value {
    LS_REPORT_LIVE,   /* bytes */
    LS_REPORT_GROWTH, /* bytes a minute; sites that do not grow are left out */
    LS_REPORT_COUNT,  /* live resources */
};

/* One run as the library's summary.txt. */
int ls_report_text(const struct ls_run *run, bool has_color, FILE *file);
/* Many runs as one story: a line for each run, what keeps rising, restarts. `now` in seconds since
 * 1970 tells runs that go on from those that were killed. */
int ls_report_story(const struct ls_runs *runs, double now, bool has_color, FILE *file);
/* One line for each site, "outermost;...;innermost VALUE":
 * https://github.com/brendangregg/FlameGraph */
int ls_report_folded(const struct ls_runs *runs, enum ls_report_value value, FILE *file);
/* One page for a browser, of one run or of many. */
int ls_report_html(const struct ls_runs *runs, double now, FILE *file);
/* A gzipped profile.proto. */
int ls_report_pprof(const struct ls_runs *runs, FILE *file);

#endif
