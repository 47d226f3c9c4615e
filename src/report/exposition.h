/*
 * Prometheus's text exposition format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/) onto a sink. Pure, allocates
 * nothing; the first error of the sink is kept and returned at the end, as with the emitter below
 * it.
 *
 * Every sample carries the labels of the run: program, pid, and run, the name of its directory. So
 * one collector can read many runs, also those of programs that execute themselves anew and of
 * containers, in each of which the service is pid 1: of two samples with the same labels
 * node_exporter drops one.
 */
#ifndef LS_REPORT_EXPOSITION_H
#define LS_REPORT_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "report/emitter.h"
#include "report/snapshot.h"

struct ls_exposition {
    struct ls_emitter emitter;
    const struct ls_snapshot *snapshot;
    const char *family; /* the one announced last */
};

void ls_exposition_init(struct ls_exposition *exposition, const struct ls_snapshot *snapshot,
                        const struct ls_sink *sink);
/* 0 or the sink's first error. */
int ls_exposition_finish(struct ls_exposition *exposition);

/* The samples that follow are of this family. `help` is one line without backslashes. */
void ls_exposition_family(struct ls_exposition *exposition, const char *name, const char *type,
                          const char *help);
/* A sample: begin, its own labels, value. */
void ls_exposition_begin(struct ls_exposition *exposition);
void ls_exposition_label(struct ls_exposition *exposition, const char *name, const char *value);
void ls_exposition_label_number(struct ls_exposition *exposition, const char *name, uint64_t value);
void ls_exposition_value(struct ls_exposition *exposition, double value);

/* A family of one sample without labels of its own. */
void ls_exposition_single(struct ls_exposition *exposition, const char *name, const char *type,
                          const char *help, double value);

/* Whether two texts look the same as the value of a label, though their bytes may differ. */
bool ls_exposition_same_label(const char *one, const char *other);

#endif
