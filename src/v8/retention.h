/*
 * What one reading right after a major collection says of a function's leak: whether what it
 * allocated is kept, evenly over the whole run, or only what it allocated lately.
 *
 * Between two major collections dead objects of the old generation still count as live, so that a
 * healthy cache rises like a leak, and no series of such readings tells them apart. Right after
 * one, the dates of the samples that are left do: a leak keeps as much of what it allocated long
 * ago as of what it allocated just now; a bounded cache keeps only the last part; what was loaded
 * at start lies at the start. One collection is enough (docs/v8.md has the measurements). A cache
 * that is still filling looks like a leak here as everywhere: look again after the next
 * collection.
 *
 * Pure functions of their arguments.
 */
#ifndef LS_V8_RETENTION_H
#define LS_V8_RETENTION_H

#include <stdbool.h>

#include "v8/reading.h"

#define LS_V8_RETENTION_PARTS 3

struct ls_v8_retention {
    double window_s;                          /* from the end of warm-up to the reading */
    double part_bytes[LS_V8_RETENTION_PARTS]; /* kept of equal parts of it, oldest first */
    double samples;                           /* V8 samples these rest on */
    double kept_bytes_per_s;                  /* their sum over the window */
    double error_bytes_per_s;                 /* its standard error, from sampling */
    bool even; /* every part keeps a fair share: what is allocated stays */
    /* Every part keeps clearly less than the one before it: what fills up ever more slowly, which
     * passes for even until it is all but full. */
    bool fades;
};

/*
 * False, and `retention` zeroed, when the reading cannot say: not after a major collection, no
 * dates, nothing left of the window after `warmup_s` from the start of sampling.
 */
bool ls_v8_retention_measure(const struct ls_js_reading *reading, const struct ls_js_site *site,
                             double warmup_s, struct ls_v8_retention *retention);

#endif
