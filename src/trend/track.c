#include "trend/track.h"

#include <errno.h>

#include "base/math.h"

#define USABLE_MAX      1e18
#define SECONDS_PER_DAY 86400.0
/* Of all the verdicts of one interval together, the share of false alarms the correction allows.
 * There are 360 intervals in an hour, but what is seen in one is mostly seen in the next. */
#define FAMILY_ERROR 0.001
/* log2(1 / FAMILY_ERROR). */
#define PIECES_BY_CHANCE 9.97
#define LOG_OF_TWO       0.69314718055994530942
/* Beyond it a chance is lost in the rounding of 1 less it, whatever the number of sites. */
#define SCORE_CERTAIN 12.0
/* Windows a site is looked at in: eight lengths, those of more than LS_WINDOW_POINTS_MAX points
 * twice. */
#define LOOKS 12.0

/* Not NaN, and small enough that squares and sums of squares stay finite. */
static bool is_usable(double value)
{
    return value > -USABLE_MAX && value < USABLE_MAX;
}

static void add_point(struct ls_track *track, const struct ls_trend_series *series, size_t i)
{
    const struct ls_trend_point *point = &series->points[i];
    double level = ls_trend_live(series, point);
    double error = series->count_only ? 0.0 : point->error_bytes;
    double block = series->count_only ? 1.0 : 0.0;

    if (!series->count_only && point->live_count > 0.0)
        block = level / point->live_count;
    track->time[track->count] = point->time_s;
    track->value[track->count] = level;
    track->level[track->count] = level;
    track->variance[track->count] = error * error;
    track->resources[track->count] = point->live_count;
    track->kept[track->count] = series->ages != NULL ? (double)series->ages->kept[i] : 0.0;
    track->block[track->count++] = block;
}

int ls_track_init(struct ls_track *track, const struct ls_trend_series *series)
{
    track->count = 0;
    track->interval_s = series->interval_s;
    track->kept_weight = series->ages != NULL ? series->ages->kept_weight : 0.0;
    track->released = series->ages != NULL ? series->ages->released : NULL;
    track->was_settling = series->was_settling;
    if (series->points == NULL || series->count > LS_TREND_POINTS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < series->count; i++) {
        const struct ls_trend_point *point = &series->points[i];

        if (!is_usable(point->time_s) || !is_usable(point->live_bytes) ||
            !is_usable(point->live_count) || !is_usable(point->error_bytes) ||
            ls_trend_live(series, point) < 0.0)
            return -EINVAL;
        if (i > 0 && point->time_s < series->points[i - 1].time_s)
            return -EINVAL;
        /* Times kept in single precision run together late in a long run. */
        if (point->time_s < series->warmup_s ||
            (track->count > 0 && point->time_s == track->time[track->count - 1]))
            continue;
        add_point(track, series, i);
    }
    return 0;
}

void ls_track_mirror(struct ls_track *track)
{
    double top = 0.0;

    for (size_t i = 0; i < track->count; i++) {
        if (track->level[i] > top)
            top = track->level[i];
    }
    for (size_t i = 0; i < track->count; i++)
        track->value[i] = top - track->level[i];
    track->kept_weight = 0.0;
    track->released = NULL;
}

void ls_demand_init(struct ls_demand *demand, const struct ls_trend_series *series)
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

double ls_demand_chance(const struct ls_demand *demand, double score)
{
    double tail = score > SCORE_CERTAIN ? 0.0 : ls_math_normal_tail(score);
    double chance = tail * LOOKS * demand->sites;

    return chance < 1.0 ? chance : 1.0;
}

bool ls_demand_is_met(const struct ls_demand *demand, double score)
{
    return score >= LS_SCORE_MIN && ls_demand_chance(demand, score) <= FAMILY_ERROR;
}

double ls_demand_pieces(const struct ls_demand *demand)
{
    return PIECES_BY_CHANCE + ls_math_log(demand->sites) / LOG_OF_TWO;
}
