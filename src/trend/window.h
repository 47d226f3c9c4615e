/*
 * The end of a series, measured: how much it grew, how evenly, and how much of that its own noise
 * explains. Pure functions on memory the caller owns. docs/statistics.md derives the formulas.
 */
#ifndef LS_TREND_WINDOW_H
#define LS_TREND_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "trend/track.h"

#define LS_WINDOW_POINTS_MAX 16

struct ls_window {
    size_t count;
    double time[LS_WINDOW_POINTS_MAX];
    double value[LS_WINDOW_POINTS_MAX];
    double resources[LS_WINDOW_POINTS_MAX];
    const struct ls_track *track;
    size_t first; /* in the track, as is `end` */
    size_t end;
    bool coarse; /* seen at less than the full resolution: only its own scatter is believed */
};

struct ls_window_growth {
    double slope;          /* Theil-Sen, a second */
    double amount;         /* slope times the length of the window */
    double standard_error; /* of `amount` */
    double score;          /* amount over its error, as a standard normal variable */
    double pieces;         /* blocks or samples that `amount` is worth */
    bool by_number;        /* it is more resources, not larger ones */
    bool regular;          /* every step is within half a block of the mean step */
    bool minima_rise;      /* the least values of successive stretches rise, none far behind */
    bool spread;           /* without its largest step most of the growth is still there */
};

/* Cuts [first, end) out of a track; at least 4 points. More than `points_max` of them (4 to
 * LS_WINDOW_POINTS_MAX) are thinned to the least of each of so many stretches of equal time. */
void ls_window_cut(const struct ls_track *track, size_t first, size_t end, size_t points_max,
                   struct ls_window *window);

/* The shape alone, which is cheap: fills minima_rise and spread. */
void ls_window_shape(const struct ls_window *window, struct ls_window_growth *growth);

/* All the rest of `growth`. */
void ls_window_measure(const struct ls_window *window, struct ls_window_growth *growth);

/* The gain of the last `share` of the window's time, a second. */
double ls_window_last_rate(const struct ls_window *window, double share);

/*
 * Growth that fades: the later half grows clearly more slowly than the earlier one, and where the
 * window is long enough to tell, the last quarter more slowly than the one before. The second
 * part keeps a leak under falling load from passing for a filling cache for ever.
 */
bool ls_window_fades(const struct ls_window *window);

#endif
