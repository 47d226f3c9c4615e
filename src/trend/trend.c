#include "trend/trend.h"

#include <errno.h>

#include "base/compiler.h"
#include "base/math.h"
#include "trend/cycles.h"
#include "trend/slope.h"
#include "trend/window.h"

#define POINTS_MIN      6
#define USABLE_MAX      1e18
#define SECONDS_PER_DAY 86400.0
/* Of all the verdicts of one interval together, the share of false alarms the correction allows. */
#define FAMILY_ERROR 0.01
#define SCORE_MIN    4.0
/* Beyond it a chance is lost in the rounding of 1 less it, whatever the number of sites. */
#define SCORE_CERTAIN 12.0
/* What the window without its last point may lack: the alarm must have been coming. */
#define SCORE_EARLIER 1.5
#define SHARE_EARLIER 0.6
#define PIECES_MIN    4.0
/* log2(1 / FAMILY_ERROR): as many blocks that all came and none went, by the toss of a coin. */
#define PIECES_BY_CHANCE 6.64
#define LOG_OF_TWO       0.69314718055994530942
/* The level a rise must pass is the one the history stayed under for nine tenths of its points. */
#define RECORD_SHARE      0.9
#define RECORD_POINTS_MIN 6
/* Teeth of this share of the level, or this many sampling errors, make a sawtooth. */
#define TOOTH_SHARE 0.2
#define TOOTH_SCORE 4.0
/* Growth is over when this many steps bring less than this share of what they should, and by so
 * many standard errors. */
#define STOPPED_STEPS 3
#define STOPPED_SHARE 0.25
#define STOPPED_SCORE 2.5
#define COARSE_POINTS 6

static const size_t window_lengths[] = {64, 48, 32, 24, 16, 12, 8, 6};
/* Those of more than LS_WINDOW_POINTS_MAX points are looked at twice. */
#define LOOKS 12.0

struct demand {
    double amount;
    double rate;
    double sites;
};

/* Not NaN, and small enough that squares and sums of squares stay finite. */
static bool is_usable(double value)
{
    return value > -USABLE_MAX && value < USABLE_MAX;
}

/* -EINVAL for readings no collector makes: they prove nothing, so nothing is judged. */
static int track_init(struct ls_track *track, const struct ls_trend_series *series)
{
    track->count = 0;
    if (series->points == NULL || series->count > LS_TREND_POINTS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < series->count; i++) {
        const struct ls_trend_point *point = &series->points[i];
        double level = series->count_only ? point->live_count : point->live_bytes;
        double error = series->count_only ? 0.0 : point->error_bytes;
        double block = series->count_only ? 1.0 : 0.0;

        if (!is_usable(point->time_s) || !is_usable(point->live_bytes) ||
            !is_usable(point->live_count) || !is_usable(point->error_bytes) || level < 0.0)
            return -EINVAL;
        if (i > 0 && point->time_s < series->points[i - 1].time_s)
            return -EINVAL;
        /* Times kept in single precision run together late in a long run. */
        if (point->time_s < series->warmup_s ||
            (track->count > 0 && point->time_s == track->time[track->count - 1]))
            continue;
        if (!series->count_only && point->live_count > 0.0)
            block = level / point->live_count;
        track->time[track->count] = point->time_s;
        track->value[track->count] = level;
        track->level[track->count] = level;
        track->variance[track->count] = error * error;
        track->resources[track->count] = point->live_count;
        track->block[track->count++] = block;
    }
    return 0;
}

/* Rises become falls: the minima of the mirror are the maxima of the series. */
static void mirror(struct ls_track *track)
{
    double top = 0.0;

    for (size_t i = 0; i < track->count; i++) {
        if (track->level[i] > top)
            top = track->level[i];
    }
    for (size_t i = 0; i < track->count; i++)
        track->value[i] = top - track->level[i];
}

static void demand_of(const struct ls_trend_series *series, struct demand *demand)
{
    double process = is_usable(series->process_bytes) ? series->process_bytes : 0.0;
    double relative = LS_TREND_FLOOR_SHARE_PER_DAY * process / SECONDS_PER_DAY;

    demand->sites = series->sites_tested > 0 ? series->sites_tested : 1;
    if (series->count_only) {
        demand->amount = LS_TREND_FLOOR_COUNT;
        demand->rate = LS_TREND_FLOOR_COUNT_PER_S;
        return;
    }
    demand->amount = LS_TREND_FLOOR_BYTES;
    demand->rate = relative > LS_TREND_FLOOR_BYTES_PER_S ? relative : LS_TREND_FLOOR_BYTES_PER_S;
}

static double tail_of(double score)
{
    return score > SCORE_CERTAIN ? 0.0 : ls_math_normal_tail(score);
}

/* The chance of such a score at any of the sites and windows, if none of them grew. */
static double chance_of(double score, double sites)
{
    double chance = tail_of(score) * LOOKS * sites;

    return chance < 1.0 ? chance : 1.0;
}

static bool is_significant(const struct ls_window_growth *growth, const struct demand *demand,
                           double slack)
{
    double score = growth->score + slack;

    return score >= SCORE_MIN && chance_of(score, demand->sites) <= FAMILY_ERROR;
}

/* Few blocks can come by chance without one going; many, or a steady beat, cannot. */
static bool has_pieces(const struct ls_window_growth *growth, const struct demand *demand)
{
    if (growth->regular)
        return growth->pieces >= PIECES_MIN;
    return growth->pieces >= PIECES_BY_CHANCE + ls_math_log(demand->sites) / LOG_OF_TWO;
}

/* A level the site has been at for a tenth of its time before is nothing new. */
static bool is_record(const struct ls_track *track, size_t first, size_t end)
{
    double before[LS_TREND_POINTS_MAX];
    double lowest = track->value[end - 1];

    if (first < RECORD_POINTS_MIN)
        return true;
    for (size_t i = 0; i < first; i++)
        before[i] = track->value[i];
    if (track->value[end - 2] < lowest)
        lowest = track->value[end - 2];
    return lowest > ls_slope_select(before, first, (size_t)(RECORD_SHARE * (double)first));
}

/* As large a rise was given back before: then only a window of several teeth is evidence. */
static bool is_a_tooth(const struct ls_track *track, size_t first, size_t end, double amount)
{
    unsigned inside;

    if (ls_cycles_count(track, 0, end, amount / 2.0) == 0)
        return false;
    inside = ls_cycles_count(track, first, end, amount / 2.0);
    return inside < 3;
}

/* The last steps bring clearly less than the window promised: the growth is over. */
static bool has_stopped(const struct ls_track *track, const struct ls_window *window,
                        const struct ls_window_growth *growth)
{
    size_t last = window->end - 1;
    double elapsed = track->time[last] - track->time[last - STOPPED_STEPS];
    double gained = track->value[last] - track->value[last - STOPPED_STEPS];
    double expected = growth->slope * elapsed;
    double share = elapsed / (track->time[last] - track->time[window->first]);

    return gained < STOPPED_SHARE * expected &&
           expected - gained > STOPPED_SCORE * growth->standard_error * ls_math_sqrt(share);
}

static bool grew(const struct ls_window *window, const struct demand *demand, double slack,
                 struct ls_window_growth *growth)
{
    double share = slack > 0.0 ? SHARE_EARLIER : 1.0;

    ls_window_shape(window, growth);
    if (!growth->minima_rise)
        return false;
    ls_window_measure(window, growth);
    return growth->amount >= demand->amount * share && growth->slope >= demand->rate * share &&
           is_significant(growth, demand, slack);
}

/* The last `length` points of the track, seen at a resolution of `points` points. */
static bool grows(const struct ls_track *track, size_t length, size_t points,
                  const struct demand *demand, struct ls_window *window,
                  struct ls_window_growth *growth)
{
    size_t end = track->count;
    size_t first = end - length;
    struct ls_window earlier;
    struct ls_window_growth earlier_growth;

    ls_window_cut(track, first, end, points, window);
    if (!grew(window, demand, 0.0, growth) || !has_pieces(growth, demand) ||
        has_stopped(track, window, growth) || !is_record(track, first, end) ||
        is_a_tooth(track, first, end, growth->amount))
        return false;
    ls_window_cut(track, first, end - 1, points, &earlier);
    return grew(&earlier, demand, SCORE_EARLIER, &earlier_growth);
}

/* The longest window that grows. */
static bool find_growth(const struct ls_track *track, const struct demand *demand,
                        struct ls_window *window, struct ls_window_growth *growth)
{
    for (size_t i = 0; i < LS_ARRAY_LENGTH(window_lengths); i++) {
        size_t length = window_lengths[i];
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

static double confidence_of(const struct ls_window_growth *growth, const struct demand *demand)
{
    double chance = chance_of(growth->score, demand->sites);
    double coins = ls_math_exp(-growth->pieces * LOG_OF_TWO);

    if (!growth->regular)
        coins *= demand->sites;
    if (coins > chance)
        chance = coins;
    return chance < 1.0 ? 1.0 - chance : 0.0;
}

static void report(const struct ls_track *track, const struct ls_trend_series *series, size_t first,
                   enum ls_verdict state, double confidence, struct ls_trend_verdict *verdict)
{
    struct ls_window window;
    struct ls_window_growth growth;
    double slope;

    ls_window_cut(track, first, track->count, LS_WINDOW_POINTS_MAX, &window);
    ls_window_measure(&window, &growth);
    slope = growth.slope;
    verdict->verdict = state;
    verdict->confidence = confidence;
    verdict->growth_error_per_s =
        growth.standard_error / (window.time[window.count - 1] - window.time[0]);
    verdict->growth_bytes_per_s = series->count_only ? 0.0 : slope;
    verdict->growth_count_per_s =
        series->count_only ? slope : ls_trend_slope(window.time, window.resources, window.count);
    verdict->window_start_s = track->time[first];
}

static bool judge_growth(const struct ls_track *track, const struct ls_trend_series *series,
                         const struct demand *demand, struct ls_trend_verdict *verdict)
{
    struct ls_window window;
    struct ls_window_growth growth;

    if (!find_growth(track, demand, &window, &growth))
        return false;
    report(track, series, window.first,
           ls_window_fades(&window) ? LS_VERDICT_SETTLING : LS_VERDICT_RISING,
           confidence_of(&growth, demand), verdict);
    return true;
}

/* The tail of a fill: it grew for certain, ever more slowly, and has not quite ended. */
static bool judge_settling(const struct ls_track *track, const struct ls_trend_series *series,
                           const struct demand *demand, struct ls_trend_verdict *verdict)
{
    struct ls_window window;
    struct ls_window_growth growth;

    for (size_t i = 0; i < LS_ARRAY_LENGTH(window_lengths); i++) {
        size_t length = window_lengths[i];
        size_t last = LS_WINDOW_POINTS_MAX;
        double total;
        double recent;

        if (length > track->count || length < 8)
            continue;
        ls_window_cut(track, track->count - length, track->count, LS_WINDOW_POINTS_MAX, &window);
        last = window.count - 1;
        total = window.value[last] - window.value[0];
        recent = window.value[last] - window.value[last - last / 4];
        if (total < demand->amount || recent < LS_TREND_SETTLED_SHARE * total)
            continue;
        ls_window_shape(&window, &growth);
        if (!growth.spread || !ls_window_fades(&window))
            continue;
        ls_window_measure(&window, &growth);
        if (growth.score < SCORE_MIN)
            continue;
        report(track, series, track->count - length, LS_VERDICT_SETTLING,
               confidence_of(&growth, demand), verdict);
        return true;
    }
    return false;
}

static bool judge_falling(const struct ls_track *track, const struct ls_trend_series *series,
                          const struct demand *demand, struct ls_trend_verdict *verdict)
{
    struct ls_track falls = *track;
    struct ls_window window;
    struct ls_window_growth growth;

    mirror(&falls);
    if (!find_growth(&falls, demand, &window, &growth))
        return false;
    report(track, series, window.first, LS_VERDICT_FALLING, confidence_of(&growth, demand),
           verdict);
    return true;
}

static bool judge_sawtooth(const struct ls_track *track, const struct ls_trend_series *series,
                           const struct demand *demand, size_t first,
                           struct ls_trend_verdict *verdict)
{
    double top = 0.0;
    double variance = 0.0;
    double height;
    unsigned teeth;

    for (size_t i = 0; i < track->count; i++) {
        if (track->level[i] > top)
            top = track->level[i];
        if (track->variance[i] > variance)
            variance = track->variance[i];
    }
    height = TOOTH_SHARE * top;
    if (height < TOOTH_SCORE * ls_math_sqrt(variance))
        height = TOOTH_SCORE * ls_math_sqrt(variance);
    if (height < demand->amount)
        height = demand->amount;
    teeth = ls_cycles_count(track, 0, track->count, height);
    if (teeth < 2)
        return false;
    report(track, series, first, LS_VERDICT_SAWTOOTH, 1.0 - ls_math_exp(-LOG_OF_TWO * teeth),
           verdict);
    return true;
}

/* Whether the track moves by enough for any verdict but steady: none of the others is given for
 * less. Most sites of a process do not, and are done with here. */
static bool moves(const struct ls_track *track, const struct demand *demand)
{
    double lowest = track->value[0];
    double highest = track->value[0];

    for (size_t i = 1; i < track->count; i++) {
        lowest = track->value[i] < lowest ? track->value[i] : lowest;
        highest = track->value[i] > highest ? track->value[i] : highest;
    }
    return highest - lowest >= demand->amount * SHARE_EARLIER;
}

void ls_trend_judge(const struct ls_trend_series *series, struct ls_trend_verdict *verdict)
{
    struct ls_track track;
    struct demand demand;
    size_t first;
    double rate;

    *verdict = (struct ls_trend_verdict){.verdict = LS_VERDICT_LEARNING};
    if (track_init(&track, series) < 0 || track.count < POINTS_MIN)
        return;
    demand_of(series, &demand);
    first = track.count > LS_WINDOW_POINTS_MAX ? track.count - LS_WINDOW_POINTS_MAX : 0;
    if (moves(&track, &demand) && (judge_growth(&track, series, &demand, verdict) ||
                                   judge_sawtooth(&track, series, &demand, first, verdict) ||
                                   judge_settling(&track, series, &demand, verdict) ||
                                   judge_falling(&track, series, &demand, verdict)))
        return;
    report(&track, series, first, LS_VERDICT_STEADY, 1.0, verdict);
    /* How sure it is that no growth above the floor is hidden in the noise. */
    rate = series->count_only ? verdict->growth_count_per_s : verdict->growth_bytes_per_s;
    if (verdict->growth_error_per_s > 0.0)
        verdict->confidence = 1.0 - tail_of((demand.rate - rate) / verdict->growth_error_per_s);
    else
        verdict->confidence = rate < demand.rate ? 1.0 : 0.0;
}
