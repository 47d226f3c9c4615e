/*
 * Native memory that JavaScript objects hold: a Buffer's bytes, a zlib stream's state. It is freed
 * when V8 collects the object, and until V8 first does, all of it stays: a service that makes a
 * stream a request rises like a leak, and falls at the first major collection. So a native site
 * with a JavaScript function in its stack is only said to rise when its growth has lived through a
 * major collection.
 *
 * V8 collects on account of such memory too, when it has grown enough; and it may see no reason to
 * for very long. So growth beyond that, or for long enough, is believed without.
 */
#include "runtime/runtime.h"

#include <string.h>

/* In examples/buffers (64 KiB each, Node 22 and 24) V8 first makes a major collection at 40 MB of
 * external memory in all. */
#define BELIEVED_BYTES     (24.0 * 1024 * 1024)
#define BELIEVED_INTERVALS 60.0
#define BELIEVED_S         60.0
/* Of the growth told, what has lived through the last collection is at least this share: from one
 * collection to another, for a leak may lie under the garbage of the same function; and where none
 * came before, when what is held at any time, streams at work, has come since the beginning too. */
#define KEPT_SHARE       0.25
#define KEPT_SHARE_FIRST 0.5
/* Two collections closer together, in intervals, have nothing to compare between them. */
#define COLLECTIONS_APART 6.0
#define COLLECTIONS_MAX   64

/* Summaries before which an isolate had made a major collection, oldest first. */
static double collected_s[COLLECTIONS_MAX];
static size_t collections;

void ls_js_held_collected(double now_s)
{
    if (collections == COLLECTIONS_MAX) {
        memmove(collected_s, collected_s + 1, (COLLECTIONS_MAX - 1) * sizeof(*collected_s));
        collections--;
    }
    collected_s[collections++] = now_s;
}

/* The last at or before that time; -1 when there is none. */
static double collection_before(double time_s)
{
    for (size_t i = collections; i > 0; i--) {
        if (collected_s[i - 1] <= time_s)
            return collected_s[i - 1];
    }
    return -1;
}

/* Of the points at and after that time the first, or the lowest: what a collection frees,
 * finalisers may free an interval later. */
static double bytes_at(const struct ls_history *history, double time_s)
{
    for (uint32_t i = 0; i < history->count; i++) {
        if (ls_history_time(&history->points[i]) >= time_s)
            return (double)history->points[i].live_bytes;
    }
    return 0;
}

static double least_since(const struct ls_history *history, double time_s)
{
    double least = -1;

    for (uint32_t i = 0; i < history->count; i++) {
        double bytes = (double)history->points[i].live_bytes;

        if (ls_history_time(&history->points[i]) >= time_s && (least < 0 || bytes < least))
            least = bytes;
    }
    return least;
}

/* Counted from an earlier collection at or before the growth's beginning; where there is none, from
 * that beginning, or the site's. */
static bool has_outlived(const struct ls_history *history, const struct ls_trend_verdict *verdict,
                         double collection_s, double interval_s)
{
    double latest_s = collection_s - COLLECTIONS_APART * interval_s;
    double from_s =
        collection_before(verdict->window_start_s < latest_s ? verdict->window_start_s : latest_s);
    double first_s = ls_history_time(&history->points[0]);
    double share = KEPT_SHARE;

    if (from_s < first_s) {
        share = KEPT_SHARE_FIRST;
        from_s = verdict->window_start_s < collection_s ? verdict->window_start_s : first_s;
    }
    return least_since(history, collection_s) - bytes_at(history, from_s) >=
           share * verdict->growth_bytes_per_s * (collection_s - from_s);
}

bool ls_js_held_may_rise(const struct ls_site *site, const struct ls_trend_verdict *verdict,
                         double now_s, double interval_s)
{
    const struct ls_history *history = &site->history;
    double collection_s = collection_before(now_s - interval_s);
    double since_s;

    if (!site->in_js || history->count == 0 ||
        (site->resource != LS_RESOURCE_HEAP && site->resource != LS_RESOURCE_MAP))
        return true;
    since_s = ls_history_time(&history->points[0]);
    if (collection_s > since_s) {
        if (has_outlived(history, verdict, collection_s, interval_s))
            return true;
        since_s = collection_s;
    }
    return site->tally.live_bytes - bytes_at(history, since_s) >= BELIEVED_BYTES ||
           (now_s - since_s >= BELIEVED_INTERVALS * interval_s && now_s - since_s >= BELIEVED_S);
}

void ls_js_held_after_fork(void)
{
    collections = 0;
}
