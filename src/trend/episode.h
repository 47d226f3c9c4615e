/*
 * What becomes of a rise once it is over. A backlog, work that was taken on faster than it was
 * done, is given back when the load stops; what a leak or a cache gained stays. A JavaScript heap
 * tells neither before its next collection, and an idle program makes none. Pure functions; one
 * owner.
 */
#ifndef LS_TREND_EPISODE_H
#define LS_TREND_EPISODE_H

#include <stdbool.h>

#include "trend/trend.h"

enum ls_episode_state {
    LS_EPISODE_NONE,
    LS_EPISODE_RISING,
    LS_EPISODE_OVER,    /* it rises no more; what became of the gain is not known, or not decided */
    LS_EPISODE_KEPT,    /* read since, it holds most of what it gained */
    LS_EPISODE_DRAINED, /* it has given back most of that */
};

/* Of one site. Zero-filled: it has not risen. */
struct ls_trend_episode {
    enum ls_episode_state state;
    float before;  /* live before the rise, in the unit the site is judged by */
    float highest; /* live since */
    double began_s;
    double ended_s; /* the last reading that it rose at */
};

/* After each verdict on the site. */
void ls_trend_episode_follow(struct ls_trend_episode *episode, const struct ls_trend_series *series,
                             const struct ls_trend_verdict *verdict);
/* Whether an episode that is over is still worth telling at that time: as long again as three times
 * what it took, and no less than 60 intervals. */
bool ls_trend_episode_is_recent(const struct ls_trend_episode *episode, double now_s,
                                double interval_s);

#endif
