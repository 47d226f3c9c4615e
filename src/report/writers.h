/*
 * The four files of a run, each a pure function of a snapshot: no I/O, no clock, no allocation.
 * They write into a sink that is called with each stretch of text, so no writer needs to know how
 * long its output is. Safe from any thread; the caller owns snapshot and sink.
 */
#ifndef LS_REPORT_WRITERS_H
#define LS_REPORT_WRITERS_H

#include <stddef.h>

#include "report/snapshot.h"

/* Takes `length` bytes. Returns 0 or -errno; after an error the writer stops and returns it. */
typedef int ls_sink_write(void *context, const char *bytes, size_t length);

struct ls_sink {
    ls_sink_write *write;
    void *context;
};

/* summary.txt: for a person. At most 100 columns where names allow. */
int ls_report_write_text(const struct ls_snapshot *snapshot, const struct ls_sink *sink);
/* summary.json: schema leakshim-summary/1, one object and a newline. */
int ls_report_write_json(const struct ls_snapshot *snapshot, const struct ls_sink *sink);
/* One line of history.jsonl: written_at, uptime, RSS, verdict, and the listed sites' figures. */
int ls_report_write_history(const struct ls_snapshot *snapshot, const struct ls_sink *sink);
/* metrics.prom: Prometheus text exposition format 0.0.4. */
int ls_report_write_metrics(const struct ls_snapshot *snapshot, const struct ls_sink *sink);

/* The one-sentence verdict for people, into `text`; the collector stores it in verdict.message. */
struct ls_text;
void ls_report_message(const struct ls_snapshot *snapshot, struct ls_text *text);

#endif
