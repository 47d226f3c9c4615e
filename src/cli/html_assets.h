/*
 * The parts of the HTML report that do not change: page, style, scripts and the charts' library, as
 * they lie in src/cli/html and third_party/uplot, put into the program when it is built.
 */
#ifndef LS_CLI_HTML_ASSETS_H
#define LS_CLI_HTML_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct ls_html_asset {
    const char *bytes;
    size_t length;
};

/* By the name of its file, without folders; false when there is none. */
bool ls_html_asset(const char *name, size_t name_length, struct ls_html_asset *asset);

#endif
