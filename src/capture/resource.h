/*
 * The one way resources other than heap blocks enter the ledger: rare ones, each counted as itself
 * (weight 1) in sampled mode too.
 *
 *     slot = ls_resource_acquire(LS_RESOURCE_SOCKET, 0);     after the real call has succeeded
 *     ls_resource_release(slot);                             before the real release
 *
 * Any thread, any hook, signal handlers too: no lock, no wait, errno kept. Whoever calls keeps the
 * slot with the resource, and looks first whether this process is the one that is watched: a vfork
 * child has our memory but descriptors and threads of its own, and must not touch either. A child
 * of fork goes on with the slots as they are.
 */
#ifndef LS_CAPTURE_RESOURCE_H
#define LS_CAPTURE_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/resource.h"
#include "ledger/stack_table.h"

/* Where resources come from whose acquire nobody saw. Each is a stack of one made-up program
 * counter (ledger/stack_table.h) and so a site of its own. */
enum ls_resource_origin {
    LS_ORIGIN_EARLIER = LS_STACK_EARLIER, /* there when tracking began */
    LS_ORIGIN_UNSEEN = LS_STACK_UNSEEN,   /* came since, past the hooks */
};

/* Kinds to track, bit 1 << kind; 0: none. Once the tables are there; may be set again. */
void ls_resource_set_tracked(uint32_t kinds);
/* The process is the calling one: at the start, and in a child of fork that is to be tracked. */
void ls_resource_adopt_process(void);

/* Whether an acquire of this kind is to be recorded: tracked, and not in a vfork child or in a
 * child of a raw clone. One system call where the kind is tracked. */
bool ls_resource_is_tracked(enum ls_resource resource);
/* The second half alone, for releases, which are recorded after tracking was stopped, too. */
bool ls_resource_is_own_process(void);

/*
 * The slot; 0 when the resource is not tracked: not wanted, no slot left (counted), our own work,
 * or a signal handler that interrupted a hook (counted). The stack is the caller's without frames
 * of this library. `size` in bytes, 0 for what has none.
 */
uint32_t ls_resource_acquire(enum ls_resource resource, uint64_t size);
/* The same for what the program has its own name for (ledger/kinds.h); NULL: none. */
uint32_t ls_resource_acquire_named(enum ls_resource resource, const char *name, uint64_t size);
/* The same for a resource that is just found to be there. */
uint32_t ls_resource_adopt(enum ls_resource resource, enum ls_resource_origin origin);
/* `slot` 0: nothing. */
void ls_resource_release(uint32_t slot);

/* Counts a resource that could not be tracked. */
void ls_resource_miss(void);
uint64_t ls_resource_missed(void);

#endif
