/*
 * The collector: one thread of ours, all signals blocked, asleep between summaries. It empties the
 * ring, judges and writes. A host thread that wants a summary (flush, exit) asks and waits; nothing
 * of this ever runs on a host thread.
 *
 * The lock covers the ledger's collector side while it changes. It is held for milliseconds, never
 * across a call into the loader or a write, and everybody else waits for it with a bound.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/atomic.h"
#include "capture/exact.h"
#include "capture/mappings.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "runtime/balance.h"
#include "runtime/notes.h"
#include "runtime/reconcile.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/real.h"
#include "system/syscall.h"
#include "v8/tracker.h"

#define PICTURE_BYTES ((size_t)64 << 20)
/* Where the host's address space is limited, and so ours. */
#define PICTURE_BYTES_LIMITED ((size_t)4 << 20)
/* Taken at the start, so that the memory cap leaves no summary out: 50 sites with deep stacks. */
#define PICTURE_BYTES_KEPT ((size_t)512 << 10)
#define LOCK_POLL_NS       100000
#define LOCK_YIELDS_MAX    100
#define PRUNE_EVERY        64
/* Before as many summaries nothing is expected to be known. */
#define UNJUDGED_SUMMARIES 5
/* V8 is asked for readings this long before a summary, so that they are there when it is made. */
#define READING_LEAD_NS (200 * UINT64_C(1000000))

static _Atomic int lock;
static _Atomic int lock_wanted; /* threads waiting for it */
static _Atomic int running;
static _Atomic int stop_wanted;
static _Atomic int thread_id;
static pthread_t thread;
static _Atomic uint32_t requested;     /* enum ls_collector_request, the strongest wins */
static _Atomic uint32_t requests_made; /* number of the last request */
static _Atomic uint32_t requests_done; /* all up to this one are served; a futex word */
static _Atomic int last_write_status;
static struct ls_arena picture_arena;
static struct ls_snapshot snapshot;
static uint64_t next_summary_ns;
static bool readings_requested;

static bool try_lock(void)
{
    return ls_exchange_acquire_release(&lock, 1) == 0; /* K1 pairs with K2 */
}

bool ls_collector_lock(uint64_t timeout_ns)
{
    uint64_t deadline;
    bool locked = try_lock();

    if (locked)
        return true;
    deadline = ls_clock_monotonic_ns() + timeout_ns;
    /* Relaxed: a hint to the collector, which asks again and again. */
    ls_add_relaxed(&lock_wanted, 1);
    while (!locked && ls_clock_monotonic_ns() <= deadline) {
        ls_sys_sleep(LOCK_POLL_NS);
        locked = try_lock();
    }
    ls_add_relaxed(&lock_wanted, -1);
    return locked;
}

void ls_collector_unlock(void)
{
    ls_store_release(&lock, 0); /* K2 pairs with K1 */
}

/* The collector's own. While events come as fast as it can take them in it would have the lock
 * again before anyone who waits for it has looked: a thread that forks goes first. */
static void take_lock(void)
{
    for (int i = 0; i < LOCK_YIELDS_MAX && ls_load_relaxed(&lock_wanted) != 0; i++)
        ls_sys_sleep(LOCK_POLL_NS);
    while (!ls_collector_lock(LS_NS_PER_S))
        continue;
}

static void note_v8(void)
{
    static const char *said;
    const char *note = ls_v8_note();

    if (note == said)
        return;
    if (said != NULL) {
        ls_note_remove(said);
        ls_note("JavaScript tracking has stood aside for a part of this run");
    }
    if (note != NULL)
        ls_note(note);
    said = note;
}

static void note_v8_frames(void)
{
    const char *note = ls_v8_frames_note();

    if (note != NULL)
        ls_note(note);
}

/* Has `note` among the notes in place of what was said before; either may be NULL. */
static void note_instead(const char **said, const char *note)
{
    if (note == *said)
        return;
    if (*said != NULL)
        ls_note_remove(*said);
    if (note != NULL)
        ls_note(note);
    *said = note;
}

/* The note stands for as long as it holds. */
static void note_while(bool holds, const char *note)
{
    if (holds)
        ls_note(note);
    else
        ls_note_remove(note);
}

static void note_v8_reach(void)
{
    static const char *unread;
    static const char *interval;

    note_instead(&unread, ls_v8_unread_note());
    note_instead(&interval, ls_v8_interval_note());
}

/* Why a program that visibly grows is still being learned. */
static void note_unjudged(const struct ls_judgement *judgement)
{
    static const char line[] =
        "V8 has made too few major collections to tell growth of its heap from garbage; until then "
        "JavaScript sites are learning, and native ones that its objects may hold";

    note_while(judgement->process.state == LS_PROCESS_LEARNING &&
                   judgement->learning_js_bytes > 0 && ls_runtime.sequence >= UNJUDGED_SUMMARIES,
               line);
}

static void note_overflow(void)
{
    /* Relaxed: a statistic. */
    if (ls_load_relaxed(&ls_ledger.stacks.overflowed) + ls_ledger.sites.overflowed > 0)
        ls_note("there are more callsites than the tables hold: those found later are one site, "
                "named so; a lower depth makes fewer, a larger memory may make room");
}

static const char *reason_of(int status)
{
    switch (-status) {
    case ENOSPC:
        return "cannot write summaries: no space left on the device";
    case EDQUOT:
        return "cannot write summaries: the disk quota is used up";
    case EROFS:
        return "cannot write summaries: the file system is read-only";
    case EFBIG:
        return "cannot write summaries: the file size limit is reached";
    case EMFILE:
    case ENFILE:
        return "cannot write summaries: no descriptors left";
    default:
        return "cannot write summaries: the file system reports an error";
    }
}

/* Said once as long as it lasts; the run goes on, and so do the attempts. */
static void tell_outcome(int status)
{
    static const char *trouble;

    if (ls_runtime.run.reason[0] != '\0') {
        ls_warn(ls_runtime.run.reason);
        return;
    }
    if (trouble != NULL && status == 0)
        ls_note_remove(trouble);
    trouble = status == 0 ? NULL : reason_of(status);
    if (trouble != NULL)
        ls_warn(trouble);
}

static int write_files(void)
{
    int status = ls_run_directory_write(&ls_runtime.run, &snapshot);

    tell_outcome(status);
    if (status == 0)
        ls_runtime.sequence++;
    if (ls_runtime.sequence % PRUNE_EVERY == 1)
        ls_run_directory_prune(&ls_runtime.run, ls_runtime.options.keep, snapshot.written_at);
    return status;
}

static int summarise(bool final)
{
    static const struct ls_ledger_code code = {.dispatch_of = ls_names_dispatch_of,
                                               .engine_of = ls_engine_code_of};
    struct ls_judgement judgement;
    uint32_t stacks_known = ls_stack_table_count(&ls_ledger.stacks);
    uint64_t now_ns = ls_clock_monotonic_ns();
    int status;

    if (final && ls_runtime.sequence > 0 && ls_runtime.options.mode != LS_MODE_EXACT) {
        /* V8 has taken its heap down by now, and a service may have freed all it had. */
        ls_picture_make_final(&picture_arena, &snapshot);
        return write_files();
    }
    /* Takes the loader's lock. A process that ends inside a constructor of a library holds it, so
     * the last summary does with the modules it knows. */
    if (!final)
        ls_modules_refresh(&ls_ledger.modules, now_ns);
    note_v8();
    note_v8_frames();
    ls_reconcile();
    note_v8_reach();
    ls_names_learn(stacks_known);
    ls_balance_read(now_ns);
    take_lock();
    ls_ledger_drain();
    ls_exact_settle();
    ls_mappings_settle(stacks_known, ls_mapping_class_of);
    ls_balance_settle();
    ls_ledger_settle_sites(stacks_known, &code);
    ls_js_sites_update();
    ls_judge(now_ns, final, &judgement);
    note_unjudged(&judgement);
    note_while(judgement.js_exceeds_heap,
               "V8's samples stand for more than its heap holds: an array whose elements were "
               "replaced counts for both; the largest JavaScript sites are smaller than they are "
               "told");
    note_overflow();
    ls_arena_reset(&picture_arena);
    status = ls_picture_take(&picture_arena, &judgement, now_ns, final, &snapshot);
    ls_collector_unlock();
    if (status != 0) {
        ls_note("no memory left for a summary; raise the option memory or lower top");
        return status;
    }
    ls_picture_finish(&picture_arena, &snapshot);
    return write_files();
}

static void serve_request(void)
{
    uint32_t number = ls_load_acquire(&requests_made); /* Q1 pairs with Q2 */
    uint32_t kind = ls_exchange_acquire_release(&requested, LS_REQUEST_NONE);

    if (kind != LS_REQUEST_NONE)
        ls_store_relaxed(&last_write_status, summarise(kind == LS_REQUEST_FINAL));
    ls_store_release(&requests_done, number); /* Q3 pairs with Q4 */
    ls_sys_futex_wake((const void *)&requests_done, INT32_MAX);
}

/* Sleeps until something is due: `until_ns`, a request, or a ring half full. */
static void wait_until(uint64_t until_ns, uint32_t seen_wakes)
{
    uint64_t now_ns = ls_clock_monotonic_ns();
    struct timespec timeout;

    if (now_ns >= until_ns)
        return;
    timeout.tv_sec = (time_t)((until_ns - now_ns) / LS_NS_PER_S);
    timeout.tv_nsec = (long)((until_ns - now_ns) % LS_NS_PER_S);
    ls_sys_futex_wait((const void *)&ls_ledger.wake_word, seen_wakes, &timeout);
}

/* 0 without V8: the thread then wakes once an interval. */
static uint64_t reading_lead_ns(void)
{
    uint64_t quarter = ls_runtime.options.interval_ns / 4;

    if (ls_v8_current_state() == LS_V8_ABSENT)
        return 0;
    return quarter < READING_LEAD_NS ? quarter : READING_LEAD_NS;
}

static void do_what_is_due(void)
{
    uint64_t now_ns = ls_clock_monotonic_ns();

    if (ls_load_relaxed(&requests_made) != ls_load_relaxed(&requests_done))
        serve_request();
    if (!readings_requested && now_ns + reading_lead_ns() >= next_summary_ns) {
        ls_v8_request_readings();
        readings_requested = true;
    }
    if (now_ns >= next_summary_ns) {
        summarise(false);
        readings_requested = false;
        next_summary_ns += ls_runtime.options.interval_ns;
        /* After a machine's sleep or a slow disk: no volley of summaries. */
        if (next_summary_ns < now_ns)
            next_summary_ns = now_ns + ls_runtime.options.interval_ns;
    } else if (ls_ring_waiting(&ls_ledger.ring) >= ls_ledger.wake_level ||
               ls_load_relaxed(&ls_ledger.sweep_wanted) || ls_mappings_want_drain()) {
        take_lock();
        ls_ledger_drain();
        ls_mappings_drain();
        ls_collector_unlock();
    }
}

/*
 * A descriptor table of this thread's own, empty: the files it writes can then never take a number
 * the host expects to get, nor be closed by a host that closes all it finds. Where the kernel is
 * too old or forbids it, the table stays shared and descriptors are just kept away from 0, 1 and 2.
 */
static void leave_descriptors(void)
{
    const unsigned unshare_first = 1u << 1; /* CLOSE_RANGE_UNSHARE, linux/close_range.h */

    if (ls_sys_call6(SYS_close_range, 0, ~0u, unshare_first, 0, 0, 0) == 0)
        ls_notes_descriptors_are_own();
}

static void *collect(void *unused)
{
    (void)unused;
    ls_sys_call6(SYS_prctl, PR_SET_NAME, (long)"leakshim", 0, 0, 0, 0);
    ls_store_relaxed(&thread_id, ls_sys_gettid());
    leave_descriptors();
    while (!ls_load_acquire(&stop_wanted)) {                         /* K3 pairs with K4 */
        uint32_t seen_wakes = ls_load_acquire(&ls_ledger.wake_word); /* W2 pairs with W1 */
        do_what_is_due();
        wait_until(readings_requested ? next_summary_ns : next_summary_ns - reading_lead_ns(),
                   seen_wakes);
    }
    return NULL;
}

static int start_thread(void)
{
    sigset_t all;
    sigset_t before;
    int status;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = LS_REAL(pthread_create)(&thread, NULL, collect, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -status;
}

int ls_collector_start(void)
{
    int status = 0;

    if (ls_load_acquire(&running))
        return 0;
    if (picture_arena.base == NULL)
        status = ls_arena_init(
            &picture_arena, ls_process_address_limit() == 0 ? PICTURE_BYTES : PICTURE_BYTES_LIMITED,
            PICTURE_BYTES_KEPT);
    if (status == 0)
        status = ls_names_start();
    if (status != 0)
        return status;
    next_summary_ns = ls_clock_monotonic_ns() + ls_runtime.options.interval_ns;
    readings_requested = false;
    ls_store_relaxed(&running, 1);
    ls_store_relaxed(&stop_wanted, 0);
    status = start_thread();
    if (status != 0)
        ls_store_relaxed(&running, 0);
    return status;
}

static void wake(void)
{
    ls_add_release(&ls_ledger.wake_word, 1);
    ls_sys_futex_wake((const void *)&ls_ledger.wake_word, 1);
}

bool ls_collector_pause(void)
{
    if (!ls_load_acquire(&running) || pthread_equal(pthread_self(), thread))
        return false;
    ls_store_release(&stop_wanted, 1); /* K4 pairs with K3 */
    wake();
    pthread_join(thread, NULL);
    ls_store_relaxed(&stop_wanted, 0);
    ls_store_release(&running, 0);
    return true;
}

int ls_collector_thread(void)
{
    return ls_load_relaxed(&thread_id);
}

static void raise_request(uint32_t kind)
{
    uint32_t before = ls_load_relaxed(&requested);

    while (before < kind && !ls_compare_exchange_relaxed(&requested, &before, kind))
        continue;
}

int ls_collector_request(enum ls_collector_request kind, uint64_t timeout_ns)
{
    uint64_t deadline = ls_clock_monotonic_ns() + timeout_ns;
    uint32_t number;

    if (!ls_load_acquire(&running))
        return -ENOTSUP;
    raise_request(kind);
    number = ls_add_release(&requests_made, 1) + 1; /* Q2 pairs with Q1 */
    wake();
    for (;;) {
        uint32_t done = ls_load_acquire(&requests_done); /* Q4 pairs with Q3 */
        uint64_t now_ns = ls_clock_monotonic_ns();
        struct timespec pause = {0, 50000000};

        if ((int32_t)(done - number) >= 0)
            return ls_load_relaxed(&last_write_status);
        if (now_ns >= deadline)
            return -ETIMEDOUT;
        ls_sys_futex_wait((const void *)&requests_done, done, &pause);
    }
}

void ls_collector_after_fork(void)
{
    ls_store_relaxed(&running, 0);
    ls_store_relaxed(&lock_wanted, 0);
    ls_store_relaxed(&requested, LS_REQUEST_NONE);
    ls_store_relaxed(&requests_done, ls_load_relaxed(&requests_made));
}
