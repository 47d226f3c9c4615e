/*
 * Resident memory over the life of a run, from its history.jsonl, for a chart.
 */
#ifndef LS_CLI_HTML_HISTORY_H
#define LS_CLI_HTML_HISTORY_H

#include <stddef.h>

struct ls_html_point {
    double time_s; /* since the run began */
    double bytes;
};

/*
 * How many points there are, at most a few hundred: of neighbours the higher stays, so that no peak
 * is lost. Lines that are not whole are passed over; a run without history has no points. They are
 * to be freed.
 */
size_t ls_html_history(const char *directory, struct ls_html_point **points);

#endif
