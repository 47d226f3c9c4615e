/*
 * Known leaks, in the file format of LeakSanitizer
 * (https://github.com/google/sanitizers/wiki/AddressSanitizerLeakSanitizer#suppressions): lines
 * "leak:PATTERN", comments after #. A pattern fits anywhere in a name; "*" stands for any text, "^"
 * at its start and "$" at its end tie it down. It is held against the function, the file and the
 * module of every frame of a site.
 */
#ifndef LS_CLI_SUPPRESSIONS_H
#define LS_CLI_SUPPRESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "report/snapshot.h"

struct ls_suppression {
    char *pattern;
    size_t used; /* sites it was found to fit */
};

struct ls_suppressions {
    struct ls_suppression *items;
    size_t count;
};

bool ls_pattern_fits(const char *pattern, const char *name);

/* Adds the patterns of a file's text. False, with the number of the line, when one is not of this
 * form: a line that is passed over would hide that a leak is not suppressed. */
bool ls_suppressions_parse(const char *text, struct ls_suppressions *suppressions, size_t *line);
/* False, told on stderr, when the file cannot be read or understood. */
bool ls_suppressions_read(const char *path, struct ls_suppressions *suppressions);
void ls_suppressions_free(struct ls_suppressions *suppressions);

/* The first that fits a site, or NULL. */
struct ls_suppression *ls_suppressions_find(struct ls_suppressions *suppressions,
                                            const struct ls_snapshot_site *site);

#endif
