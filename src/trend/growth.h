/*
 * Looks for the growth of a leak at the end of a series, in windows of several lengths: steady,
 * certain, new, still going on, and of resources that stay. Pure functions.
 */
#ifndef LS_TREND_GROWTH_H
#define LS_TREND_GROWTH_H

#include <stdbool.h>
#include <stddef.h>

#include "trend/track.h"
#include "trend/window.h"

#define LS_GROWTH_WINDOWS 8
/* In points, the longest first. */
extern const size_t ls_growth_lengths[LS_GROWTH_WINDOWS];

/* The longest window that grows; false when none does. */
bool ls_growth_find(const struct ls_track *track, const struct ls_demand *demand,
                    struct ls_window *window, struct ls_window_growth *growth);

/* Whether the growth of `found` is, seen from as far back or further, the end of a fill. */
bool ls_growth_has_faded(const struct ls_track *track, const struct ls_window *found);

#endif
