#include "trend/episode.h"

/* A rise of which no more than this share is left has drained; one of which this share is left has
 * been kept. */
#define DRAINED_SHARE    0.25
#define KEPT_SHARE       0.75
#define RECENT_LENGTHS   3.0
#define RECENT_INTERVALS 60.0

static void begin(struct ls_trend_episode *episode, const struct ls_trend_series *series,
                  double began_s)
{
    size_t first = 0;

    while (first + 1 < series->count && series->points[first].time_s < began_s)
        first++;
    *episode = (struct ls_trend_episode){
        .state = LS_EPISODE_RISING,
        .before = (float)ls_trend_live(series, &series->points[first]),
        .began_s = began_s,
    };
}

/* Of a rise that is over, by a reading made since. */
static enum ls_episode_state outcome(const struct ls_trend_episode *episode, float live)
{
    double left = (double)(live - episode->before);
    double gain = (double)(episode->highest - episode->before);

    if (left <= DRAINED_SHARE * gain)
        return LS_EPISODE_DRAINED;
    return left >= KEPT_SHARE * gain ? LS_EPISODE_KEPT : LS_EPISODE_OVER;
}

void ls_trend_episode_follow(struct ls_trend_episode *episode, const struct ls_trend_series *series,
                             const struct ls_trend_verdict *verdict)
{
    const struct ls_trend_point *last;
    float live;

    if (series->count == 0)
        return;
    last = &series->points[series->count - 1];
    live = (float)ls_trend_live(series, last);
    if (verdict->verdict == LS_VERDICT_RISING) {
        if (episode->state == LS_EPISODE_NONE || episode->state == LS_EPISODE_DRAINED)
            begin(episode, series, verdict->window_start_s);
        episode->state = LS_EPISODE_RISING;
        episode->ended_s = last->time_s;
    } else if (episode->state == LS_EPISODE_RISING) {
        episode->state = LS_EPISODE_OVER;
    }
    if (episode->state == LS_EPISODE_NONE)
        return;
    if (live > episode->highest)
        episode->highest = live;
    if ((episode->state == LS_EPISODE_OVER || episode->state == LS_EPISODE_KEPT) &&
        last->time_s > episode->ended_s)
        episode->state = outcome(episode, live);
}

bool ls_trend_episode_is_recent(const struct ls_trend_episode *episode, double now_s,
                                double interval_s)
{
    double recent_s = RECENT_LENGTHS * (episode->ended_s - episode->began_s);

    if (recent_s < RECENT_INTERVALS * interval_s)
        recent_s = RECENT_INTERVALS * interval_s;
    return now_s - episode->ended_s <= recent_s;
}
