#include "trend/trend.h"

#include "base/math.h"
#include "trend/cycles.h"
#include "trend/growth.h"
#include "trend/survival.h"
#include "trend/track.h"
#include "trend/window.h"

#define POINTS_MIN 6
#define LOG_OF_TWO 0.69314718055994530942
/* Below this share of the least amount that is told, nothing moves. */
#define MOVES_SHARE 0.6
/* Teeth of this share of the level, or this many sampling errors, make a sawtooth. */
#define TOOTH_SHARE     0.2
#define TOOTH_SCORE     4.0
#define FADE_POINTS_MIN 8

static double confidence_of(const struct ls_window_growth *growth, const struct ls_demand *demand)
{
    double chance = ls_demand_chance(demand, growth->score);
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
                         const struct ls_demand *demand, struct ls_trend_verdict *verdict)
{
    struct ls_window window;
    struct ls_window_growth growth;

    if (!ls_growth_find(track, demand, &window, &growth))
        return false;
    report(track, series, window.first,
           ls_growth_has_faded(track, &window) ? LS_VERDICT_SETTLING : LS_VERDICT_RISING,
           confidence_of(&growth, demand), verdict);
    return true;
}

/* A leak that the site's other resources hide; its size is not the live size's. */
static bool judge_survivors(const struct ls_track *track, const struct ls_trend_series *series,
                            const struct ls_demand *demand, struct ls_trend_verdict *verdict)
{
    double block = track->block[track->count - 1];

    for (size_t i = 0; i < LS_GROWTH_WINDOWS; i++) {
        struct ls_window_growth growth = {.regular = false};
        size_t first = track->count - ls_growth_lengths[i];

        if (ls_growth_lengths[i] > track->count ||
            !ls_survival_grows(track, first, demand, &growth))
            continue;
        report(track, series, first, LS_VERDICT_RISING, confidence_of(&growth, demand), verdict);
        verdict->growth_error_per_s = growth.standard_error / growth.amount * growth.slope;
        verdict->growth_bytes_per_s = series->count_only ? 0.0 : growth.slope;
        verdict->growth_count_per_s = block > 0.0 ? growth.slope / block : 0.0;
        return true;
    }
    return false;
}

/* The tail of a fill: it grew for certain, ever more slowly, and has not quite ended. */
static bool judge_settling(const struct ls_track *track, const struct ls_trend_series *series,
                           const struct ls_demand *demand, struct ls_trend_verdict *verdict)
{
    struct ls_window window;
    struct ls_window_growth growth;

    for (size_t i = 0; i < LS_GROWTH_WINDOWS; i++) {
        size_t length = ls_growth_lengths[i];
        size_t last = LS_WINDOW_POINTS_MAX;
        double total;
        double recent;

        if (length > track->count || length < FADE_POINTS_MIN)
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
        if (growth.score < LS_SCORE_MIN)
            continue;
        report(track, series, track->count - length, LS_VERDICT_SETTLING,
               confidence_of(&growth, demand), verdict);
        return true;
    }
    return false;
}

static bool judge_falling(const struct ls_track *track, const struct ls_trend_series *series,
                          const struct ls_demand *demand, struct ls_trend_verdict *verdict)
{
    struct ls_track falls = *track;
    struct ls_window window;
    struct ls_window_growth growth;

    ls_track_mirror(&falls);
    if (!ls_growth_find(&falls, demand, &window, &growth))
        return false;
    report(track, series, window.first, LS_VERDICT_FALLING, confidence_of(&growth, demand),
           verdict);
    return true;
}

static bool judge_sawtooth(const struct ls_track *track, const struct ls_trend_series *series,
                           const struct ls_demand *demand, size_t first,
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
static bool moves(const struct ls_track *track, const struct ls_demand *demand)
{
    double lowest = track->value[0];
    double highest = track->value[0];

    for (size_t i = 1; i < track->count; i++) {
        lowest = track->value[i] < lowest ? track->value[i] : lowest;
        highest = track->value[i] > highest ? track->value[i] : highest;
    }
    return highest - lowest >= demand->amount * MOVES_SHARE;
}

void ls_trend_judge(const struct ls_trend_series *series, struct ls_trend_verdict *verdict)
{
    struct ls_track track;
    struct ls_demand demand;
    size_t first;
    double rate;

    *verdict = (struct ls_trend_verdict){.verdict = LS_VERDICT_LEARNING};
    if (ls_track_init(&track, series) < 0 || track.count < POINTS_MIN)
        return;
    ls_demand_init(&demand, series);
    first = track.count > LS_WINDOW_POINTS_MAX ? track.count - LS_WINDOW_POINTS_MAX : 0;
    if (moves(&track, &demand) && (judge_growth(&track, series, &demand, verdict) ||
                                   judge_sawtooth(&track, series, &demand, first, verdict) ||
                                   judge_settling(&track, series, &demand, verdict) ||
                                   judge_survivors(&track, series, &demand, verdict) ||
                                   judge_falling(&track, series, &demand, verdict)))
        return;
    report(&track, series, first, LS_VERDICT_STEADY, 1.0, verdict);
    /* How sure it is that no growth above the floor is hidden in the noise. */
    rate = series->count_only ? verdict->growth_count_per_s : verdict->growth_bytes_per_s;
    if (verdict->growth_error_per_s > 0.0)
        verdict->confidence =
            1.0 - ls_math_normal_tail((demand.rate - rate) / verdict->growth_error_per_s);
    else
        verdict->confidence = rate < demand.rate ? 1.0 : 0.0;
}
