#include "ledger/history.h"

#include <string.h>

/* The pair (i, i + 1) of which one goes: the one whose span is shortest relative to its age. */
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
        size_t higher = pair + (history->points[pair + 1].live_bytes >
                                history->points[pair].live_bytes);

        memmove(&history->points[higher], &history->points[higher + 1],
                (LS_HISTORY_POINTS - higher - 1) * sizeof(history->points[0]));
        history->count--;
    }
    history->points[history->count++] = point;
}
