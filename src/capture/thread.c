#include "capture/thread.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/atomic.h"
#include "capture/frame_probe.h"
#include "capture/unwind.h"
#include "capture/walk.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/syscall.h"

LS_THREAD_LOCAL struct ls_hot ls_hot;

_Atomic(struct ls_thread *) ls_thread_forking;

static _Atomic(struct ls_thread *) threads;
static _Atomic(void *) left_blocks; /* linked through their own memory */
static pthread_key_t key;
static _Atomic int key_is_ready;
static void (*thread_ends)(int);

#define FORK_WAIT_NS   (50 * UINT64_C(1000000))
#define FORK_POLL_NS   100000
#define STACK_SPAN_MAX ((uintptr_t)8 << 20)

/* A handler must not allocate from the caches while they are taken down. */
static void before_caches_go(void)
{
    ls_hot.hook_frame = (uintptr_t)__builtin_frame_address(0);
    ls_hot.hook_depth = 1;
    ls_compiler_fence();
}

static void after_caches_went(void)
{
    ls_thread_leave();
}

static void end_thread(void *record)
{
    struct ls_thread *thread = record;
    int id = ls_load_relaxed(&thread->id);

    before_caches_go();
    ls_memory_thread_end();
    after_caches_went();
    ls_hot.thread = NULL;
    ls_hot.early_frees = 0;
    ls_hot.countdown = 0;
    ls_hot.counting = false;
    /* Without counts there is nothing for the collector to take: a server with a thread for each
     * request has thousands in an interval. */
    if (ls_load_relaxed(&thread->counts) == NULL)
        ls_thread_recycle(thread);
    else
        ls_store_release(&thread->state, LS_THREAD_ENDED); /* H1 pairs with H2 */
    if (thread_ends != NULL)
        thread_ends(id); /* the record may be another thread's by now */
}

int ls_thread_start(void (*ends)(int))
{
    int status = pthread_key_create(&key, end_thread);

    thread_ends = ends;
    ls_memory_around_thread_end(before_caches_go, after_caches_went);
    if (status != 0)
        return -status;
    /* So that prepare_fork can order our plain stores against its own; see begin_capture. While the
     * process has one thread this is immediate. */
    ls_sys_call6(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0);
    ls_store_release(&key_is_ready, 1);
    return 0;
}

static struct ls_thread *reuse_record(void)
{
    for (struct ls_thread *thread = ls_load_acquire(&threads); thread != NULL;
         thread = thread->next) {
        int expected = LS_THREAD_FREE;

        if (ls_load_relaxed(&thread->state) == LS_THREAD_FREE &&
            ls_compare_exchange_acquire_release(&thread->state, &expected, LS_THREAD_RUNNING))
            return thread;
    }
    return NULL;
}

static struct ls_thread *new_record(void)
{
    /* Not from jemalloc: a signal handler may open and close files, on a thread that it may have
     * found inside that. */
    struct ls_thread *thread = ls_memory_own_map(sizeof(*thread), sizeof(*thread));
    struct ls_thread *head;

    if (thread == NULL)
        return NULL;
    ls_store_relaxed(&thread->state, LS_THREAD_RUNNING);
    ls_store_relaxed(&thread->id, 0);
    head = ls_load_relaxed(&threads);
    do {
        thread->next = head;
        /* H3 pairs with the acquire loads of `threads`: a reader sees the record filled. */
    } while (!atomic_compare_exchange_weak_explicit(&threads, &head, thread, memory_order_release,
                                                    memory_order_relaxed));
    return thread;
}

static LS_COLD struct ls_thread *meet_thread(void)
{
    struct ls_thread *thread;
    int saved_errno = errno;

    if (!ls_load_acquire(&key_is_ready))
        return NULL;
    thread = reuse_record();
    if (thread == NULL)
        thread = new_record();
    if (thread == NULL)
        return NULL;
    ls_store_relaxed(&thread->id, ls_sys_gettid());
    thread->random = ls_clock_monotonic_ns() ^ (uint64_t)ls_sys_gettid() << 32 ^ (uintptr_t)thread;
    if (thread->walk != NULL)
        ls_walk_init(thread->walk); /* the last owner's stack is gone */
    ls_hot.thread = thread;
    /* Both may allocate: the record is set, so that call passes through. */
    ls_hot.own_work = true;
    pthread_setspecific(key, thread); /* for keys past the first 32 */
    ls_unwind_meet_thread();
    ls_hot.own_work = false;
    errno = saved_errno;
    return thread;
}

bool ls_thread_is_own_work(void)
{
    return ls_hot.own_work || (ls_hot.thread != NULL && ls_load_relaxed(&ls_hot.thread->capturing));
}

struct ls_thread *ls_thread_current(void)
{
    return LS_LIKELY(ls_hot.thread != NULL) ? ls_hot.thread : meet_thread();
}

static bool is_on_alternate_stack(void)
{
    stack_t stack;

    return ls_sys_call6(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0) != 0 ||
           (stack.ss_flags & SS_ONSTACK) != 0;
}

/* Stacks grow down: the frame of a hook that is still running lies above that of any later caller
 * on the same stack. A caller above it, within a stack's reach, means that hook was jumped out of;
 * or that a handler runs on an alternate stack. Never while the unwinder is at work: entered twice,
 * its cache would break. */
static bool hook_was_abandoned(uintptr_t here)
{
    if (ls_hot.thread != NULL && ls_load_relaxed(&ls_hot.thread->capturing))
        return false;
    return here > ls_hot.hook_frame && here - ls_hot.hook_frame < STACK_SPAN_MAX &&
           !is_on_alternate_stack();
}

struct ls_thread *ls_thread_enter_slowly(uintptr_t here)
{
    struct ls_thread *thread;

    if (ls_hot.hook_depth != 0 && !hook_was_abandoned(here))
        return NULL;
    ls_hot.hook_depth = 1;
    ls_hot.hook_frame = here;
    ls_compiler_fence();
    thread = ls_thread_current();
    if (LS_UNLIKELY(thread == NULL))
        ls_hot.hook_depth = 0;
    else
        ls_thread_free_what_was_left();
    return thread;
}

/* Relaxed: only this thread and handlers on it touch the list. */
void ls_thread_defer_free(void *block)
{
    void *former = ls_load_relaxed(&ls_hot.deferred);

    do {
        memcpy(block, &former, sizeof(former));
    } while (!ls_compare_exchange_relaxed(&ls_hot.deferred, &former, block));
}

void ls_thread_free_deferred(void)
{
    void *block = ls_exchange_relaxed(&ls_hot.deferred, NULL);

    while (block != NULL) {
        void *next;

        memcpy(&next, block, sizeof(next));
        ls_memory_tracked_free(block);
        block = next;
    }
}

void ls_thread_leave_to_others(void *block)
{
    void *former = ls_load_relaxed(&left_blocks);

    do {
        memcpy(block, &former, sizeof(former));
        /* U1 pairs with U2: the link in the block, and all its last owner wrote to it. */
    } while (!atomic_compare_exchange_weak_explicit(&left_blocks, &former, block,
                                                    memory_order_release, memory_order_relaxed));
}

void ls_thread_free_what_was_left(void)
{
    void *block;

    if (LS_LIKELY(ls_load_relaxed(&left_blocks) == NULL))
        return;
    block = ls_exchange_acquire_release(&left_blocks, NULL); /* U2 pairs with U1 */
    while (block != NULL) {
        void *next;

        memcpy(&next, block, sizeof(next));
        ls_memory_tracked_free(block);
        block = next;
    }
}

void ls_thread_for_each(ls_thread_visit *visit, void *context)
{
    struct ls_thread *thread = ls_load_acquire(&threads); /* H3 */

    for (; thread != NULL; thread = thread->next)
        visit(context, thread);
}

void ls_thread_recycle(struct ls_thread *thread)
{
    ls_store_relaxed(&thread->capturing, 0);
    /* The next owner takes the record before it writes its id. With the old one in it, it would
     * pass for gone meanwhile. */
    ls_store_relaxed(&thread->id, 0);
    ls_store_release(&thread->state,
                     LS_THREAD_FREE); /* H4 pairs with the exchange in reuse_record */
}

bool ls_thread_is_gone(const struct ls_thread *thread)
{
    /* Relaxed: an id by itself. The kernel says EINVAL to 0. */
    return ls_sys_call6(SYS_tgkill, ls_sys_getpid(), ls_load_relaxed(&thread->id), 0, 0, 0, 0) ==
           -ESRCH;
}

bool ls_thread_prepare_fork(void)
{
    struct ls_thread *self = ls_thread_current();
    uint64_t deadline = ls_clock_monotonic_ns() + FORK_WAIT_NS;
    struct ls_thread *thread;

    if (self == NULL)
        return false;
    ls_store_relaxed(&ls_thread_forking, self);
    ls_sys_call6(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0);
    for (thread = ls_load_acquire(&threads); thread != NULL; thread = thread->next) {
        while (thread != self && ls_load_acquire(&thread->capturing)) { /* H6 pairs with H5 */
            if (ls_clock_monotonic_ns() > deadline || ls_thread_is_gone(thread))
                return false;
            ls_sys_sleep(FORK_POLL_NS);
        }
    }
    return true;
}

void ls_thread_parent_after_fork(void)
{
    ls_store_relaxed(&ls_thread_forking, NULL);
}

void ls_thread_child_after_fork(void)
{
    ls_frame_probe_child_after_fork();
    struct ls_thread *self = ls_hot.thread;

    ls_store_relaxed(&ls_thread_forking, NULL);
    for (struct ls_thread *thread = ls_load_acquire(&threads); thread != NULL;
         thread = thread->next) {
        if (thread == self) {
            ls_store_relaxed(&thread->id, ls_sys_gettid());
            thread->random ^= ls_clock_monotonic_ns();
        } else if (ls_load_relaxed(&thread->state) == LS_THREAD_RUNNING) {
            ls_store_relaxed(&thread->state, LS_THREAD_ENDED);
        }
        if (thread != self)
            ls_store_relaxed(&thread->capturing, 0);
    }
}
