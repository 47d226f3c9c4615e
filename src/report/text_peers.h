/*
 * The part of summary.txt that names who the sockets talk to: those that fail first, then the
 * busiest. Pure; see report/writers.h.
 */
#ifndef LS_REPORT_TEXT_PEERS_H
#define LS_REPORT_TEXT_PEERS_H

#include "report/emitter.h"
#include "report/snapshot.h"

void ls_text_write_peers(struct ls_emitter *emitter, const struct ls_snapshot *snapshot);

#endif
