/*
 * The part of summary.txt that names callsites: the rising ones with their callers, then the
 * largest of the others. Pure; see report/writers.h.
 */
#ifndef LS_REPORT_TEXT_SITES_H
#define LS_REPORT_TEXT_SITES_H

#include "report/emitter.h"
#include "report/snapshot.h"

#define LS_TEXT_COLUMNS 100

void ls_text_write_rising(struct ls_emitter *emitter, const struct ls_snapshot *snapshot);
void ls_text_write_others(struct ls_emitter *emitter, const struct ls_snapshot *snapshot);

#endif
