/*
 * What `leakshim check` prints: the same result for people, for programs and for the services that
 * show test results. Each writes a whole document to `file`; whether it got there is for the caller
 * to ask.
 */
#ifndef LS_CLI_CHECK_FORMATS_H
#define LS_CLI_CHECK_FORMATS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/gate.h"

struct ls_check {
    const struct ls_runs *runs;
    const struct ls_gate_result *result;
    const struct ls_suppressions *suppressions;
    const char *source_root; /* absolute, without a slash at its end; "" for none */
    bool has_color;
};

typedef void ls_check_writer(const struct ls_check *check, FILE *file);

ls_check_writer ls_check_write_text;
ls_check_writer ls_check_write_json;
ls_check_writer ls_check_write_junit;
ls_check_writer ls_check_write_sarif;
ls_check_writer ls_check_write_github;

/* The file of a site relative to the root of the sources where it lies below it. False when the
 * site has none. */
bool ls_check_source(const struct ls_check *check, const struct ls_snapshot_site *site, char *file,
                     size_t size, unsigned *line);

#endif
