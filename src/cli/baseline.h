/*
 * What is known to rise, from an earlier run: only sites that are new or faster count.
 *
 * A site is found again by its id, which is the same for the same binaries. After a build the ids
 * of native sites change, so that one which is not found by id is looked for by kind, function and
 * file, without line and offset: for native code the function and module that the symbol table
 * told, since debug information may be here today and not tomorrow. Where several entries fit, the
 * largest figures count.
 */
#ifndef LS_CLI_BASELINE_H
#define LS_CLI_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/snapshot.h"

struct ls_baseline_site {
    uint64_t id;
    enum ls_resource resource;
    const char *function; /* owned by the document, or by the snapshot it was taken from */
    const char *location;
    const char *sought_function; /* what it is found by after a build; NULL: function, location */
    const char *sought_place;
    double growth_bytes_per_s;
    double growth_count_per_s;
    double live_bytes;
    bool is_counted; /* compared by number and not by bytes */
};

struct ls_baseline {
    struct ls_baseline_site *sites;
    size_t count;
    void *document; /* NULL when it was made here */
};

/* False, told on stderr, when the file is not a whole baseline. */
bool ls_baseline_read(const char *path, struct ls_baseline *baseline);
/* Replaces the file in one step; false, told on stderr, when it cannot. */
bool ls_baseline_write(const char *path, const struct ls_baseline *baseline);
/* Adds a site, or raises the figures of the one that is there; false without memory. The names stay
 * the snapshot's. */
bool ls_baseline_add(struct ls_baseline *baseline, const struct ls_snapshot_site *site);
void ls_baseline_free(struct ls_baseline *baseline);

/* False when nothing fits; else the figures to compare with in `known`. */
bool ls_baseline_find(const struct ls_baseline *baseline, const struct ls_snapshot_site *site,
                      struct ls_baseline_site *known);

#endif
