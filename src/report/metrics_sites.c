#include "report/metrics_sites.h"

#include "base/text.h"
#include "report/peer_order.h"

enum site_field { LIVE_BYTES, LIVE_RESOURCES, GROWTH_BYTES, GROWTH_RESOURCES, RISING };

static double site_value(const struct ls_snapshot_site *site, enum site_field field)
{
    switch (field) {
    case LIVE_BYTES:
        return site->live_bytes;
    case LIVE_RESOURCES:
        return site->live_count;
    case GROWTH_BYTES:
        return site->growth_bytes_per_s;
    case GROWTH_RESOURCES:
        return site->growth_count_per_s;
    case RISING:
        break;
    }
    return site->verdict == LS_VERDICT_RISING ? 1 : 0;
}

static void begin_of_site(struct ls_exposition *exposition, const struct ls_snapshot_site *site)
{
    char buffer[24];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_text_hex(&text, site->id, 16);
    ls_exposition_begin(exposition);
    ls_exposition_label(exposition, "id", buffer);
    ls_exposition_label(exposition, "function", site->function);
}

static void site_family(struct ls_exposition *exposition, const struct ls_snapshot *snapshot,
                        const char *name, const char *help, enum site_field field)
{
    ls_exposition_family(exposition, name, "gauge", help);
    for (size_t i = 0; i < snapshot->site_count; i++) {
        const struct ls_snapshot_site *site = &snapshot->sites[i];

        begin_of_site(exposition, site);
        ls_exposition_label(exposition, "location", site->location);
        ls_exposition_label(exposition, "resource", ls_resource_names[site->resource]);
        ls_exposition_value(exposition, site_value(site, field));
    }
}

void ls_metrics_write_sites(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    if (snapshot->site_count == 0)
        return;
    site_family(exposition, snapshot, "leakshim_site_live_bytes",
                "Live bytes of the callsites in the summary.", LIVE_BYTES);
    site_family(exposition, snapshot, "leakshim_site_live_resources",
                "Live blocks, objects or descriptors of these callsites.", LIVE_RESOURCES);
    site_family(exposition, snapshot, "leakshim_site_growth_bytes_per_second",
                "Growth of the live bytes of these callsites.", GROWTH_BYTES);
    site_family(exposition, snapshot, "leakshim_site_growth_resources_per_second",
                "Growth of the live resources of these callsites.", GROWTH_RESOURCES);
    site_family(exposition, snapshot, "leakshim_site_rising",
                "1 when the callsite is judged to keep rising.", RISING);
}

struct peers {
    struct ls_peer_place places[LS_METRICS_PEERS_MAX];
    size_t count;
};

static bool is_before(const struct peers *peers, const struct ls_peer_place *place)
{
    for (size_t i = 0; i < peers->count; i++) {
        if (peers->places[i].site == place->site &&
            ls_exposition_same_label(peers->places[i].peer->address, place->peer->address))
            return true;
    }
    return false;
}

/*
 * A site's other peers, told as one, are left out: peers come and go between them and the listed
 * ones, and their sum would fall where a counter must not. Of addresses that look the same in a
 * label (unix sockets may be named with any bytes) there is the first: no series may be there
 * twice.
 */
static void choose_peers(const struct ls_snapshot *snapshot, struct peers *peers)
{
    size_t found = ls_peer_order(snapshot, peers->places, LS_METRICS_PEERS_MAX);

    peers->count = 0;
    for (size_t i = 0; i < found; i++) {
        if (peers->places[i].peer->address[0] != '\0' && !is_before(peers, &peers->places[i]))
            peers->places[peers->count++] = peers->places[i];
    }
}

enum peer_field { OPENED, FAILED, LIVE, UNUSED, CONNECT, LIFE };

static double peer_value(const struct ls_snapshot_peer *peer, enum peer_field field)
{
    const double values[] = {
        [OPENED] = peer->opened, [FAILED] = peer->failed,         [LIVE] = peer->live,
        [UNUSED] = peer->unused, [CONNECT] = peer->connect_p50_s, [LIFE] = peer->life_p50_s};

    return values[field];
}

static void begin_of_peer(struct ls_exposition *exposition, const struct ls_peer_place *place)
{
    begin_of_site(exposition, place->site);
    ls_exposition_label(exposition, "peer", place->peer->address);
}

static void peer_family(struct ls_exposition *exposition, const struct peers *peers,
                        const char *name, const char *type, const char *help, enum peer_field field)
{
    ls_exposition_family(exposition, name, type, help);
    for (size_t i = 0; i < peers->count; i++) {
        double value = peer_value(peers->places[i].peer, field);

        if (value < 0)
            continue;
        begin_of_peer(exposition, &peers->places[i]);
        ls_exposition_value(exposition, value);
    }
}

static void error_family(struct ls_exposition *exposition, const struct peers *peers)
{
    ls_exposition_family(exposition, "leakshim_peer_errors_total", "counter",
                         "Failed attempts by error, the first few kinds of each peer.");
    for (size_t i = 0; i < peers->count; i++) {
        const struct ls_snapshot_peer *peer = peers->places[i].peer;

        for (size_t k = 0; k < peer->error_count; k++) {
            begin_of_peer(exposition, &peers->places[i]);
            ls_exposition_label(exposition, "error", peer->errors[k].name);
            ls_exposition_value(exposition, (double)peer->errors[k].count);
        }
    }
}

void ls_metrics_write_peers(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    struct peers peers;

    choose_peers(snapshot, &peers);
    if (peers.count == 0)
        return;
    peer_family(exposition, &peers, "leakshim_peer_opened_total", "counter",
                "Attempts to connect to this peer, or sockets accepted there.", OPENED);
    peer_family(exposition, &peers, "leakshim_peer_failed_total", "counter",
                "Attempts that failed.", FAILED);
    error_family(exposition, &peers);
    peer_family(exposition, &peers, "leakshim_peer_live_sockets", "gauge", "Sockets open now.",
                LIVE);
    peer_family(exposition, &peers, "leakshim_peer_unused_sockets", "gauge",
                "Of these, TCP connections that never sent or received.", UNUSED);
    peer_family(exposition, &peers, "leakshim_peer_connect_p50_seconds", "gauge",
                "Median time from connect to connected, since the start.", CONNECT);
    peer_family(exposition, &peers, "leakshim_peer_life_p50_seconds", "gauge",
                "Median time from connected to closed, since the start.", LIFE);
}
