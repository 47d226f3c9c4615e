/*
 * The process's descriptors: which resource of the ledger each number stands for.
 *
 * Descriptors belong to the process, not to a thread: any thread may close a number and any other
 * be given it again at once. A close is therefore recorded before the real call, and whatever holds
 * a number is exchanged whole, so that each resource is released exactly once. An open is recorded
 * after the real call; what the entry still held is then gone (somebody closed it past the hooks)
 * and is released. A close that fails has found no open descriptor, and released at most what was
 * stale.
 *
 * A copy (dup, SCM_RIGHTS) is a resource of its own, at the place that made it: what is counted is
 * what /proc/PID/fd lists.
 *
 * Hooks: any thread, signal handlers too; no lock, no wait, errno kept. In a vfork child, which has
 * descriptors of its own but our memory, and in a child of a raw clone nothing is touched. A child
 * of fork has copies of the descriptors and of this table.
 */
#ifndef LS_CAPTURE_DESCRIPTORS_H
#define LS_CAPTURE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/resource.h"
#include "capture/connections.h"
#include "capture/resource.h"

/* Numbers beyond are not tracked, and counted as missed: more than any limit in use
 * (https://docs.kernel.org/admin-guide/sysctl/fs.html, nr_open is 1048576 by default). */
#define LS_DESCRIPTORS_MAX (1 << 24)

/* --- hooks: after the real call; a negative number is ignored --- */

/* `kind`: LS_RESOURCE_SOCKET or LS_RESOURCE_FILE. */
void ls_descriptor_opened(int fd, enum ls_resource kind);
/* A number that came from elsewhere: the kernel is asked for its kind. */
void ls_descriptor_received(int fd);
/* `copy` is another number for what `fd` is. What `copy` was before is closed. */
void ls_descriptor_copied(int fd, int copy);

/* --- hooks: before the real call --- */

void ls_descriptor_closing(int fd);
void ls_descriptors_closing_range(unsigned first, unsigned last);

/* --- connections.c --- */

/* Of a tracked socket of this process, with the stack that opened it; else NULL. */
struct ls_connection *ls_descriptor_connection(int fd, uint32_t *stack);

/* The same without these questions; NULL where no descriptor has been yet. */
struct ls_connection *ls_descriptor_connection_at(int fd);
/* One past the highest number there may be. */
uint32_t ls_descriptors_end(void);

/* In a child of fork, before it has other threads. */
void ls_descriptors_child_after_fork(void);

/* --- comparing with what the kernel lists: one thread at a time --- */

void ls_descriptors_begin_check(void);
/* The number is listed. False when no hook has seen it opened: ls_descriptor_unseen is to be told.
 */
bool ls_descriptor_is_known(int fd);
/* A number that no hook has seen. At once, or when it is unknown for the second time in a row: a
 * hook may just be on its way to record it, and libc opens some for itself for a moment. */
void ls_descriptor_unseen(int fd, enum ls_resource kind, enum ls_resource_origin origin, bool now);
/* What has been in the table since begin_check and was not listed is gone. */
void ls_descriptors_end_check(void);

#endif
