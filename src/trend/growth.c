#include "trend/growth.h"

#include "base/math.h"
#include "trend/cycles.h"
#include "trend/slope.h"
#include "trend/survival.h"

const size_t ls_growth_lengths[LS_GROWTH_WINDOWS] = {64, 48, 32, 24, 16, 12, 8, 6};

/* Windows of more than LS_WINDOW_POINTS_MAX points are looked at once more, at this resolution. */
#define COARSE_POINTS 6
/* What the window without its last point may lack: the alarm must have been coming. */
#define SCORE_EARLIER 1.5
#define SHARE_EARLIER 0.6
/* Of a beat as even as a clock's, this many suffice. */
#define PIECES_MIN 4.0
/* The level a rise must pass is the one the history stayed under for nine tenths of its points. */
#define RECORD_SHARE      0.9
#define RECORD_POINTS_MIN 6
/* A rise of this share of the growth that was given back before makes this one a tooth too. */
#define TOOTH_SHARE 0.25
#define TEETH_MIN   3
/* Growth is over when this many steps bring less than this share of what they should, and by so
 * many standard errors. */
#define STOPPED_STEPS 3
#define STOPPED_SHARE 0.25
#define STOPPED_SCORE 2.5

/* Few blocks can come by chance without one going; many, or a steady beat, cannot. */
static bool has_pieces(const struct ls_window_growth *growth, const struct ls_demand *demand)
{
    return growth->pieces >= (growth->regular ? PIECES_MIN : ls_demand_pieces(demand));
}

/* A level the site has been at for a tenth of its time before is nothing new. */
static bool is_record(const struct ls_window *window)
{
    const struct ls_track *track = window->track;
    double before[LS_TREND_POINTS_MAX];
    double lowest = track->value[window->end - 1];

    if (window->first < RECORD_POINTS_MIN)
        return true;
    for (size_t i = 0; i < window->first; i++)
        before[i] = track->value[i];
    if (track->value[window->end - 2] < lowest)
        lowest = track->value[window->end - 2];
    return lowest >
           ls_slope_select(before, window->first, (size_t)(RECORD_SHARE * (double)window->first));
}

/* As large a rise was given back before: then only a window of several teeth is evidence. */
static bool is_a_tooth(const struct ls_window *window, double amount)
{
    double height = TOOTH_SHARE * amount;

    return ls_cycles_count(window->track, 0, window->end, height) > 0 &&
           ls_cycles_count(window->track, window->first, window->end, height) < TEETH_MIN;
}

/* The last steps bring clearly less than the window promised: the growth is over. */
static bool has_stopped(const struct ls_window *window, const struct ls_window_growth *growth)
{
    const struct ls_track *track = window->track;
    size_t last = window->end - 1;
    double elapsed = track->time[last] - track->time[last - STOPPED_STEPS];
    double gained = track->value[last] - track->value[last - STOPPED_STEPS];
    double expected = growth->slope * elapsed;
    double share = elapsed / (track->time[last] - track->time[window->first]);

    return gained < STOPPED_SHARE * expected &&
           expected - gained > STOPPED_SCORE * growth->standard_error * ls_math_sqrt(share);
}

/* It grew from the first step on, and the later the part, the more of the mean rate it may lack: a
 * few steps of growth in a window that stands still otherwise are not the window's growth. */
static bool goes_on(const struct ls_window *window)
{
    size_t last = window->count - 1;
    double rate = (window->value[last] - window->value[0]) / (window->time[last] - window->time[0]);
    double first_rate = (window->value[1] - window->value[0]) / (window->time[1] - window->time[0]);

    return first_rate >= 0.2 * rate && ls_window_last_rate(window, 1.0 / 2) >= 0.5 * rate &&
           ls_window_last_rate(window, 1.0 / 3) >= 0.4 * rate &&
           ls_window_last_rate(window, 1.0 / 4) >= 0.3 * rate;
}

static bool grew(const struct ls_window *window, const struct ls_demand *demand, double slack,
                 struct ls_window_growth *growth)
{
    double share = slack > 0.0 ? SHARE_EARLIER : 1.0;

    ls_window_shape(window, growth);
    if (!growth->minima_rise)
        return false;
    ls_window_measure(window, growth);
    return growth->amount >= demand->amount * share && growth->slope >= demand->rate * share &&
           ls_demand_is_met(demand, growth->score + slack);
}

/* The last `length` points of the track, seen at a resolution of `points` points. */
static bool grows(const struct ls_track *track, size_t length, size_t points,
                  const struct ls_demand *demand, struct ls_window *window,
                  struct ls_window_growth *growth)
{
    size_t end = track->count;
    struct ls_window earlier;
    struct ls_window_growth earlier_growth;

    ls_window_cut(track, end - length, end, points, window);
    if (!grew(window, demand, 0.0, growth) || !has_pieces(growth, demand) ||
        has_stopped(window, growth) || !goes_on(window) || !is_record(window) ||
        is_a_tooth(window, growth->amount) || !ls_survival_allows(window, growth))
        return false;
    ls_window_cut(track, end - length, end - 1, points, &earlier);
    return grew(&earlier, demand, SCORE_EARLIER, &earlier_growth);
}

bool ls_growth_find(const struct ls_track *track, const struct ls_demand *demand,
                    struct ls_window *window, struct ls_window_growth *growth)
{
    for (size_t i = 0; i < LS_GROWTH_WINDOWS; i++) {
        size_t length = ls_growth_lengths[i];
        size_t first = track->count - length;

        if (length > track->count ||
            track->value[track->count - 1] - track->value[first] < demand->amount * SHARE_EARLIER)
            continue;
        if (grows(track, length, LS_WINDOW_POINTS_MAX, demand, window, growth))
            return true;
        /* Teeth hide a rise of their troughs from a look that is finer than they are. */
        if (length > LS_WINDOW_POINTS_MAX &&
            grows(track, length, COARSE_POINTS, demand, window, growth))
            return true;
    }
    return false;
}

bool ls_growth_has_faded(const struct ls_track *track, const struct ls_window *found)
{
    for (size_t i = 0; i < LS_GROWTH_WINDOWS; i++) {
        size_t length = ls_growth_lengths[i];
        struct ls_window window;

        if (length > track->count)
            continue;
        if (length < found->end - found->first)
            break;
        ls_window_cut(track, track->count - length, track->count, LS_WINDOW_POINTS_MAX, &window);
        if (ls_window_fades(&window))
            return true;
    }
    return false;
}
