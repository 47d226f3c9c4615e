#include "runtime/picture_peers.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "capture/connections.h"
#include "capture/descriptors.h"
#include "capture/peers.h"
#include "ledger/ledger.h"
#include "report/socket_address.h"
#include "runtime/runtime.h"
#include "system/clock.h"

/* One address of a site, over all its stacks. */
struct group {
    const struct ls_peer *first;
    double weight;
};

/* Attempts a failed one counts for: who refuses is looked for, and may be one of many peers that a
 * runtime's one function connects to. */
#define FAILED_WEIGHT 16.0

struct sums {
    uint64_t connect_times[LS_PEER_CLASSES];
    uint64_t lives[LS_PEER_CLASSES];
    struct ls_snapshot_peer peer;
};

/* The collector's alone. */
static struct group groups[LS_PEERS_MAX];
static struct sums sums[LS_SNAPSHOT_PEERS_MAX + 1]; /* the last: all others */
static uint64_t last_ns;

static const struct {
    int number;
    const char *name;
} names[] = {
    {LS_PEER_ABANDONED, "abandoned"},
    {ECONNREFUSED, "ECONNREFUSED"},
    {ETIMEDOUT, "ETIMEDOUT"},
    {EHOSTUNREACH, "EHOSTUNREACH"},
    {ENETUNREACH, "ENETUNREACH"},
    {ECONNRESET, "ECONNRESET"},
    {ECONNABORTED, "ECONNABORTED"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {EADDRINUSE, "EADDRINUSE"},
    {EACCES, "EACCES"},
    {EPERM, "EPERM"},
    {ENOENT, "ENOENT"},
    {EAGAIN, "EAGAIN"},
    {EINVAL, "EINVAL"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"},
    {EPROTOTYPE, "EPROTOTYPE"},
    {ENETDOWN, "ENETDOWN"},
    {EHOSTDOWN, "EHOSTDOWN"},
    {ENOBUFS, "ENOBUFS"},
};

static const char *error_name(int number)
{
    for (size_t i = 0; i < LS_ARRAY_LENGTH(names); i++) {
        if (names[i].number == number)
            return names[i].name;
    }
    return "other";
}

/* Those that have been open for an interval. */
static void count_unused(uint64_t now_ns)
{
    uint32_t end = ls_descriptors_end();

    for (uint32_t fd = 0; fd < end; fd++) {
        const struct ls_connection *connection = ls_descriptor_connection_at((int)fd);
        uint32_t number;
        struct ls_peer *peer;

        if (connection == NULL ||
            !ls_connection_is_unused(connection, now_ns - ls_runtime.options.interval_ns, &number))
            continue;
        peer = ls_peer_at(number);
        if (peer != NULL)
            peer->unused++;
    }
    ls_connections_begin_asking(end);
}

static struct ls_site *site_of(const struct ls_peer *peer)
{
    struct ls_site **sites = ls_ledger.stack_sites[LS_RESOURCE_SOCKET];

    if (sites == NULL || peer->stack >= ls_ledger.stacks.capacity)
        return NULL;
    return sites[peer->stack];
}

static void count_failures(void)
{
    struct ls_site *site;

    for (uint32_t i = 1; i < ls_peers_end(); i++) {
        const struct ls_peer *peer = ls_peer_at(i);

        if (peer != NULL && (site = site_of(peer)) != NULL)
            site->failed = 0;
    }
    for (uint32_t i = 1; i < ls_peers_end(); i++) {
        const struct ls_peer *peer = ls_peer_at(i);

        if (peer != NULL && (site = site_of(peer)) != NULL)
            site->failed += (uint32_t)ls_load_relaxed(&peer->failed);
    }
}

void ls_picture_peers_begin(uint64_t now_ns)
{
    double seconds = (double)(now_ns - last_ns) / (double)LS_NS_PER_S;

    for (uint32_t i = 1; i < ls_peers_end(); i++) {
        struct ls_peer *peer = ls_peer_at(i);
        uint64_t opened;

        if (peer == NULL)
            continue;
        opened = ls_load_relaxed(&peer->opened);
        if (opened != peer->opened_before || ls_load_relaxed(&peer->live) > 0)
            peer->active_ns = now_ns;
        if (last_ns != 0 && seconds > 0)
            peer->opened_per_s = (double)(opened - peer->opened_before) / seconds;
        peer->opened_before = opened;
        peer->unused = 0;
    }
    count_unused(now_ns);
    ls_peers_make_room(now_ns);
    count_failures();
    last_ns = now_ns;
}

static bool belongs_to(const struct ls_peer *peer, const struct ls_site *site)
{
    return peer != NULL && ls_load_relaxed(&peer->opened) > 0 && site_of(peer) == site;
}

static bool same_address(const struct ls_peer *one, const struct ls_peer *other)
{
    return one->address.length == other->address.length &&
           memcmp(one->address.bytes, other->address.bytes, one->address.length) == 0;
}

/* One that stands for many addresses never is among the busiest. */
static bool stands_for_others(const struct ls_peer *peer)
{
    return peer->address.length == 0;
}

static size_t group_addresses(const struct ls_site *site)
{
    size_t count = 0;

    for (uint32_t i = 1; i < ls_peers_end(); i++) {
        const struct ls_peer *peer = ls_peer_at(i);
        size_t at = 0;

        if (!belongs_to(peer, site) || stands_for_others(peer))
            continue;
        while (at < count && !same_address(groups[at].first, peer))
            at++;
        if (at == count)
            groups[count++] = (struct group){.first = peer};
        groups[at].weight += (double)ls_load_relaxed(&peer->opened) +
                             (FAILED_WEIGHT - 1) * (double)ls_load_relaxed(&peer->failed);
    }
    return count;
}

/* Moves those that matter most to the front. */
static size_t choose(size_t count)
{
    size_t listed = count < LS_SNAPSHOT_PEERS_MAX ? count : LS_SNAPSHOT_PEERS_MAX;

    for (size_t i = 0; i < listed; i++) {
        size_t best = i;
        struct group held;

        for (size_t k = i + 1; k < count; k++) {
            if (groups[k].weight > groups[best].weight)
                best = k;
        }
        held = groups[i];
        groups[i] = groups[best];
        groups[best] = held;
    }
    return listed;
}

static void add_error(struct ls_snapshot_peer *sum, const char *name, uint32_t count)
{
    for (size_t i = 0; i < LS_SNAPSHOT_PEER_ERRORS_MAX; i++) {
        if (i == sum->error_count)
            sum->errors[sum->error_count++].name = name;
        if (strcmp(sum->errors[i].name, name) == 0) {
            sum->errors[i].count += count;
            return;
        }
    }
}

static void add_up(struct sums *sum, const struct ls_peer *peer)
{
    int64_t live = ls_load_relaxed(&peer->live);

    sum->peer.opened += (double)ls_load_relaxed(&peer->opened);
    sum->peer.opened_per_s += peer->opened_per_s;
    sum->peer.live += live > 0 ? (double)live : 0;
    sum->peer.unused += peer->unused;
    sum->peer.failed += (double)ls_load_relaxed(&peer->failed);
    for (size_t i = 0; i < LS_PEER_ERRORS; i++) {
        uint32_t count = ls_load_relaxed(&peer->errors[i].count);

        if (count > 0)
            add_error(&sum->peer, error_name(ls_load_relaxed(&peer->errors[i].number)), count);
    }
    for (size_t i = 0; i < LS_PEER_CLASSES; i++) {
        sum->connect_times[i] += ls_load_relaxed(&peer->connect_times[i]);
        sum->lives[i] += ls_load_relaxed(&peer->lives[i]);
    }
}

static double median_of(const uint64_t counts[LS_PEER_CLASSES])
{
    uint64_t total = 0;
    uint64_t below = 0;

    for (unsigned i = 0; i < LS_PEER_CLASSES; i++)
        total += counts[i];
    for (unsigned i = 0; i < LS_PEER_CLASSES; i++) {
        below += counts[i];
        if (total > 0 && 2 * below >= total)
            return ls_peer_class_s(i);
    }
    return -1;
}

static const char *name_of(struct ls_arena *arena, const struct ls_peer_address *address)
{
    char buffer[160];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_report_socket_address(&text, address->bytes, address->length);
    return ls_arena_copy(arena, buffer, text.length);
}

/* Index of the peer's sum: its address's place, or the one for all others. */
static size_t place_of(const struct ls_peer *peer, size_t listed)
{
    size_t place = 0;

    if (stands_for_others(peer))
        return LS_SNAPSHOT_PEERS_MAX;
    while (place < listed && !same_address(groups[place].first, peer))
        place++;
    return place < listed ? place : LS_SNAPSHOT_PEERS_MAX;
}

void ls_picture_peers(struct ls_arena *arena, const struct ls_site *site,
                      struct ls_snapshot_site *view)
{
    size_t listed = choose(group_addresses(site));
    struct ls_snapshot_peer *peers =
        ls_arena_take(arena, (LS_SNAPSHOT_PEERS_MAX + 1) * sizeof(*peers));

    if (peers == NULL)
        return;
    memset(sums, 0, sizeof(sums));
    for (uint32_t i = 1; i < ls_peers_end(); i++) {
        const struct ls_peer *peer = ls_peer_at(i);

        if (belongs_to(peer, site))
            add_up(&sums[place_of(peer, listed)], peer);
    }
    for (size_t i = 0; i <= LS_SNAPSHOT_PEERS_MAX; i++) {
        struct ls_snapshot_peer *to = &peers[view->peer_count];

        if (sums[i].peer.opened == 0)
            continue;
        *to = sums[i].peer;
        to->address = i < LS_SNAPSHOT_PEERS_MAX ? name_of(arena, &groups[i].first->address) : "";
        to->connect_p50_s = median_of(sums[i].connect_times);
        to->life_p50_s = median_of(sums[i].lives);
        view->peer_count++;
    }
    view->peers = peers;
}
