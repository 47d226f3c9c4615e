/*
 * What has become of the threads of each listed site. Under the collector's lock.
 */
#ifndef LS_RUNTIME_PICTURE_THREADS_H
#define LS_RUNTIME_PICTURE_THREADS_H

#include <stddef.h>

#include "ledger/site_table.h"
#include "report/snapshot.h"
#include "system/arena.h"

/* Sets `threads` of the views of thread sites, in the order of `sites`; it stays NULL where there
 * is no memory. Reads the names of running threads from /proc. */
void ls_picture_threads(struct ls_arena *arena, const struct ls_site *const *sites,
                        struct ls_snapshot_site *views, size_t count);

#endif
