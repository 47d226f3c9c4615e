/*
 * What the tests of the writers do with their output: collect it, or fail like a full disk;
 * compare it with a golden file; prove that it is JSON.
 */
#ifndef LS_TESTS_REPORT_OUTPUT_H
#define LS_TESTS_REPORT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "report/snapshot.h"
#include "report/writers.h"

struct fixture_output {
    char *bytes; /* zero-terminated, freed by fixture_output_free */
    size_t length;
    size_t limit; /* bytes taken before the sink fails with -ENOSPC; 0: no limit */
    size_t calls;
    size_t calls_after_error;
    int error;
};

typedef int fixture_writer(const struct ls_snapshot *snapshot, const struct ls_sink *sink);

/* Runs a writer into `output` (zeroed, or with `limit` set). Returns what the writer returned. */
int fixture_write(fixture_writer *writer, const struct ls_snapshot *snapshot,
                  struct fixture_output *output);
void fixture_output_free(struct fixture_output *output);

/* Compares with LS_GOLDEN_DIRECTORY/<name> byte by byte and fails the test on a difference; with
 * LS_UPDATE_GOLDEN=1 in the environment writes the file instead. */
void fixture_assert_golden(const char *name, const struct fixture_output *output);

/* True when `text` is one valid JSON value (RFC 8259), in valid UTF-8, followed by white space. */
bool fixture_is_json(const char *text, size_t length);

#endif
