/*
 * What the library keeps for each thread of the host.
 *
 * `ls_hot` is the little that every malloc and free touches; all zero is a valid state and means
 * "not met yet". The rest is a record from our own memory, listed for the collector and for fork.
 * Records are made on a thread's first slow path, are marked as ended by a pthread key's destructor,
 * and are reused.
 */
#ifndef LS_CAPTURE_THREAD_H
#define LS_CAPTURE_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum ls_thread_state {
    LS_THREAD_FREE,
    LS_THREAD_RUNNING,
    LS_THREAD_ENDED, /* the collector takes its counts and frees it */
};

struct ls_exact_counts; /* capture/exact.h */

struct ls_thread {
    struct ls_thread *next; /* fixed once listed */
    _Atomic int state;
    _Atomic int capturing; /* inside the unwinder: fork waits for it */
    int id;                /* kernel thread id */
    uint64_t random;
    struct ls_exact_counts *counts; /* NULL until the first exact count */
};

struct ls_hot {
    int64_t countdown; /* bytes to the next sample; the fast path ends at 0 and below */
    struct ls_thread *thread;
    uintptr_t hook_frame; /* frame address of the hook in progress */
    uint32_t hook_depth;
};

extern LS_THREAD_LOCAL struct ls_hot ls_hot;

/* Far more bytes than a thread will ever ask for: the fast path for ever. */
#define LS_COUNTDOWN_NEVER (INT64_MAX / 2)

/* Creates the key. 0 or -errno. */
int ls_thread_start(void);

/*
 * Enters a hook's slow path. NULL when this thread is already inside one (a hook called from our own
 * work, or a signal handler that interrupted it) or no record can be had; the caller then passes the
 * call through. A hook that a handler left by longjmp is recognised by its frame being gone.
 */
struct ls_thread *ls_thread_enter(void);
void ls_thread_leave(void);
/* This thread's record without entering; NULL when there is none and none can be made. */
struct ls_thread *ls_thread_current(void);

/* Visits every record; `visit` may run while threads start and end. */
typedef void ls_thread_visit(void *context, struct ls_thread *thread);
void ls_thread_for_each(ls_thread_visit *visit, void *context);

/* Gives an ended record back for reuse. Collector only. */
void ls_thread_recycle(struct ls_thread *thread);
/* True when the kernel knows no such thread any more. */
bool ls_thread_is_gone(const struct ls_thread *thread);

/*
 * Around fork: prepare keeps other threads from starting to unwind and waits, at most 50 ms, for
 * those that are at it, so that the child does not inherit the unwinder's locks taken. False when
 * it gave up: the child must not unwind.
 */
bool ls_thread_prepare_fork(void);
void ls_thread_parent_after_fork(void);
void ls_thread_child_after_fork(void);

/* Around the unwinder. False: a fork is under way, do not unwind now. */
bool ls_thread_begin_capture(struct ls_thread *thread);
void ls_thread_end_capture(struct ls_thread *thread);

#endif
