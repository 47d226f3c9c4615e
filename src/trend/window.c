#include "trend/window.h"

#include "base/math.h"
#include "trend/slope.h"

/* Fewer have no shape: readings far apart in time may leave so few when thinned. */
#define POINTS_MIN 4
/* A stretch's minimum must gain this share of the mean gain: a plateau inside a window is not
 * part of a rise. */
#define MINIMUM_GAIN_SHARE 0.25
/* What must be left of the growth without its largest step: one jump is not a rise. */
#define SPREAD_SHARE 0.4
/* The history says something about noise from this many points on. */
#define HISTORY_POINTS_MIN 8
/* How far the steps may scatter beyond independent blocks coming and going before the scatter
 * itself is believed: 3 is where a chi-square of 4 degrees of freedom, divided by them, has 1.7 %
 * of its mass beyond. */
#define OVERDISPERSION 3.0
/* Scatter is estimated from few steps; counts as if this many more had shown the same. */
#define PRIOR_DEGREES 6.0
/* The share of the growth that a growing number of blocks must account for. */
#define GREW_BY_NUMBER 0.25
/* Shorter windows cannot tell how a fade goes on. */
#define STILL_POINTS_MIN 12
#define SCORE_MAX        40.0 /* the tail beyond is no number any more */
/* Sizes without counts: nothing to say about the number of blocks. */
#define PIECES_UNKNOWN 1e9

/* The median size of a step before the window, made a standard deviation of normal noise
 * (https://doi.org/10.1080/01621459.1974.10482962). The median leaves out the single jump of a
 * burst that is long over. */
static double scatter_before(const struct ls_track *track, size_t first)
{
    double steps[LS_TREND_POINTS_MAX];
    double middle;
    double deviation;
    size_t count = 0;

    if (first < HISTORY_POINTS_MIN)
        return 0.0;
    for (size_t i = 1; i < first; i++)
        steps[count++] = track->value[i] - track->value[i - 1];
    middle = ls_slope_median(steps, count);
    for (size_t i = 0; i < count; i++)
        steps[i] = steps[i] > middle ? steps[i] - middle : middle - steps[i];
    deviation = 1.4826 * ls_slope_median(steps, count);
    return deviation * deviation;
}

static void take_point(const struct ls_track *track, size_t from, struct ls_window *window,
                       size_t at)
{
    window->time[at] = track->time[from];
    window->value[at] = track->value[from];
    window->resources[at] = track->resources[from];
}

static void thin(const struct ls_track *track, size_t first, size_t end, size_t stretches,
                 struct ls_window *window)
{
    double start = track->time[first];
    double length = (track->time[end - 1] - start) / (double)stretches;
    size_t stretch = stretches;

    window->count = 0;
    for (size_t i = first; i < end; i++) {
        size_t at = (size_t)((track->time[i] - start) / length);

        if (at >= stretches)
            at = stretches - 1;
        if (at != stretch) {
            stretch = at;
            window->count++;
        } else if (track->value[i] >= window->value[window->count - 1]) {
            continue;
        }
        take_point(track, i, window, window->count - 1);
    }
}

void ls_window_cut(const struct ls_track *track, size_t first, size_t end, size_t points_max,
                   struct ls_window *window)
{
    if (end - first > points_max) {
        thin(track, first, end, points_max, window);
    } else {
        window->count = end - first;
        for (size_t i = first; i < end; i++)
            take_point(track, i, window, i - first);
    }
    window->track = track;
    window->first = first;
    window->end = end;
    window->coarse = points_max < LS_WINDOW_POINTS_MAX;
}

/* What chance deals in: a live resource. 0 where that says nothing, as their number did not grow
 * with their size: a buffer that is made larger and larger. */
static double block_size(const struct ls_window *window)
{
    const struct ls_track *track = window->track;
    size_t last = window->end - 1;
    double block = track->block[last];
    double gain = track->level[last] - track->level[window->first];
    double number = track->resources[last] - track->resources[window->first];

    if (gain < 0.0) {
        gain = -gain;
        number = -number;
    }
    return number * block < GREW_BY_NUMBER * gain ? 0.0 : block;
}

/* What one sample weighs beyond the block it stands for: the variance of a sampled size is this
 * times the size. 0 when counted exactly. */
static double sample_weight(const struct ls_window *window)
{
    double level = window->track->level[window->end - 1];

    return level > 0.0 ? window->track->variance[window->end - 1] / level : 0.0;
}

static bool minima_rise(const struct ls_window *window)
{
    size_t stretches = window->count < 12 ? 3 : window->count < 16 ? 4 : 5;
    double minima[5];
    double mean_gain;

    for (size_t stretch = 0; stretch < stretches; stretch++) {
        size_t first = (stretch * window->count + stretches - 1) / stretches;
        size_t end = ((stretch + 1) * window->count + stretches - 1) / stretches;

        minima[stretch] = window->value[first];
        for (size_t i = first + 1; i < end; i++) {
            if (window->value[i] < minima[stretch])
                minima[stretch] = window->value[i];
        }
    }
    mean_gain = (minima[stretches - 1] - minima[0]) / (double)(stretches - 1);
    if (!(mean_gain > 0.0))
        return false;
    for (size_t stretch = 1; stretch < stretches; stretch++) {
        if (minima[stretch] - minima[stretch - 1] < MINIMUM_GAIN_SHARE * mean_gain)
            return false;
    }
    return true;
}

void ls_window_shape(const struct ls_window *window, struct ls_window_growth *growth)
{
    double largest = 0.0;
    double total = window->value[window->count - 1] - window->value[0];

    for (size_t i = 1; i < window->count; i++) {
        if (window->value[i] - window->value[i - 1] > largest)
            largest = window->value[i] - window->value[i - 1];
    }
    growth->spread =
        window->count >= POINTS_MIN && total > 0.0 && total - largest >= SPREAD_SHARE * total;
    growth->minima_rise = growth->spread && minima_rise(window);
}

/*
 * The variance that steps without memory would add up to over the window, from the differences of
 * neighbouring rates (von Neumann's estimator), which leaves a bend in the growth out of the
 * noise. For noise that returns to a mean it is too large: it errs to the safe side.
 */
static double scatter(const struct ls_window *window)
{
    double sum = 0.0;
    double rate_before = 0.0;
    double elapsed_before = 0.0;
    size_t differences = 0;

    for (size_t i = 1; i < window->count; i++) {
        double elapsed = window->time[i] - window->time[i - 1];
        double rate = (window->value[i] - window->value[i - 1]) / elapsed;
        double change = rate - rate_before;

        if (i > 1) {
            sum += change * change / (1.0 / elapsed + 1.0 / elapsed_before);
            differences++;
        }
        rate_before = rate;
        elapsed_before = elapsed;
    }
    if (differences == 0)
        return 0.0;
    return sum / (double)differences * (window->time[window->count - 1] - window->time[0]);
}

static bool is_regular(const struct ls_window *window, double slope)
{
    for (size_t i = 1; i < window->count; i++) {
        double gain = window->value[i] - window->value[i - 1];
        double expected = slope * (window->time[i] - window->time[i - 1]);
        double off = gain > expected ? gain - expected : expected - gain;

        if (off > 0.51 * block_size(window))
            return false;
    }
    return true;
}

static double score_of(double amount, double variance)
{
    double score;

    if (!(variance > 0.0))
        return amount > 0.0 ? SCORE_MAX : amount < 0.0 ? -SCORE_MAX : 0.0;
    score = amount / ls_math_sqrt(variance);
    return score > SCORE_MAX ? SCORE_MAX : score < -SCORE_MAX ? -SCORE_MAX : score;
}

/* What came since the first reading and is live, and what left of what was live then. */
static double turnover(const struct ls_window *window)
{
    const struct ls_track *track = window->track;
    double before = track->level[window->first];
    double after = track->level[window->end - 1];
    double stayed = track->kept_weight > 0.0 ? track->kept[window->first] : 0.0;

    if (stayed > before)
        stayed = before;
    if (stayed > after)
        stayed = after;
    return before + after - 2.0 * stayed;
}

/* The variance that blocks give which come and go independently of each other, at least `least`:
 * from what did come and go; and where the scatter is beyond that, from all that is in the two
 * readings. 0 when the scatter is beyond that as well. */
static double independent_variance(const struct ls_window *window, double least, double observed)
{
    const struct ls_track *track = window->track;
    double unit = sample_weight(window) + block_size(window);
    double both = unit * (track->level[window->first] + track->level[window->end - 1]);
    double turned = unit * turnover(window);

    if (turned < least)
        turned = least;
    if (both < least)
        both = least;
    if (observed <= OVERDISPERSION * turned)
        return turned;
    return observed <= OVERDISPERSION * both ? both : 0.0;
}

/*
 * The growth against what chance alone would make of the window, by two rulers. Blocks that come
 * and go independently of each other give at most `most`, whatever their number: where ages are not
 * known, none of the first reading's blocks is left in the last one. The observed scatter is the
 * other: it knows blocks that stay, for which `most` is far too much, and blocks that come in
 * batches, for which it is too little, but from a few steps it is known badly. A window far more
 * scattered than independent blocks allow is left to the second alone.
 */
static void weigh(const struct ls_window *window, struct ls_window_growth *growth)
{
    double block = block_size(window);
    double sample = sample_weight(window);
    double steps = (double)(window->count - 1);
    double size = growth->amount < 0.0 ? -growth->amount : growth->amount;
    /* Every block that came since stayed; and the moment of a reading falls between two blocks. */
    double least = sample * size + block * block / 6.0;
    double before = scatter_before(window->track, window->first) * steps;
    double observed = scatter(window);
    double degrees = 2.0 * steps / 3.0 + (window->coarse ? 0.0 : PRIOR_DEGREES);
    double most;

    if (observed < before) {
        observed = before;
        degrees = (double)window->first;
    }
    most = window->coarse ? 0.0 : independent_variance(window, least, observed);
    if (observed <= least) {
        observed = least;
        growth->score = score_of(growth->amount, least);
    } else {
        growth->score = ls_math_student_score(score_of(growth->amount, observed), degrees);
    }
    if (most > 0.0) {
        double independent = score_of(growth->amount, most);

        if (independent * growth->score > 0.0 &&
            independent * independent > growth->score * growth->score) {
            growth->score = independent;
            observed = most;
        }
    }
    growth->standard_error = ls_math_sqrt(observed);
}

void ls_window_measure(const struct ls_window *window, struct ls_window_growth *growth)
{
    double span = window->time[window->count - 1] - window->time[0];
    double weight = sample_weight(window) + block_size(window);
    double size;

    growth->slope = ls_trend_slope(window->time, window->value, window->count);
    growth->amount = growth->slope * span;
    size = growth->amount < 0.0 ? -growth->amount : growth->amount;
    growth->pieces = weight > 0.0 ? size / weight : PIECES_UNKNOWN;
    growth->by_number = block_size(window) > 0.0;
    growth->regular = sample_weight(window) == 0.0 && is_regular(window, growth->slope);
    weigh(window, growth);
}

static double rate_between(const struct ls_window *window, size_t from, size_t to)
{
    return (window->value[to] - window->value[from]) / (window->time[to] - window->time[from]);
}

double ls_window_last_rate(const struct ls_window *window, double share)
{
    size_t last = window->count - 1;
    double from = window->time[last] - share * (window->time[last] - window->time[0]);
    size_t at = last - 1;

    while (at > 0 && window->time[at - 1] >= from)
        at--;
    return rate_between(window, at, last);
}

struct fade {
    double ratio;       /* of the later half's rate to the earlier's, to be under */
    double score;       /* standard errors by which it is less */
    double short_score; /* the same of a window that cannot tell how the fade goes on */
    double slack;       /* standard errors by which the last quarter may seem not to slow down */
};

/* Once seen to fade, a series is believed to until it clearly does not. */
static const struct fade first_time = {
    .ratio = 0.75, .score = 1.5, .short_score = 3.0, .slack = 1.0};
static const struct fade again = {.ratio = 0.85, .score = 1.0, .short_score = 1.0, .slack = 2.0};

/* Whether the last quarter of the window grows more slowly than the one before. What fades evenly
 * loses in each quarter the root of what it loses in half of the window; half of that is asked. */
static bool still_slows(const struct ls_window *window, double ratio, double variance, double slack)
{
    size_t last = window->count - 1;
    size_t third = last / 2;
    size_t fourth = last - last / 4;
    double elapsed_before = window->time[fourth] - window->time[third];
    double elapsed = window->time[last] - window->time[fourth];
    double bend = (1.0 + ls_math_sqrt(ratio > 0.0 ? ratio : 0.0)) / 2.0;
    double scale = bend * elapsed / elapsed_before;
    double gain_before = window->value[fourth] - window->value[third];
    double gain = window->value[last] - window->value[fourth];
    double error = ls_math_sqrt(variance * (elapsed + scale * scale * elapsed_before) /
                                (window->time[last] - window->time[0]));

    return gain - scale * gain_before < slack * error;
}

bool ls_window_fades(const struct ls_window *window)
{
    const struct fade *fade = window->track->was_settling ? &again : &first_time;
    size_t last = window->count - 1;
    size_t middle = last / 2;
    double span = window->time[last] - window->time[0];
    double early = rate_between(window, 0, middle);
    double late = rate_between(window, last - middle, last);
    double least = sample_weight(window) * (window->value[last] - window->value[0]);
    double variance = scatter(window);
    double score = window->count < STILL_POINTS_MIN ? fade->short_score : fade->score;

    if (!(early > 0.0) || late >= fade->ratio * early)
        return false;
    if (variance < least)
        variance = least;
    /* Each half has half the variance over half the time. */
    if (early - late < score * 2.0 * ls_math_sqrt(variance) / span)
        return false;
    return window->count < STILL_POINTS_MIN ||
           still_slows(window, late / early, variance, fade->slack);
}
