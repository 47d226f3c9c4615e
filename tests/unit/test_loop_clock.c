/*
 * capture/loop_clock, with the real clock: what is asserted of a time is only that it is at least
 * what was waited or spun.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "capture/loop_clock.h"
#include "capture/thread.h"
#include "system/clock.h"
#include "system/memory.h"

#define MS     UINT64_C(1000000)
#define LOOP   3
#define NESTED 4

static void thread_ends(int thread)
{
    (void)thread;
    ls_loop_clock_thread_ends();
}

static int start(void **state)
{
    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_thread_start(thread_ends) != 0)
        return -1;
    ls_loop_clock_start();
    return 0;
}

static void spin(uint64_t ns)
{
    uint64_t end = ls_clock_monotonic_ns() + ns;

    while (ls_clock_monotonic_ns() < end)
        continue;
}

static void sleep_for(uint64_t ns)
{
    struct timespec left = {(time_t)(ns / LS_NS_PER_S), (long)(ns % LS_NS_PER_S)};

    while (nanosleep(&left, &left) != 0)
        continue;
}

static void wait_for(int descriptor, uint64_t ns)
{
    struct ls_loop_clock *clock = ls_loop_clock_enter(descriptor, true);

    sleep_for(ns);
    ls_loop_clock_leave(clock);
}

static bool reads(struct ls_loop_reading *reading)
{
    return ls_loop_clock_read(0, ls_clock_monotonic_ns(), reading);
}

static uint64_t late_by_at_least(const struct ls_loop_reading *reading, uint64_t ns)
{
    uint64_t sum = 0;

    for (size_t i = ls_histogram_bucket(ns); i < LS_HISTOGRAM_BUCKETS; i++)
        sum += reading->counts[i];
    return sum;
}

/* Each test begins with a clock of its own, as a thread does. */
static int end(void **state)
{
    struct ls_loop_reading reading;

    (void)state;
    ls_loop_clock_thread_ends();
    return reads(&reading) && reading.ended && !reads(&reading) ? 0 : -1;
}

static void a_turn_is_timed_and_the_timer_in_it_is_late(void **state)
{
    struct ls_loop_reading reading;

    (void)state;
    wait_for(LOOP, MS);
    spin(50 * MS);
    ls_loop_clock_leave(ls_loop_clock_enter(LOOP, true));
    assert_true(reads(&reading));
    assert_int_equal(reading.waits, 2);
    assert_true(reading.busy_ns >= 50 * MS);
    assert_true(reading.longest_turn_ns >= 50 * MS);
    /* It was due at most one period after the turn began. */
    assert_int_equal(late_by_at_least(&reading, 50 * MS - LS_LOOP_TIMER_NS), 1);
    assert_true(reads(&reading));
    assert_true(reading.longest_turn_ns < 50 * MS); /* told once */
}

static void in_a_sleep_timers_are_on_time(void **state)
{
    struct ls_loop_reading reading;

    (void)state;
    wait_for(LOOP, 55 * MS);
    assert_true(reads(&reading));
    assert_true(reading.idle_ns >= 55 * MS);
    assert_true(reading.counts[0] >= 5);
    assert_false(reading.sleeping);
}

static void a_turn_or_a_sleep_that_lasts_is_told_as_far_as_it_has_come(void **state)
{
    struct ls_loop_reading reading;
    struct ls_loop_clock *clock = ls_loop_clock_enter(LOOP, true);

    (void)state;
    sleep_for(35 * MS);
    assert_true(reads(&reading));
    assert_true(reading.sleeping);
    assert_true(reading.idle_ns >= 35 * MS);
    assert_true(reading.counts[0] >= 3);
    ls_loop_clock_leave(clock);
    spin(30 * MS);
    assert_true(reads(&reading));
    assert_false(reading.sleeping);
    assert_true(reading.turn_ns >= 30 * MS);
    assert_true(reading.busy_ns >= 30 * MS);
    assert_true(reading.overdue_ns >= 20 * MS);
    assert_int_equal(late_by_at_least(&reading, 32), 0); /* has not fired */
}

static void a_wait_that_does_not_sleep_ends_a_turn_and_is_work(void **state)
{
    struct ls_loop_reading reading;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_null(ls_loop_clock_enter(LOOP, false));
        spin(20 * MS);
    }
    assert_true(reads(&reading));
    assert_int_equal(reading.waits, 3);
    assert_int_equal(reading.idle_ns, 0);
    assert_true(reading.busy_ns >= 60 * MS);
    assert_true(late_by_at_least(&reading, 20 * MS - LS_LOOP_TIMER_NS) >= 2);
}

static void a_loop_within_a_callback_is_work_of_the_outer_one(void **state)
{
    struct ls_loop_reading reading;

    (void)state;
    wait_for(LOOP, 500 * MS);
    assert_null(ls_loop_clock_enter(NESTED, true)); /* as in a callback */
    sleep_for(30 * MS);
    assert_null(ls_loop_clock_enter(NESTED, true));
    wait_for(LOOP, MS);
    assert_true(reads(&reading));
    assert_int_equal(reading.waits, 2);
    assert_true(reading.longest_turn_ns >= 30 * MS);
}

static void a_loop_that_another_has_replaced_is_forgotten(void **state)
{
    struct ls_loop_reading reading;

    (void)state;
    wait_for(NESTED, MS); /* as Node's execSync before the first turn */
    sleep_for(150 * MS);
    wait_for(LOOP, MS);
    assert_true(reads(&reading));
    assert_int_equal(reading.waits, 2);
    assert_true(reading.longest_turn_ns < 150 * MS); /* nothing was kept waiting */
}

static void a_sleep_that_is_jumped_out_of_is_no_turn(void **state)
{
    struct ls_loop_reading reading;

    (void)state;
    ls_loop_clock_enter(LOOP, true);
    sleep_for(20 * MS); /* a handler jumps out */
    ls_loop_clock_leave(ls_loop_clock_enter(LOOP, true));
    assert_true(reads(&reading));
    assert_true(reading.idle_ns >= 20 * MS);
    assert_int_equal(late_by_at_least(&reading, 32), 0);
}

static sem_t arrived;
static sem_t leave;

static void *stay(void *unused)
{
    ls_loop_clock_leave(ls_loop_clock_enter(LOOP, true));
    sem_post(&arrived);
    sem_wait(&leave);
    return unused;
}

static void threads_past_the_last_clock_are_refused_until_others_end(void **state)
{
    pthread_t threads[LS_LOOP_CLOCKS_MAX + 2];
    struct ls_loop_reading reading;
    uint64_t former_owner;

    (void)state;
    sem_init(&arrived, 0, 0);
    sem_init(&leave, 0, 0);
    for (int i = 0; i < LS_LOOP_CLOCKS_MAX + 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, stay, NULL), 0);
        sem_wait(&arrived);
    }
    assert_int_equal(ls_loop_clock_refused(), 2);
    assert_true(reads(&reading));
    former_owner = reading.owner;
    for (int i = 0; i < LS_LOOP_CLOCKS_MAX + 2; i++)
        sem_post(&leave);
    for (int i = 0; i < LS_LOOP_CLOCKS_MAX + 2; i++)
        pthread_join(threads[i], NULL);
    /* None of them is read, so none is free: the next takes one over all the same. */
    sem_post(&leave);
    assert_int_equal(pthread_create(&threads[0], NULL, stay, NULL), 0);
    pthread_join(threads[0], NULL);
    assert_int_equal(ls_loop_clock_refused(), 2);
    assert_true(reads(&reading));
    assert_true(reading.owner != former_owner);
    assert_int_equal(reading.waits, 1);
    for (unsigned i = 1; i < LS_LOOP_CLOCKS_MAX; i++) {
        assert_true(ls_loop_clock_read(i, 0, &reading));
        assert_false(ls_loop_clock_read(i, 0, &reading));
    }
}

static void a_forked_child_begins_anew(void **state)
{
    struct ls_loop_reading reading;
    uint64_t former_owner;

    (void)state;
    wait_for(LOOP, MS);
    wait_for(LOOP, MS);
    assert_true(reads(&reading));
    former_owner = reading.owner;
    ls_loop_clock_child_after_fork(); /* what the child does first; its memory is the parent's */
    assert_false(reads(&reading));
    wait_for(LOOP, MS);
    assert_true(reads(&reading));
    assert_int_equal(reading.waits, 1);
    assert_true(reading.owner != former_owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_turn_is_timed_and_the_timer_in_it_is_late, end),
        cmocka_unit_test_teardown(in_a_sleep_timers_are_on_time, end),
        cmocka_unit_test_teardown(a_turn_or_a_sleep_that_lasts_is_told_as_far_as_it_has_come, end),
        cmocka_unit_test_teardown(a_wait_that_does_not_sleep_ends_a_turn_and_is_work, end),
        cmocka_unit_test_teardown(a_loop_within_a_callback_is_work_of_the_outer_one, end),
        cmocka_unit_test_teardown(a_loop_that_another_has_replaced_is_forgotten, end),
        cmocka_unit_test_teardown(a_sleep_that_is_jumped_out_of_is_no_turn, end),
        cmocka_unit_test(threads_past_the_last_clock_are_refused_until_others_end),
        cmocka_unit_test_teardown(a_forked_child_begins_anew, end),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
