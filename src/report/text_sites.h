/*
 * The part of summary.txt that names callsites: the rising ones with their callers, then the
 * largest of the others. Pure; see report/writers.h.
 */
#ifndef LS_REPORT_TEXT_SITES_H
#define LS_REPORT_TEXT_SITES_H

#include <stddef.h>

#include "report/emitter.h"
#include "report/snapshot.h"

#define LS_TEXT_COLUMNS 100

struct ls_line;
/* The function that a person would name, then its place at `column`, within the line's width. */
void ls_text_function_and_place(struct ls_line *line, const struct ls_snapshot_site *site,
                                size_t column);

/* The resource with the program's own name for it, and how many columns that takes more. */
void ls_text_kind(struct ls_line *line, const struct ls_snapshot_site *site);
size_t ls_text_kind_shift(const struct ls_snapshot_site *site);

void ls_text_write_rising(struct ls_emitter *emitter, const struct ls_snapshot *snapshot);
void ls_text_write_others(struct ls_emitter *emitter, const struct ls_snapshot *snapshot);

#endif
