/*
 * The parts of metrics.prom that tell of callsites and of the peers of sockets. Pure; see
 * report/writers.h. Their number is bounded: the sites by the option `top`, the peers below.
 */
#ifndef LS_REPORT_METRICS_SITES_H
#define LS_REPORT_METRICS_SITES_H

#include "report/exposition.h"
#include "report/snapshot.h"

/* Of all sites together, those that failed most often first, then the busiest. */
#define LS_METRICS_PEERS_MAX 64

void ls_metrics_write_sites(struct ls_exposition *exposition, const struct ls_snapshot *snapshot);
void ls_metrics_write_peers(struct ls_exposition *exposition, const struct ls_snapshot *snapshot);

#endif
