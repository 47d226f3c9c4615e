/*
 * Times event loops: for each thread that waits in epoll, how long it was busy between two waits
 * and how late a timer of the program would have fired.
 *
 * The timer is imagined: it is set for LS_LOOP_TIMER_NS, fires when the thread enters its wait, or
 * on time while it waits, and is then set anew. That is what Node's monitorEventLoopDelay does with
 * a real one, so the figures can be compared; nothing is woken for it.
 *
 * A thread has one loop: the epoll descriptor it sleeps in. Waits on another one (a loop within a
 * callback, as in Node's spawnSync) count as work, until the first has gone without a wait for as
 * long as it had been waited on, a minute at most. A wait that may not sleep (timeout 0) ends a
 * turn and counts as work.
 *
 * `enter` and `leave` run on any thread of the host and in signal handlers; two readings of the
 * clock, no lock. A thread's first wait takes memory for its clock. A clock is written by its
 * thread alone; the collector reads. errno is kept.
 */
#ifndef LS_CAPTURE_LOOP_CLOCK_H
#define LS_CAPTURE_LOOP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

#define LS_LOOP_CLOCKS_MAX 64
#define LS_LOOP_TIMER_NS   UINT64_C(10000000)

struct ls_loop_clock;

/* Until start and after stop nothing is timed. */
void ls_loop_clock_start(void);
void ls_loop_clock_stop(void);

/* Before the real wait on `descriptor`; `sleeps` unless its timeout is 0. The result goes to
 * ls_loop_clock_leave after the wait; NULL when there is nothing to do then. */
struct ls_loop_clock *ls_loop_clock_enter(int descriptor, bool sleeps);
void ls_loop_clock_leave_wait(struct ls_loop_clock *clock);

static inline void ls_loop_clock_leave(struct ls_loop_clock *clock)
{
    if (clock != NULL)
        ls_loop_clock_leave_wait(clock);
}

/* On a thread that ends. */
void ls_loop_clock_thread_ends(void);
/* In a forked child: no thread has a loop until it waits again. */
void ls_loop_clock_child_after_fork(void);

/* A clock as of `now_ns`. Sums are since the thread's first wait and only grow while `owner` stays
 * the same; a turn or a sleep that lasts is in them as far as it has come. */
struct ls_loop_reading {
    uint64_t owner; /* differs for each thread that has had this clock */
    int thread;     /* kernel thread id */
    bool ended;
    bool sleeping;
    uint64_t waits;
    uint64_t busy_ns;
    uint64_t idle_ns;
    uint64_t turn_ns;    /* how long it has been busy by now; 0 while sleeping */
    uint64_t overdue_ns; /* how late the timer is that has not fired yet; 0 when it is not due */
    uint64_t longest_turn_ns;              /* that ended since the last reading */
    uint64_t counts[LS_HISTOGRAM_BUCKETS]; /* timers that fired, by how late */
};

/* Reads clock number 0 to LS_LOOP_CLOCKS_MAX - 1; false when no thread has it. That of a thread
 * which has ended is free after this. Collector only. */
bool ls_loop_clock_read(unsigned number, uint64_t now_ns, struct ls_loop_reading *reading);

/* Threads that found no clock left, or no memory for one. */
uint64_t ls_loop_clock_refused(void);

#endif
