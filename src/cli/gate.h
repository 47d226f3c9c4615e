/*
 * What a check of runs comes to: findings, and which of them count. No I/O; the runs and criteria
 * belong to the caller and outlive the result.
 */
#ifndef LS_CLI_GATE_H
#define LS_CLI_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/baseline.h"
#include "cli/runs.h"
#include "cli/suppressions.h"

/* What --fail-on names, one bit each. */
enum ls_fail_on {
    LS_FAIL_ON_LEAKING,
    LS_FAIL_ON_FRAGMENTING,
    LS_FAIL_ON_LEARNING,
    LS_FAIL_ON_DEGRADED,
    LS_FAIL_ON_NONE,
    LS_FAIL_ON_COUNT
};

extern const char *const ls_fail_on_names[LS_FAIL_ON_COUNT];

struct ls_criteria {
    unsigned fail_on;                   /* bits 1 << enum ls_fail_on */
    unsigned resources;                 /* bits 1 << enum ls_resource */
    double max_growth_bytes_per_s;      /* what may rise without failing; -1: nothing */
    double max_live_bytes;              /* of one site; -1: no limit */
    double baseline_margin;             /* how much faster than the baseline is still the same */
    const struct ls_baseline *baseline; /* or NULL */
    struct ls_suppressions *suppressions;
};

/* Any rising site fails, of every kind; without limits, baseline or suppressions. */
extern const struct ls_criteria ls_criteria_default;

enum ls_finding_kind {
    LS_FINDING_RISING,   /* a site keeps growing */
    LS_FINDING_LIVE,     /* a site holds more than it may */
    LS_FINDING_TOGETHER, /* sites that may rise each grow too fast in sum */
    LS_FINDING_UNLISTED, /* more sites rise than the summary lists */
    LS_FINDING_FRAGMENTING,
    LS_FINDING_LEARNING,
    LS_FINDING_DEGRADED,
    LS_FINDING_KIND_COUNT
};

/* "rising-site", ...: rule ids and types in the formats for tools. */
extern const char *const ls_finding_names[LS_FINDING_KIND_COUNT];
/* One sentence for each kind. */
extern const char *const ls_finding_meanings[LS_FINDING_KIND_COUNT];

enum ls_finding_state {
    LS_FINDING_FAILS,
    LS_FINDING_SUPPRESSED,
    LS_FINDING_BASELINED, /* known, and not faster */
    LS_FINDING_TOLERATED, /* below the growth that is allowed */
};

extern const char *const ls_finding_state_names[4];

struct ls_finding {
    enum ls_finding_kind kind;
    enum ls_finding_state state;
    const struct ls_run *run;            /* where it is worst */
    const struct ls_snapshot_site *site; /* NULL when it is about the process */
    size_t runs;                         /* in how many of the runs */
    const struct ls_suppression *suppression;
    double known_growth_bytes_per_s; /* of the baseline; -1: it is new */
    char message[512];               /* one sentence, not cleaned */
};

struct ls_gate_result {
    struct ls_finding *findings; /* those that fail first, then by growth */
    size_t count;
    size_t failed;
    size_t learning; /* runs too short to be judged */
};

/* False without memory. */
bool ls_gate_judge(const struct ls_runs *runs, const struct ls_criteria *criteria,
                   struct ls_gate_result *result);
void ls_gate_free(struct ls_gate_result *result);

/* The place of a site a tool can open: its own, or of its nearest caller that has one. Files of
 * native code that are not on this machine come last; the disk is asked. False when there is none.
 * `file` is as recorded, without file://. */
bool ls_site_source(const struct ls_snapshot_site *site, char *file, size_t size, unsigned *line);

#endif
