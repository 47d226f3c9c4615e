/*
 * Rises that were given back: the teeth of a sawtooth. Pure functions.
 */
#ifndef LS_TREND_CYCLES_H
#define LS_TREND_CYCLES_H

#include <stddef.h>

#include "trend/window.h"

/*
 * How many falls of at least `height` the values [first, end) hold, each after a rise of at least
 * that much which took several steps. The sudden rise of a burst is not counted: what follows a
 * burst may well be a leak.
 */
unsigned ls_cycles_count(const struct ls_track *track, size_t first, size_t end, double height);

#endif
