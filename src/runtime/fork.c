/*
 * fork. Before it, the ledger is brought to rest: the collector's lock is taken and running
 * captures are waited for, both with a bound, so that the child's copy is whole. The child then
 * starts a run of its own; where the bound was not met it only keeps freeing right.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/descriptors.h"
#include "capture/heap.h"
#include "capture/loop_clock.h"
#include "capture/resource.h"
#include "capture/thread.h"
#include "capture/unwind.h"
#include "interpose/hooks.h"
#include "ledger/ledger.h"
#include "runtime/notes.h"
#include "system/clock.h"
#include "system/process.h"
#include "system/syscall.h"
#include "v8/tracker.h"

#define PREPARE_LOCK_NS LS_NS_PER_S
#define MARKER_BYTES    4096

/* Of the fork this thread is in: two threads may fork at once. */
static LS_THREAD_LOCAL bool locked;
static LS_THREAD_LOCAL bool captures_rest;

static void prepare(void)
{
    locked = ls_collector_lock(PREPARE_LOCK_NS);
    captures_rest = ls_thread_prepare_fork();
}

static void in_parent(void)
{
    ls_thread_parent_after_fork();
    if (locked)
        ls_collector_unlock();
}

/* The child does nothing of ours any more but to free what was tracked. */
static void give_up_in_child(void)
{
    ls_heap_set_mode(LS_HEAP_OFF);
    ls_resource_set_tracked(0);
    ls_loop_clock_stop();
    ls_hot.countdown = LS_COUNTDOWN_NEVER;
    ls_store_release(&ls_runtime.state, LS_RUNTIME_OFF);
    ls_hook_targets = (struct ls_hook_targets){0};
    ls_v8_stop();
}

static void start_run_of_child(void)
{
    struct ls_run_directory_options directory;

    ls_runtime.pid = ls_sys_getpid();
    ls_runtime.started_at = (double)ls_clock_ns(CLOCK_REALTIME) * 1e-9;
    ls_runtime.watched_since_ns = ls_clock_monotonic_ns();
    ls_runtime.sequence = 0;
    ls_runtime_describe_directory(&directory);
    ls_run_directory_init(&ls_runtime.run, &directory);
}

static void in_child(void)
{
    ls_thread_child_after_fork();
    ls_loop_clock_child_after_fork();
    *ls_runtime.fork_marker = 1;
    ls_resource_adopt_process();
    ls_descriptors_child_after_fork();
    ls_ledger_after_fork();
    if (!captures_rest)
        ls_unwind_disable();
    ls_collector_after_fork();
    if (!locked || !ls_runtime.options.children) {
        give_up_in_child();
        return;
    }
    ls_judge_after_fork();
    ls_names_after_fork();
    ls_v8_after_fork();
    start_run_of_child();
    ls_collector_unlock();
    if (ls_collector_start() != 0)
        give_up_in_child();
}

int ls_fork_start(void)
{
    void *marker =
        ls_sys_mmap(NULL, MARKER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status;

    if (ls_sys_mmap_failed(marker))
        return -ENOMEM;
    /* Kernels before 4.14 do not know it: a raw clone then passes for its parent, as it would
     * without us noticing. The mark itself is all that is lost. */
    ls_sys_madvise(marker, MARKER_BYTES, MADV_WIPEONFORK);
    ls_runtime.fork_marker = marker;
    *ls_runtime.fork_marker = 1;
    status = pthread_atfork(prepare, in_parent, in_child);
    return -status;
}
