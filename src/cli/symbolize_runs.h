/*
 * Puts functions, files and lines into the native frames of runs that have been read.
 *
 * Frames that have a file already are left alone, so that a summary written by `leakshim symbolize`
 * is taken as it is. A frame with inlined functions becomes several, see ls_snapshot_frame. A site
 * that is named after a native frame is named after the innermost function there that is no
 * wrapper of an allocator, and its place becomes a file and a line.
 */
#ifndef LS_CLI_SYMBOLIZE_RUNS_H
#define LS_CLI_SYMBOLIZE_RUNS_H

#include <stdbool.h>

#include "cli/runs.h"
#include "cli/symbolizer.h"

/* In the table of a command that does it by the way. */
#define LS_SYMBOLIZE_OPTION(code)                                                                  \
    {                                                                                              \
        "no-symbolize", NULL, code, "leave native frames as they are, without files and lines"     \
    }

/* The symbolizer owns texts in the runs from now on: free it after them. False without memory; the
 * runs are whole all the same. */
bool ls_symbolize_summary(struct ls_symbolizer *symbolizer, struct ls_summary *summary);
bool ls_symbolize_runs(struct ls_symbolizer *symbolizer, struct ls_runs *runs);

/*
 * The same for commands of which it is not the purpose: what is on this machine, nothing is
 * downloaded, and that modules are other builds by now is told in one line. To be freed after the
 * runs; may be NULL.
 */
struct ls_symbolizer *ls_symbolize_by_the_way(struct ls_runs *runs);

#endif
