/*
 * What the library keeps for each thread of the host.
 *
 * `ls_hot` is the little that every malloc and free touches; all zero is a valid state and means
 * "not met yet". The rest is a record from our own memory, listed for the collector and for fork.
 * Records are made on a thread's first slow path, are marked as ended by a pthread key's
 * destructor, and are reused.
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
    _Atomic int id;        /* kernel thread id; 0 while the record has no thread */
    uint64_t random;
    _Atomic(struct ls_exact_counts *) counts; /* NULL until the first exact count */
};

struct ls_hot {
    /* Bytes to the next sample: an allocation of fewer takes the fast path and is subtracted. */
    uint64_t countdown;
    struct ls_thread *thread;
    uintptr_t hook_frame; /* frame address of the hook in progress */
    uint32_t hook_depth;
    bool own_work; /* calls into libc of our own making, which may allocate */
    bool counting; /* the countdown was drawn, and no allocation has passed it by since */
    _Atomic(void *) deferred; /* see ls_thread_defer_free */
};

extern LS_THREAD_LOCAL struct ls_hot ls_hot;

/* Far more bytes than a thread will ever ask for: the fast path for ever. */
#define LS_COUNTDOWN_NEVER (UINT64_MAX / 2)

/* Creates the key. `ends` is called with its id on each thread that ends by itself. 0 or -errno. */
int ls_thread_start(void (*ends)(int thread));

/*
 * Enters a hook's slow path. NULL when this thread is already inside one (a hook called from our
 * own work, or a signal handler that interrupted it) or no record can be had; the caller then
 * passes the call through. A hook that a handler left by longjmp is recognised by its frame being
 * gone.
 */
struct ls_thread *ls_thread_enter(void);
void ls_thread_leave(void);

/*
 * For a tracked block that is freed while ls_thread_enter says no: by a handler that interrupted a
 * hook, perhaps inside the private jemalloc, whose locks and caches are not made for that. The
 * block waits, linked through its own memory, until that hook leaves.
 */
void ls_thread_defer_free(void *block);

/* True when an allocation that could not enter is one of ours, made inside a hook. */
bool ls_thread_is_own_work(void);
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
