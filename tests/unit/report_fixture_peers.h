/* Peers of the sockets in the picture of a leaking service; part of report_fixture.c. */
#ifndef LS_REPORT_FIXTURE_PEERS_H
#define LS_REPORT_FIXTURE_PEERS_H

#include "report/snapshot.h"

static const struct ls_snapshot_peer accept_peers[] = {
    {.address = "0.0.0.0:3000",
     .opened = 1004,
     .opened_per_s = 3.5,
     .live = 214,
     .unused = 12,
     .connect_p50_s = -1,
     .life_p50_s = 12.5},
    {.address = "[2001:db8:85a3::8a2e:370:7334]:65535",
     .opened = 12,
     .opened_per_s = 0.2,
     .failed = 12,
     .connect_p50_s = -1,
     .life_p50_s = -1,
     .error_count = 2,
     .errors = {{"ECONNREFUSED", 10}, {"ETIMEDOUT", 2}}},
    {.address = "", .opened = 3, .connect_p50_s = 0.00021, .life_p50_s = 0.0032},
};

#endif
