/*
 * What the readings of V8's live heap have shown of each function so far: how what it allocates is
 * kept, by the dates of what is alive right after a major collection, and who it is compiled into.
 * js_judge.c makes the verdict of it. Collector only.
 *
 * When V8 compiles a leaking function into its caller, the one holds what was allocated before, the
 * other what comes since, and neither alone looks like a leak: the caller then is judged by the
 * dates of both, and goes on with what was known of the one inside.
 */
#ifndef LS_RUNTIME_JS_EVIDENCE_H
#define LS_RUNTIME_JS_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/site_table.h"
#include "v8/reading.h"

/* What a site held at a moment, all isolates together. */
struct ls_js_base {
    double time_s; /* of the earliest of their readings, since the process was first watched; 0:
                      none yet */
    double own_bytes;
    double inclusive_bytes;
};

struct ls_js_evidence {
    uint64_t first_live_ns; /* about when it first held anything; 0: it has not yet */
    uint64_t last_read_ns;  /* last reading of any kind that had it */
    uint64_t measured_ns;   /* the last measured reading */
    double measured_bytes;  /* live then */
    double sighted_after_s; /* time watched at the first of the unbroken row of readings that look
                               even; 0: none */
    /* At a measured reading an interval ago or more, and whether it had grown by then. */
    double inclusive_bytes;
    uint64_t inclusive_ns;
    bool stands_still;
    double kept_bytes_per_s;
    double error_bytes_per_s;
    double bytes_per_object;
    double bytes_per_sample;
    bool fades;            /* as of the last measured reading, what it keeps gets less and less */
    double window_start_s; /* of the dates; since the process was first watched */
    /* Two moments that a gain is counted from: about the start of the window by a reading of any
     * kind, no less than what lived; and the first one in it made right after a collection. */
    struct ls_js_base first;
    struct ls_js_base first_settled;
    uint64_t round;
    double inclusive_sum; /* of that round */
    uint64_t earliest_ns; /* of the readings of that round */
    bool confirmed;       /* the last measured reading confirms an earlier one */
    bool holds;           /* evidence for a leak, as of the last measured reading */
    /* The two as they were before that reading, for who takes over from this function in it. */
    double sighted_before_s;
    bool held_before;
    bool has_taken_over; /* from a function that was compiled into it */
    /* The function that the most was allocated in further out on this one's stacks: it takes over
     * if this one is compiled into it. And what it held at the last measured reading. */
    const struct ls_site *heir;
    double heir_bytes;
    /* When it last had gained what it is told to, and what it held then. */
    double kept_up_s;
    double kept_up_bytes;
};

/* Of one JavaScript site; NULL without memory. */
struct ls_js_evidence *ls_js_evidence_of(const struct ls_site *site);

/* A reading of any kind had the site; the one of that isolate before it was made at `absent_ns`. */
void ls_js_evidence_seen(const struct ls_site *site, uint64_t absent_ns, uint64_t taken_ns);
/* A reading of any kind had the site, and the functions that its own called have sites too. */
void ls_js_evidence_caller(const struct ls_site *site, const struct ls_js_site *source);
/* Weighs what a reading made right after a major collection says of one site. */
void ls_js_evidence_reading(const struct ls_site *site, const struct ls_js_reading *reading,
                            const struct ls_js_site *source);
/* The last reading of every isolate, in rounds: of any kind, or the last settled ones, those made
 * right after a major collection. Then, what the site holds by all of them being in its tally: */
void ls_js_evidence_add(const struct ls_site *site, uint64_t round,
                        const struct ls_js_reading *reading, const struct ls_js_site *source);
void ls_js_evidence_read(const struct ls_site *site);
void ls_js_evidence_settled(const struct ls_site *site);
/* Such a reading did not have the site any more. */
void ls_js_evidence_absent(const struct ls_site *site);

/* In the child: what was seen so far is the parent's, by the parent's clock. */
void ls_js_evidence_after_fork(void);

/* What the heir holds, 0 when there is none. */
double ls_js_evidence_heir_bytes(const struct ls_js_evidence *evidence);

#endif
