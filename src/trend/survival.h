/*
 * What the ages of a site's resources say of its growth. A leak's resources stay: those of the
 * first half of a window are there at its end, and nothing that old is released. Of a cache that
 * turns over, of sessions, of a queue, of a busier day, the one or the other is not so, whatever
 * the live size does. Pure functions. docs/statistics.md derives the tests.
 */
#ifndef LS_TREND_SURVIVAL_H
#define LS_TREND_SURVIVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "trend/track.h"
#include "trend/window.h"

/* Whether the growth found in a window may be a leak's: what came in its first half is kept, and
 * little is released of what is older than half of it. True where ages are not known. */
bool ls_survival_allows(const struct ls_window *window, const struct ls_window_growth *growth);

/*
 * A leak that comes and goes of others hide: at a site that releases much, what is older than half
 * the window and still live grows, though the live size is too restless to show it. Looks at the
 * window from point `first` to the last; true fills slope, amount, standard_error and score of
 * `growth`. False where ages are not known.
 */
bool ls_survival_grows(const struct ls_track *track, size_t first, const struct ls_demand *demand,
                       struct ls_window_growth *growth);

#endif
