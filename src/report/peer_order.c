#include "report/peer_order.h"

static bool comes_before(const struct ls_snapshot_peer *one, const struct ls_snapshot_peer *other)
{
    return one->failed > other->failed ||
           (one->failed >= other->failed && one->opened > other->opened);
}

/* Keeps the first few in order. */
static size_t insert(struct ls_peer_place *places, size_t count, size_t capacity,
                     struct ls_peer_place new)
{
    size_t at = count;

    while (at > 0 && comes_before(new.peer, places[at - 1].peer)) {
        if (at < capacity)
            places[at] = places[at - 1];
        at--;
    }
    if (at < capacity)
        places[at] = new;
    return count < capacity ? count + 1 : count;
}

size_t ls_peer_order(const struct ls_snapshot *snapshot, struct ls_peer_place *places,
                     size_t capacity)
{
    size_t count = 0;

    for (size_t i = 0; i < snapshot->site_count; i++) {
        const struct ls_snapshot_site *site = &snapshot->sites[i];

        for (size_t k = 0; k < site->peer_count; k++)
            count = insert(places, count, capacity, (struct ls_peer_place){site, &site->peers[k]});
    }
    return count;
}
