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

#include "base/atomic.h"
#include "base/compiler.h"

enum ls_thread_state {
    LS_THREAD_FREE,
    LS_THREAD_RUNNING,
    LS_THREAD_ENDED, /* the collector takes its counts and frees it */
};

struct ls_exact_counts; /* capture/exact.h */
struct ls_walk;         /* capture/walk.h */

/* The table's ordinals of stacks this thread was at lately. A hash of 64 bits stands for the stack:
 * that two of a full table's 65,536 share one has a chance of 1e-10. */
struct ls_recent_stack {
    uint64_t hash;
    uint32_t depth_plus_one; /* 0: none */
    uint32_t stack;
};

#define LS_RECENT_STACKS_BITS 7

struct ls_thread {
    struct ls_thread *next; /* fixed once listed */
    _Atomic int state;
    _Atomic int capturing; /* inside the unwinder: fork waits for it */
    _Atomic int id;        /* kernel thread id; 0 while the record has no thread */
    uint64_t random;
    uint32_t ages_in;     /* exact mode: blocks until the next whose age is kept */
    struct ls_walk *walk; /* NULL until the first capture */
    struct ls_recent_stack recent[1 << LS_RECENT_STACKS_BITS];
    _Atomic(struct ls_exact_counts *) counts; /* NULL until the first exact count */
};

struct ls_hot {
    /* Bytes to the next sample: an allocation of fewer takes the fast path and is subtracted. */
    uint64_t countdown;
    struct ls_thread *thread;
    uintptr_t hook_frame; /* frame address of the hook in progress */
    uint32_t hook_depth;
    bool own_work;       /* calls into libc of our own making, which may allocate */
    uint8_t early_frees; /* see ls_thread_may_have_ended */
    bool counting;       /* the countdown was drawn, and no allocation has passed it by since */
    _Atomic(void *) deferred; /* see ls_thread_defer_free */
};

extern LS_THREAD_LOCAL struct ls_hot ls_hot;

/* Far more bytes than a thread will ever ask for: the fast path for ever. */
#define LS_COUNTDOWN_NEVER (UINT64_MAX / 2)

/* Creates the key. `ends` is called with its id on each thread that ends by itself. 0 or -errno. */
int ls_thread_start(void (*ends)(int thread));

/* The slow ways of the next two. */
struct ls_thread *ls_thread_enter_slowly(uintptr_t here);
void ls_thread_free_deferred(void);

/*
 * Enters a hook's slow path. NULL when this thread is already inside one (a hook called from our
 * own work, or a signal handler that interrupted it) or no record can be had; the caller then
 * passes the call through. A hook that a handler left by longjmp is recognised by its frame being
 * gone.
 */
LS_INLINE struct ls_thread *ls_thread_enter(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    if (LS_UNLIKELY(ls_hot.hook_depth != 0 || ls_hot.thread == NULL))
        return ls_thread_enter_slowly(here);
    ls_hot.hook_depth = 1;
    ls_hot.hook_frame = here;
    ls_compiler_fence();
    return ls_hot.thread;
}

LS_INLINE void ls_thread_leave(void)
{
    /* What a handler defers behind this check waits for the next hook. */
    if (LS_UNLIKELY(ls_load_relaxed(&ls_hot.deferred) != NULL))
        ls_thread_free_deferred();
    ls_compiler_fence();
    ls_hot.hook_depth = 0;
}

/*
 * For a tracked block that is freed while ls_thread_enter says no: by a handler that interrupted a
 * hook, perhaps inside the private jemalloc, whose locks and caches are not made for that. The
 * block waits, linked through its own memory, until that hook leaves.
 */
void ls_thread_defer_free(void *block);

/*
 * A thread that has run the destructors of its keys may still free: libc gives back the stacks of
 * others as a detached thread ends, and their tables are blocks of ours. Such a thread must not
 * begin with anything that a key's destructor would have to end; the private jemalloc would keep it
 * in a list for ever. It looks like one that has not been met, so the first frees of such a thread
 * leave their blocks to others. True for those.
 */
LS_INLINE bool ls_thread_may_have_ended(void)
{
    const uint8_t frees_max = 64;

    if (LS_LIKELY(ls_hot.thread != NULL) || ls_hot.hook_depth != 0 ||
        ls_hot.early_frees == frees_max)
        return false;
    ls_hot.early_frees++;
    return true;
}
/* The block is freed by the collector, or by the next thread that is met. */
void ls_thread_leave_to_others(void *block);
void ls_thread_free_what_was_left(void);

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

/* The thread whose fork is under way. */
extern _Atomic(struct ls_thread *) ls_thread_forking;

/*
 * Around the unwinder. False: a fork is under way, do not unwind now.
 *
 * Dekker's pattern between a thread that starts to unwind and one that starts to fork: each stores
 * its own flag, then loads the other's. The unwinding side is hot, so it pays for no fence; the
 * forking side issues membarrier(2), which fences every running thread.
 */
LS_INLINE bool ls_thread_begin_capture(struct ls_thread *thread)
{
    struct ls_thread *owner;

    ls_store_relaxed(&thread->capturing, 1);
    ls_compiler_fence();
    owner = ls_load_relaxed(&ls_thread_forking);
    if (LS_LIKELY(owner == NULL || owner == thread))
        return true;
    ls_store_relaxed(&thread->capturing, 0);
    return false;
}

LS_INLINE void ls_thread_end_capture(struct ls_thread *thread)
{
    ls_store_release(&thread->capturing, 0); /* H5 pairs with H6 in thread.c */
}

#endif
