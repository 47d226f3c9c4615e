/*
 * The peers of the sockets that a picture lists: of each site the busiest and those that fail, the
 * rest as one.
 */
#ifndef LS_RUNTIME_PICTURE_PEERS_H
#define LS_RUNTIME_PICTURE_PEERS_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/site_table.h"
#include "report/snapshot.h"
#include "system/arena.h"

/* Of one socket site, at most. */
#define LS_PICTURE_PEERS_BYTES                                                                     \
    ((LS_SNAPSHOT_PEERS_MAX + 1) * (sizeof(struct ls_snapshot_peer) + 192))

/* Before the others and before the sites are put in order, once a picture: what has been opened
 * since the last, and how often it failed. */
void ls_picture_peers_begin(uint64_t now_ns);
/* Fills in the peers of one site. Under the collector's lock; nothing when the arena is full. */
void ls_picture_peers(struct ls_arena *arena, const struct ls_site *site,
                      struct ls_snapshot_site *view);

#endif
