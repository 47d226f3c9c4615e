/*
 * The host's threads, from pthread_create until nothing is left of them: a thread that has finished
 * and is neither joined nor detached keeps its stack and counts as live.
 *
 * A thread is a resource of the ledger (capture/resource.h) with a record beside it that says what
 * has become of it. Records are found by the thread's handle, of which two unjoined threads never
 * share one: a join marks its record before the real call, since right after it the handle may be
 * another thread's.
 *
 * Hooks: any thread; no lock, no wait, errno kept. Threads that libc makes for itself are not seen.
 * In a forked child only the thread that forked is left.
 */
#ifndef LS_CAPTURE_HOST_THREADS_H
#define LS_CAPTURE_HOST_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LS_HOST_THREADS_MAX       65536
#define LS_HOST_THREAD_NAME_BYTES 16

/* 0 or -errno. Once, before any hook records. */
int ls_host_threads_start(void);

/* --- hooks --- */

/* Number of a record; 0: none, nothing is recorded. */
typedef uint32_t ls_host_thread;

/* Before the real create. `attributes` may be NULL. */
ls_host_thread ls_host_thread_prepare(const pthread_attr_t *attributes, void (*start)(void),
                                      void *argument);
/* The real create failed. */
void ls_host_thread_dismiss(ls_host_thread thread);
/* It succeeded. */
void ls_host_thread_created(ls_host_thread thread, pthread_t handle);
/* What the new thread begins with, in place of the host's own function, and what it is given. */
void *ls_host_thread_begin(void *record);
int ls_host_thread_begin_int(void *record);
void *ls_host_thread_record(ls_host_thread thread);

/* Before the real join. */
ls_host_thread ls_host_thread_joining(pthread_t handle);
void ls_host_thread_joined(ls_host_thread thread, bool succeeded);
/* Before the real detach. */
void ls_host_thread_detached(pthread_t handle);
void ls_host_thread_cancelled(pthread_t handle);

/* --- the collector --- */

struct ls_host_thread_view {
    uint32_t slot; /* 0: not tracked as a resource */
    bool finished;
    bool detached;
    bool cancelled;
    int id;                /* the kernel's; 0 before it runs */
    const char *last_name; /* of a finished one */
    uint64_t stack_bytes;
    uintptr_t stack_address; /* inside of its stack; 0 before it runs */
    uintptr_t stack_end;     /* where libc made the stack; else nothing of it lies below */
};
typedef void ls_host_threads_visit(void *context, const struct ls_host_thread_view *thread);
void ls_host_threads_for_each(ls_host_threads_visit *visit, void *context);

/* The end of a stack that libc made. */
uintptr_t ls_host_thread_stack_end(pthread_t handle);
/* Of a thread made without attributes. */
uint64_t ls_host_thread_usual_stack_bytes(void);

/* On the thread that forked, in the child. */
void ls_host_threads_after_fork(void);

#endif
