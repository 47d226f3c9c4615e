/*
 * Reads the summary.json of a run back into the snapshot it was written from.
 *
 * Promise: what is accepted is whole. A file that is missing, empty, cut short, no JSON, of another
 * schema, or in which a field of leakshim-summary/1 is absent or of the wrong kind is an error with
 * a sentence that says which; it is never read as "nothing found". Fields that are not known are
 * passed over, since the schema may gain some. Figures that are null come back as -1, or 0 where
 * the snapshot says so; strings as "".
 *
 * Ownership: the snapshot points into the summary and lives as long; ls_summary_free ends both.
 */
#ifndef LS_CLI_SUMMARY_H
#define LS_CLI_SUMMARY_H

#include <stddef.h>

#include "report/snapshot.h"

#define LS_SUMMARY_REASON_MAX 512
/* A summary of 10,000 sites takes 30 MB. */
#define LS_SUMMARY_BYTES_MAX (256U << 20)

struct ls_summary {
    struct ls_snapshot snapshot;
    void *document; /* holds the strings */
};

/* 0, or -errno with the reason: -EINVAL for a file that is not what it should be. */
int ls_summary_read(const char *path, struct ls_summary *summary,
                    char reason[LS_SUMMARY_REASON_MAX]);
/* The same from memory; `bytes` is not needed afterwards. */
int ls_summary_parse(const char *bytes, size_t length, struct ls_summary *summary,
                     char reason[LS_SUMMARY_REASON_MAX]);
/* A copy of a text that lives as long as the summary; NULL without memory. */
const char *ls_summary_keep(struct ls_summary *summary, const char *text);
void ls_summary_free(struct ls_summary *summary);

#endif
