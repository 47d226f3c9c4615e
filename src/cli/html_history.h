/*
 * Resident memory over the life of a run, from its history.jsonl, for a chart.
 */
#ifndef LS_CLI_HTML_HISTORY_H
#define LS_CLI_HTML_HISTORY_H

#include <jansson.h>

/*
 * An array of [uptime_s, rss_bytes], at most a few hundred points: of neighbours the higher stays,
 * so that no peak is lost. Lines that are not whole are passed over; a run without history has no
 * points. NULL without memory.
 */
json_t *ls_html_history(const char *directory);

#endif
