/*
 * What the HTML report shows, as the JSON its scripts read; docs/formats.md has the fields.
 *
 * Promise: the size is bounded whatever the summaries hold. Texts and lists are cut, sites beyond a
 * number of them are left out and counted, and only the newest runs have sites and curves. Text is
 * clean: control characters, which could turn a name around, are U+FFFD.
 */
#ifndef LS_CLI_HTML_DATA_H
#define LS_CLI_HTML_DATA_H

#include <jansson.h>

#include "cli/runs.h"

/* To be released with json_decref; NULL without memory. `now` in seconds since 1970. */
json_t *ls_html_data(const struct ls_runs *runs, double now);

#endif
