/*
 * Order statistics on small arrays. Pure functions; they reorder the array they are given.
 */
#ifndef LS_TREND_SLOPE_H
#define LS_TREND_SLOPE_H

#include <stddef.h>

/* The value that `rank` others are not above, counting from 0. `rank` under `count`. */
double ls_slope_select(double *values, size_t count, size_t rank);

/* Mean of the two middle values for an even count; 0 for an empty array. */
double ls_slope_median(double *values, size_t count);

#endif
