/*
 * The sites of a summary: the part of ls_summary_read that is about sites[].
 */
#ifndef LS_CLI_SUMMARY_SITES_H
#define LS_CLI_SUMMARY_SITES_H

#include "cli/summary_fields.h"
#include "report/snapshot.h"

/* The settings have to be read before: they say what is an estimate. */
void ls_summary_read_sites(struct ls_fields *fields, const json_t *root,
                           struct ls_snapshot *snapshot);
void ls_summary_free_sites(struct ls_snapshot *snapshot);

#endif
