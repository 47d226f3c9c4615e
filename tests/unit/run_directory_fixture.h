/*
 * A directory under /tmp for each test of the run directory, with a run in it.
 */
#ifndef LS_TESTS_RUN_DIRECTORY_FIXTURE_H
#define LS_TESTS_RUN_DIRECTORY_FIXTURE_H

#include <stddef.h>

#include "report/run_directory.h"

#define STARTED 1795249806.0 /* 2026-11-21 08:30:06 UTC */

extern char root[64];
extern struct ls_run_directory run;
extern struct ls_snapshot snapshot;

/* Set-up and tear-down of one test; the second also returns to the working directory. */
int make_root(void **state);
int remove_root(void **state);
#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

void start_run(const char *directory, const char *temporary);

/* Paths in rotating buffers: four of each are valid at a time. */
const char *under_root(const char *name);
const char *run_path(const char *file);

/* -1, 0 and 0 when there is no such thing. Links are not followed. */
long size_of(const char *path);
unsigned mode_of(const char *path);
size_t count_entries(const char *path);

void write_text(const char *path, const char *content);
int remove_tree(const char *path);

#endif
