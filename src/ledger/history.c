#include "ledger/history.h"

#include <string.h>

/* The lower of the two readings stands for both spans. */
static struct ls_history_point merged(const struct ls_history_point *older,
                                      const struct ls_history_point *newer)
{
    struct ls_history_point lower = newer->live_bytes < older->live_bytes ? *newer : *older;
    double reading_s = ls_history_time(&lower);

    lower.time_s = newer->time_s;
    lower.lag_s = (float)(newer->time_s - reading_s);
    return lower;
}

/* The pair (i, i + 1) to merge: the one whose span is shortest relative to its age. */
static size_t pair_to_merge(const struct ls_history *history)
{
    const struct ls_history_point *points = history->points;
    double now = points[history->count - 1].time_s;
    size_t best = 0;
    double best_ratio = -1.0;

    for (size_t i = 0; i + 1 < LS_HISTORY_POINTS - LS_HISTORY_RECENT; i++) {
        double start = i == 0 ? 0 : points[i - 1].time_s;
        double age = now - points[i + 1].time_s;
        double ratio = age > 0 ? (points[i + 1].time_s - start) / age : 0;

        if (best_ratio < 0 || ratio < best_ratio) {
            best_ratio = ratio;
            best = i;
        }
    }
    return best;
}

void ls_history_add(struct ls_history *history, struct ls_history_point point)
{
    if (history->count > 0 && point.time_s < history->points[history->count - 1].time_s)
        return;
    if (history->count == LS_HISTORY_POINTS) {
        size_t pair = pair_to_merge(history);

        history->points[pair] = merged(&history->points[pair], &history->points[pair + 1]);
        memmove(&history->points[pair + 1], &history->points[pair + 2],
                (LS_HISTORY_POINTS - pair - 2) * sizeof(history->points[0]));
        history->count--;
    }
    history->points[history->count++] = point;
}
