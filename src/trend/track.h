/*
 * A series made ready to be judged. Pure functions on memory the caller owns.
 */
#ifndef LS_TREND_TRACK_H
#define LS_TREND_TRACK_H

#include <stddef.h>

#include "trend/trend.h"

/* Finite, ordered, after warm-up. */
struct ls_track {
    size_t count;
    double interval_s;
    double time[LS_TREND_POINTS_MAX];
    double value[LS_TREND_POINTS_MAX];     /* what is tested for growth */
    double level[LS_TREND_POINTS_MAX];     /* what is live: `value` unless that is mirrored */
    double variance[LS_TREND_POINTS_MAX];  /* of `value`, from sampling */
    double resources[LS_TREND_POINTS_MAX]; /* live resources */
    double block[LS_TREND_POINTS_MAX];     /* mean size of a live resource, 0 when not known */
    /* From the ages, where those are known; else `kept_weight` is 0, and `released` NULL. */
    double kept[LS_TREND_POINTS_MAX]; /* of what was live then, live still */
    double kept_weight;               /* what one resource with an age stands for */
    const struct ls_release_ages *released;
    bool was_settling;
};

/* What growth must have to be told. */
struct ls_demand {
    double amount; /* over the window */
    double rate;   /* a second */
    double sites;  /* tested at once, at least 1 */
};

/* 0, or -EINVAL for readings no collector makes: they prove nothing, so nothing is judged. */
int ls_track_init(struct ls_track *track, const struct ls_trend_series *series);
/* Turns rises into falls: the minima of the mirror are the maxima of the series. It has no ages. */
void ls_track_mirror(struct ls_track *track);
void ls_demand_init(struct ls_demand *demand, const struct ls_trend_series *series);

/* The least score that is evidence, whatever the number of sites. */
#define LS_SCORE_MIN 4.0
/* The chance of such a score at any of the sites and windows, if none of them grew. */
double ls_demand_chance(const struct ls_demand *demand, double score);
/* Whether that chance is small enough for an alarm. */
bool ls_demand_is_met(const struct ls_demand *demand, double score);
/* So many blocks that all came and none went are no toss of coins any more, at so many sites. */
double ls_demand_pieces(const struct ls_demand *demand);

#endif
