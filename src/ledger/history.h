/*
 * The past of one site in constant memory, whatever the length of the run.
 *
 * Every point is a reading that was made, the one with the least live bytes of the span of time it
 * stands for: the window minimum, which garbage collection and batches cannot raise. The newest
 * LS_HISTORY_RECENT points keep the resolution of the interval. When all places are taken, the two
 * older neighbours whose joint span is shortest for their age become one, so that resolution falls
 * off in proportion to age: a leak over minutes and one over days are both seen
 * (docs/decisions/0002-history-by-age.md).
 *
 * Pure data, one owner (the collector).
 */
#ifndef LS_LEDGER_HISTORY_H
#define LS_LEDGER_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define LS_HISTORY_POINTS 64
#define LS_HISTORY_RECENT 16

/* Figures in single precision: seven digits are finer than any sampled one, and the points are most
 * of what a site costs. Times in double: a year at ten readings a second must stay in order. */
struct ls_history_point {
    double time_s; /* end of the span; spans follow each other from 0 on */
    float lag_s;   /* how long before that end the reading was made; 0 when added */
    float live_bytes;
    float live_count;
    float error_bytes;
};

struct ls_history {
    struct ls_history_point points[LS_HISTORY_POINTS];
    uint32_t count;
};

/* When the reading was made, within its span. */
static inline double ls_history_time(const struct ls_history_point *point)
{
    return point->time_s - (double)point->lag_s;
}

/* `time_s` must not decrease from call to call; one that does is ignored. */
void ls_history_add(struct ls_history *history, struct ls_history_point point);

#endif
