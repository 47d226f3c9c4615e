/*
 * The median age of what is alive at each listed site, from one pass over the live set.
 */
#ifndef LS_RUNTIME_PICTURE_AGES_H
#define LS_RUNTIME_PICTURE_AGES_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/site_table.h"
#include "report/snapshot.h"
#include "system/arena.h"

/* What a listed site takes of the arena. */
#define LS_PICTURE_AGES_BYTES 272

/* Fills median_age_s of views[i], which shows sites[i]. Ages fall into classes two to an octave, so
 * the median is within a fifth of the true one. 0 or -ENOMEM. Collector only. */
int ls_picture_ages(struct ls_arena *arena, const struct ls_site *const *sites,
                    struct ls_snapshot_site *views, size_t count, uint64_t now_ns);

#endif
