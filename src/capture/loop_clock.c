#include "capture/loop_clock.h"

#include <errno.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/thread.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/syscall.h"

/* A thread that sleeps elsewhere for less than this has not moved there; for longer, it has. */
#define MOVES_AFTER_LEAST_NS (LS_NS_PER_S / 10)
#define MOVES_AFTER_MOST_NS  (60 * LS_NS_PER_S)

enum clock_state {
    CLOCK_FREE,
    CLOCK_CLAIMED,
    CLOCK_RUNNING,
    CLOCK_ENDED,
};

/* All of it is figures, relaxed: the collector may read a turn as it ends, and then counts it in
 * this summary or in the next. */
struct ls_loop_clock {
    _Atomic int state;
    _Atomic int thread;
    _Atomic uint64_t owner;
    /* When this turn or sleep began, times two, plus one for a sleep. */
    _Atomic uint64_t phase;
    _Atomic uint64_t due_ns; /* when the imagined timer fires */
    _Atomic uint64_t longest_turn_ns;
    _Atomic unsigned long waits;
    _Atomic unsigned long busy_ns;
    _Atomic unsigned long idle_ns;
    int descriptor;
    bool has_slept;
    uint64_t first_ns; /* of the waits on `descriptor` */
    _Atomic unsigned long counts[LS_HISTOGRAM_BUCKETS];
};

#define CLOCK_BYTES ((sizeof(struct ls_loop_clock) + 4095) & ~(size_t)4095)

static struct ls_loop_clock *_Atomic clocks[LS_LOOP_CLOCKS_MAX];
/* Relaxed: a thread that sees it late is timed a wait later. */
static _Atomic int is_running;
static _Atomic uint64_t owners;
static _Atomic uint64_t refused;

static LS_THREAD_LOCAL struct ls_loop_clock *own_clock;
/* It has asked for a clock already, or is about to. */
static LS_THREAD_LOCAL bool has_asked;

void ls_loop_clock_start(void)
{
    ls_store_relaxed(&is_running, 1);
}

void ls_loop_clock_stop(void)
{
    ls_store_relaxed(&is_running, 0);
}

static uint64_t since(uint64_t begin_ns, uint64_t now_ns)
{
    return now_ns > begin_ns ? now_ns - begin_ns : 0;
}

static void set_phase(struct ls_loop_clock *clock, uint64_t now_ns, bool sleeps)
{
    ls_store_relaxed(&clock->phase, now_ns << 1 | sleeps);
}

static struct ls_loop_clock *clock_at(size_t number)
{
    struct ls_loop_clock *expected = NULL;
    struct ls_loop_clock *clock = ls_load_acquire(&clocks[number]); /* O2 pairs with O1 */

    if (clock != NULL)
        return clock;
    clock = ls_memory_own_map(CLOCK_BYTES, CLOCK_BYTES);
    if (clock == NULL)
        return NULL;
    /* O1 pairs with O2 */
    if (ls_compare_exchange_acquire_release(&clocks[number], &expected, clock))
        return clock;
    ls_memory_own_unmap(clock, CLOCK_BYTES, CLOCK_BYTES);
    return expected;
}

static bool claim(struct ls_loop_clock *clock, int state)
{
    return ls_load_relaxed(&clock->state) == state &&
           ls_compare_exchange_acquire_release(&clock->state, &state,
                                               CLOCK_CLAIMED); /* O6 pairs with O5 */
}

/* One that has been free, or else one whose thread has ended since the last summary. */
static struct ls_loop_clock *find_clock(void)
{
    for (size_t i = 0; i < LS_LOOP_CLOCKS_MAX; i++) {
        struct ls_loop_clock *clock = clock_at(i);

        if (clock == NULL)
            break;
        if (claim(clock, CLOCK_FREE))
            return clock;
    }
    for (size_t i = 0; i < LS_LOOP_CLOCKS_MAX; i++) {
        struct ls_loop_clock *clock = ls_load_acquire(&clocks[i]); /* O2 */

        if (clock != NULL && claim(clock, CLOCK_ENDED))
            return clock;
    }
    return NULL;
}

static void begin(struct ls_loop_clock *clock, int descriptor, uint64_t now_ns)
{
    ls_store_relaxed(&clock->thread, ls_sys_gettid());
    ls_store_relaxed(&clock->owner, ls_add_relaxed(&owners, 1) + 1);
    ls_store_relaxed(&clock->due_ns, now_ns + LS_LOOP_TIMER_NS);
    ls_store_relaxed(&clock->longest_turn_ns, 0);
    ls_store_relaxed(&clock->waits, 0);
    ls_store_relaxed(&clock->busy_ns, 0);
    ls_store_relaxed(&clock->idle_ns, 0);
    for (size_t i = 0; i < LS_HISTOGRAM_BUCKETS; i++)
        ls_store_relaxed(&clock->counts[i], 0);
    clock->descriptor = descriptor;
    clock->has_slept = false;
    clock->first_ns = now_ns;
    set_phase(clock, now_ns, false);
    ls_store_release(&clock->state, CLOCK_RUNNING); /* O3 pairs with O4 */
}

static LS_COLD struct ls_loop_clock *meet_loop(int descriptor, uint64_t now_ns)
{
    struct ls_loop_clock *clock = NULL;
    int saved_errno = errno;

    if (has_asked)
        return NULL;
    has_asked = true;
    /* The thread's record is what tells us of its end. */
    if (ls_thread_current() != NULL)
        clock = find_clock();
    if (clock != NULL) {
        begin(clock, descriptor, now_ns);
        own_clock = clock;
    } else {
        ls_add_relaxed(&refused, 1);
    }
    errno = saved_errno;
    return clock;
}

/* How long a loop may go without a wait before another takes its place. */
static uint64_t patience_ns(uint64_t waited_on_ns)
{
    if (waited_on_ns < MOVES_AFTER_LEAST_NS)
        return MOVES_AFTER_LEAST_NS;
    return waited_on_ns < MOVES_AFTER_MOST_NS ? waited_on_ns : MOVES_AFTER_MOST_NS;
}

/* Whether a wait on another descriptor is that of the thread's loop from here on. */
static LS_COLD bool moves(struct ls_loop_clock *clock, int descriptor, bool sleeps, uint64_t now_ns)
{
    uint64_t last_ns = ls_load_relaxed(&clock->phase) >> 1;

    if (!sleeps)
        return false;
    if (clock->has_slept && since(last_ns, now_ns) <= patience_ns(since(clock->first_ns, last_ns)))
        return false;
    clock->descriptor = descriptor;
    clock->first_ns = now_ns;
    ls_store_relaxed(&clock->due_ns, now_ns + LS_LOOP_TIMER_NS);
    set_phase(clock, now_ns, false);
    return true;
}

static void end_turn(struct ls_loop_clock *clock, uint64_t now_ns)
{
    uint64_t phase = ls_load_relaxed(&clock->phase);
    uint64_t due_ns = ls_load_relaxed(&clock->due_ns);
    uint64_t turn_ns = since(phase >> 1, now_ns);

    /* A sleep that did not end: a handler jumped out of it, and nobody knows when. */
    if ((phase & 1) != 0) {
        ls_add_own_thread(&clock->idle_ns, turn_ns);
        ls_store_relaxed(&clock->due_ns, now_ns + LS_LOOP_TIMER_NS);
        return;
    }
    ls_add_own_thread(&clock->busy_ns, turn_ns);
    if (turn_ns > ls_load_relaxed(&clock->longest_turn_ns))
        ls_store_relaxed(&clock->longest_turn_ns, turn_ns);
    if (now_ns >= due_ns) {
        ls_add_own_thread(&clock->counts[ls_histogram_bucket(now_ns - due_ns)], 1);
        ls_store_relaxed(&clock->due_ns, now_ns + LS_LOOP_TIMER_NS);
    }
}

struct ls_loop_clock *ls_loop_clock_enter(int descriptor, bool sleeps)
{
    struct ls_loop_clock *clock = own_clock;
    uint64_t now_ns;

    if (!ls_load_relaxed(&is_running))
        return NULL;
    now_ns = ls_clock_monotonic_ns();
    if (LS_UNLIKELY(clock == NULL)) {
        clock = meet_loop(descriptor, now_ns);
        if (clock == NULL)
            return NULL;
    }
    if (LS_UNLIKELY(descriptor != clock->descriptor) && !moves(clock, descriptor, sleeps, now_ns))
        return NULL;
    end_turn(clock, now_ns);
    ls_add_own_thread(&clock->waits, 1);
    clock->has_slept |= sleeps;
    set_phase(clock, now_ns, sleeps);
    return sleeps ? clock : NULL;
}

/* How often the timer fires on time until `now_ns`. */
static uint64_t fires_by(uint64_t due_ns, uint64_t now_ns)
{
    return now_ns < due_ns ? 0 : (now_ns - due_ns) / LS_LOOP_TIMER_NS + 1;
}

void ls_loop_clock_leave_wait(struct ls_loop_clock *clock)
{
    int saved_errno = errno;
    uint64_t now_ns = ls_clock_monotonic_ns();
    uint64_t due_ns = ls_load_relaxed(&clock->due_ns);
    uint64_t fired = fires_by(due_ns, now_ns);

    ls_add_own_thread(&clock->idle_ns, since(ls_load_relaxed(&clock->phase) >> 1, now_ns));
    if (fired != 0) {
        ls_add_own_thread(&clock->counts[0], fired);
        ls_store_relaxed(&clock->due_ns, due_ns + fired * LS_LOOP_TIMER_NS);
    }
    set_phase(clock, now_ns, false);
    errno = saved_errno;
}

void ls_loop_clock_thread_ends(void)
{
    struct ls_loop_clock *clock = own_clock;

    own_clock = NULL;
    has_asked = false;
    if (clock != NULL)
        ls_store_release(&clock->state, CLOCK_ENDED); /* O3 */
}

void ls_loop_clock_child_after_fork(void)
{
    for (size_t i = 0; i < LS_LOOP_CLOCKS_MAX; i++) {
        struct ls_loop_clock *clock = ls_load_acquire(&clocks[i]); /* O2 */

        if (clock != NULL)
            ls_store_relaxed(&clock->state, CLOCK_FREE);
    }
    own_clock = NULL;
    has_asked = false;
    ls_store_relaxed(&refused, 0);
}

static void copy_figures(struct ls_loop_clock *clock, struct ls_loop_reading *reading)
{
    reading->owner = ls_load_relaxed(&clock->owner);
    reading->thread = ls_load_relaxed(&clock->thread);
    reading->waits = ls_load_relaxed(&clock->waits);
    reading->busy_ns = ls_load_relaxed(&clock->busy_ns);
    reading->idle_ns = ls_load_relaxed(&clock->idle_ns);
    for (size_t i = 0; i < LS_HISTOGRAM_BUCKETS; i++)
        reading->counts[i] = ls_load_relaxed(&clock->counts[i]);
}

/* What goes on as it is read. */
static void add_present(uint64_t phase, uint64_t due_ns, uint64_t now_ns,
                        struct ls_loop_reading *reading)
{
    uint64_t lasting_ns = since(phase >> 1, now_ns);

    reading->sleeping = (phase & 1) != 0;
    if (reading->sleeping) {
        reading->idle_ns += lasting_ns;
        reading->counts[0] += fires_by(due_ns, now_ns);
    } else {
        reading->busy_ns += lasting_ns;
        reading->turn_ns = lasting_ns;
        reading->overdue_ns = since(due_ns, now_ns);
    }
}

bool ls_loop_clock_read(unsigned number, uint64_t now_ns, struct ls_loop_reading *reading)
{
    const int tries = 8;
    struct ls_loop_clock *clock = ls_load_acquire(&clocks[number]); /* O2 */
    uint64_t phase;
    uint64_t due_ns;
    int state;

    if (clock == NULL)
        return false;
    state = ls_load_acquire(&clock->state); /* O4 pairs with O3 */
    if (state != CLOCK_RUNNING && state != CLOCK_ENDED)
        return false;
    *reading = (struct ls_loop_reading){.ended = state == CLOCK_ENDED};
    /* A busy loop may change at every look; the last one then has to do. */
    for (int i = 0; i < tries; i++) {
        phase = ls_load_relaxed(&clock->phase);
        due_ns = ls_load_relaxed(&clock->due_ns);
        copy_figures(clock, reading);
        if (ls_load_relaxed(&clock->phase) == phase)
            break;
    }
    reading->longest_turn_ns = ls_exchange_relaxed(&clock->longest_turn_ns, 0);
    if (!reading->ended)
        add_present(phase, due_ns, now_ns, reading);
    else
        ls_compare_exchange_acquire_release(&clock->state, &state,
                                            CLOCK_FREE); /* O5 pairs with O6 */
    return true;
}

uint64_t ls_loop_clock_refused(void)
{
    return ls_load_relaxed(&refused);
}
