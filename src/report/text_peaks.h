/*
 * The part of summary.txt that names bursts that have passed: what is counted and was many more at
 * once than it is. Pure; see report/writers.h.
 */
#ifndef LS_REPORT_TEXT_PEAKS_H
#define LS_REPORT_TEXT_PEAKS_H

#include "report/emitter.h"
#include "report/snapshot.h"

void ls_text_write_peaks(struct ls_emitter *emitter, const struct ls_snapshot *snapshot);

#endif
