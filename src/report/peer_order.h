/*
 * The peers of all sites of a summary in the order of what a reader looks for: those that failed
 * most often first, then the busiest. Pure.
 */
#ifndef LS_REPORT_PEER_ORDER_H
#define LS_REPORT_PEER_ORDER_H

#include "report/snapshot.h"

struct ls_peer_place {
    const struct ls_snapshot_site *site;
    const struct ls_snapshot_peer *peer;
};

/* Fills in the first `capacity` of them; returns how many. */
size_t ls_peer_order(const struct ls_snapshot *snapshot, struct ls_peer_place *places,
                     size_t capacity);

#endif
