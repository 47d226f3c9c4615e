/*
 * A process whose main thread has called pthread_exit ends, by exit(0), when its last thread
 * returns. The collector would be that thread and never return. So a thread of ours, made at that
 * moment by the main thread and so with the host's descriptors, waits until only ours are left,
 * ends the collector and returns: the last thread then runs the host's exit handlers as it would
 * have.
 */
#include "runtime/runtime.h"

#include <pthread.h>

#include "base/atomic.h"
#include "runtime/notes.h"
#include "system/clock.h"
#include "system/process.h"
#include "system/real.h"
#include "system/syscall.h"

#define POLL_NS      (50 * UINT64_C(1000000))
#define LAST_WORD_NS (2 * LS_NS_PER_S)

static bool only_ours_are_left(void)
{
    return ls_process_main_thread_ended() &&
           !ls_process_has_other_threads(ls_sys_gettid(), ls_collector_thread());
}

static void *watch(void *unused)
{
    (void)unused;
    while (!only_ours_are_left())
        ls_sys_sleep(POLL_NS);
    if (ls_runtime_leaves_a_run())
        ls_collector_request(LS_REQUEST_FINAL, LAST_WORD_NS);
    ls_store_release(&ls_runtime.state, LS_RUNTIME_OFF);
    ls_collector_pause();
    return NULL;
}

void ls_last_thread_watch(void)
{
    static _Atomic int watched;
    pthread_t thread;

    /* The destructor that brings us here runs again when others allocate after it. */
    if (ls_exchange_relaxed(&watched, 1) != 0)
        return;
    if (LS_REAL(pthread_create)(&thread, NULL, watch, NULL) == 0)
        pthread_detach(thread);
    else
        ls_note("main has ended and the end of the other threads cannot be watched");
}
