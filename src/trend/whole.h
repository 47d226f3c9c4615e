/*
 * Whether what a part gained is in the whole. Of what only moves from one part to another nothing
 * is; of a leak all is. Pure functions. docs/v8.md says what it is asked of.
 */
#ifndef LS_TREND_WHOLE_H
#define LS_TREND_WHOLE_H

#include <stdbool.h>

#include "ledger/history.h"

/* What the readings of a whole say of its gain. The zero-filled one is of no whole at all. */
struct ls_whole_gain {
    double bytes;    /* at the most */
    double variance; /* of it, from the readings' scatter */
    double degrees;  /* degrees of freedom that the variance rests on; 0: it is not known */
};

/* Adds what `whole` gained from a time to its last point: from the least of the first half of that
 * time to the most of the second, so that one that goes up and down counts as gaining by as much.
 */
void ls_whole_add(struct ls_whole_gain *gain, const struct ls_history *whole, double since_s);

/* Whether so little of a part's gain is in the whole's that chance does not explain it: less than a
 * quarter, and by the errors of both not all. Small gains in a restless whole are left alone. */
bool ls_whole_lacks(const struct ls_whole_gain *gain, double part_bytes, double part_variance);

#endif
