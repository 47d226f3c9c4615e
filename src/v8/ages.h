/*
 * How old V8's live samples are. The sampler numbers its samples in order of time
 * (v8::AllocationProfile::Sample::sample_id); remembering which number was the newest at which
 * reading dates every sample that is still live, and tells which have lived through major
 * collections.
 *
 * Belongs to one isolate and its thread. Constant memory: when the marks are full, every second
 * one goes and the least step between them doubles, so that they stay spread over the whole run.
 * Zero-filled is a valid start.
 */
#ifndef LS_V8_AGES_H
#define LS_V8_AGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "v8/interval.h"
#include "v8/profile.h"

#define LS_V8_AGE_MARKS 64

struct ls_v8_age_mark {
    uint64_t newest_id;
    uint64_t time_ns;
};

struct ls_v8_ages {
    struct ls_v8_age_mark marks[LS_V8_AGE_MARKS];
    size_t mark_count;
    uint64_t step_ns;            /* least time between marks */
    uint64_t newest_id;          /* ever seen */
    struct ls_v8_age_mark cycle; /* the reading after the last major collection */
    uint64_t survivor_id;        /* samples up to this one have lived a whole cycle */
};

/* A new sampler numbers from the start again. */
void ls_v8_ages_reset(struct ls_v8_ages *ages);

/* Live bytes by when they were allocated: `intervals` figures for each site of a roll-up, oldest
 * interval first. Zero-filled is empty. */
struct ls_v8_age_table {
    float *bytes;     /* [site * intervals + interval] */
    float *inclusive; /* the same of everything on stacks through the site's function */
    size_t sites;
    size_t intervals;
    uint64_t end_ns[LS_V8_AGE_MARKS + 1];
};

/*
 * Dates the live samples into `table`, fills survived_bytes and median_age_s of the roll-up's
 * sites, then takes the mark for `now_ns`. `intervals` weighs samples that were taken at more than
 * one; NULL: V8's counts are right. Collections less than a second after the last cycle
 * began do not end it: what is in flight would pass for a survivor.
 * 0, or -ENOMEM (the sites then say 0). The table is to be cleaned up either way.
 */
int ls_v8_ages_read(struct ls_v8_ages *ages, struct ls_v8_rollup *rollup,
                    const struct ls_v8_sample *samples, size_t count,
                    const struct ls_v8_intervals *intervals, uint64_t now_ns, bool after_major_gc,
                    struct ls_v8_age_table *table);
void ls_v8_age_table_clean_up(struct ls_v8_age_table *table);

#endif
