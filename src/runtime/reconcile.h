/*
 * Descriptors as the kernel lists them, against those that hooks have seen. What came past the
 * hooks (io_uring, system calls made without libc, descriptors inherited from before) becomes known
 * as such, and what has gone past them is released.
 */
#ifndef LS_RUNTIME_RECONCILE_H
#define LS_RUNTIME_RECONCILE_H

/* When tracking begins, on a thread of the host: what is open now was there before. */
void ls_reconcile_start(void);
/* Before each summary, on the collector, without its lock. Without /proc nothing happens. */
void ls_reconcile(void);

#endif
