#include "trend/episode.h"

/* A rise of which no more than this share is left has drained. */
#define DRAINED_SHARE    0.25
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

void ls_trend_episode_follow(struct ls_trend_episode *episode, const struct ls_trend_series *series,
                             const struct ls_trend_verdict *verdict)
{
    float live;

    if (series->count == 0)
        return;
    live = (float)ls_trend_live(series, &series->points[series->count - 1]);
    if (verdict->verdict == LS_VERDICT_RISING) {
        if (episode->state == LS_EPISODE_NONE || episode->state == LS_EPISODE_DRAINED)
            begin(episode, series, verdict->window_start_s);
        episode->state = LS_EPISODE_RISING;
        episode->ended_s = series->points[series->count - 1].time_s;
    } else if (episode->state == LS_EPISODE_RISING) {
        episode->state = LS_EPISODE_OVER;
    }
    if (episode->state == LS_EPISODE_NONE)
        return;
    if (live > episode->highest)
        episode->highest = live;
    if (episode->state == LS_EPISODE_OVER &&
        (double)(live - episode->before) <=
            DRAINED_SHARE * (double)(episode->highest - episode->before))
        episode->state = LS_EPISODE_DRAINED;
}

bool ls_trend_episode_is_recent(const struct ls_trend_episode *episode, double now_s,
                                double interval_s)
{
    double recent_s = RECENT_LENGTHS * (episode->ended_s - episode->began_s);

    if (recent_s < RECENT_INTERVALS * interval_s)
        recent_s = RECENT_INTERVALS * interval_s;
    return now_s - episode->ended_s <= recent_s;
}
