/*
 * When a limit is reached, from readings of what counts against it and from what the rising sites
 * add to that.
 */
#include "base/math.h"
#include "trend/trend.h"

/* To about where a site is first seen to rise. */
#define RECENT_POINTS 6
/* What is left after collections has a slope from here on that is better than sampled sites'. */
#define COLLECTIONS_MIN 3
/* Nine of ten normal variables lie within so many standard errors. */
#define NINE_OF_TEN 1.645
/* Standard error of the rate, as a share of it, that no slope shows: a load that changes, and what
 * is kept free of a limit or counts against it in large steps. */
#define UNSEEN_SHARE 0.05

struct growth {
    double rate;
    double error;
};

double ls_trend_recent_slope(const struct ls_trend_point *points, size_t count, size_t last)
{
    double times[LS_TREND_POINTS_MAX];
    double values[LS_TREND_POINTS_MAX];
    size_t first = count > last ? count - last : 0;

    for (size_t i = first; i < count; i++) {
        times[i - first] = points[i].time_s;
        values[i - first] = points[i].live_bytes;
    }
    return ls_trend_slope(times, values, count - first);
}

double ls_trend_slope_since(const struct ls_trend_point *points, size_t count, double time_s,
                            size_t least)
{
    size_t last = 0;

    while (last < count && points[count - 1 - last].time_s >= time_s)
        last++;
    return ls_trend_recent_slope(points, count, last > least ? last : least);
}

/* The trend of what is used where it has one; else what the sites show, or the last readings if
 * they grow faster. Reserved memory is used in steps, and may hide for a while what the sites
 * already show: the nearer end is the one to warn of. */
static struct growth growth_of(const struct ls_trend_process *process,
                               const struct ls_trend_limit *limit)
{
    const struct ls_trend_series series = {
        .points = limit->used,
        .count = limit->count,
        .step_s = process->step_s,
        .interval_s = process->interval_s,
        .warmup_s = process->warmup_s,
        .process_bytes = limit->used_bytes,
        .sites_tested = 1,
    };
    const struct growth sites = {limit->rising_bytes_per_s, limit->rising_error_per_s};
    struct ls_trend_verdict used;
    struct growth recent;

    if (limit->used == NULL || limit->count > LS_TREND_POINTS_MAX ||
        limit->count < (limit->after_collections ? COLLECTIONS_MIN : RECENT_POINTS))
        return sites;
    ls_trend_judge(&series, &used);
    if (used.verdict == LS_VERDICT_RISING)
        return (struct growth){used.growth_bytes_per_s, used.growth_error_per_s};
    recent.rate = ls_trend_recent_slope(limit->used, limit->count, RECENT_POINTS);
    recent.error = used.growth_error_per_s;
    if (limit->rising_sites > 0 && limit->after_collections && ls_math_is_positive(recent.rate)) {
        /* Few points do not show their scatter: the other figure says how far off they may be. */
        recent.error = recent.rate - sites.rate;
        return recent;
    }
    return limit->rising_sites > 0 && recent.rate > sites.rate ? recent : sites;
}

static double time_to(double room, double rate, double age_s)
{
    double seconds = room / rate - age_s;

    return seconds > 0.0 ? seconds : 0.0;
}

void ls_trend_forecast(const struct ls_trend_process *process, const struct ls_trend_limit *limit,
                       struct ls_trend_process_verdict *verdict)
{
    double room = limit->limit_bytes - limit->used_bytes;
    struct growth growth;
    double unseen;
    double either_way;

    verdict->seconds_to_limit = -1.0;
    verdict->seconds_to_limit_low = -1.0;
    verdict->seconds_to_limit_high = -1.0;
    if (!ls_math_is_positive(limit->limit_bytes))
        return;
    growth = growth_of(process, limit);
    if (!ls_math_is_positive(growth.rate))
        return;
    unseen = UNSEEN_SHARE * growth.rate;
    either_way = NINE_OF_TEN * ls_math_sqrt(growth.error * growth.error + unseen * unseen);
    verdict->seconds_to_limit = time_to(room, growth.rate, limit->used_age_s);
    verdict->seconds_to_limit_low = time_to(room, growth.rate + either_way, limit->used_age_s);
    if (growth.rate > either_way)
        verdict->seconds_to_limit_high = time_to(room, growth.rate - either_way, limit->used_age_s);
}
