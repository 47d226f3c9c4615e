#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/history.h"

static struct ls_history history;

static int begin(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    return 0;
}

static void add(double time_s, double live_bytes)
{
    ls_history_add(&history, (struct ls_history_point){
                                 .time_s = time_s,
                                 .live_bytes = (float)live_bytes,
                                 .live_count = (float)(live_bytes / 2),
                                 .error_bytes = 1,
                             });
}

static const struct ls_history_point *last(void)
{
    return &history.points[history.count - 1];
}

static void assert_ordered(void)
{
    for (uint32_t i = 1; i < history.count; i++)
        assert_true(history.points[i].time_s > history.points[i - 1].time_s);
}

static void points_are_kept_as_they_are_while_there_is_room(void **state)
{
    (void)state;
    for (int i = 1; i <= LS_HISTORY_POINTS; i++)
        add(i * 10, i);
    assert_int_equal(history.count, LS_HISTORY_POINTS);
    for (int i = 1; i <= LS_HISTORY_POINTS; i++) {
        assert_true(history.points[i - 1].time_s == i * 10);
        assert_true(history.points[i - 1].live_bytes == (float)i);
    }
}

static void memory_is_constant_for_a_year_of_intervals(void **state)
{
    const int intervals = 365 * 24 * 360;

    (void)state;
    for (int i = 1; i <= intervals; i++)
        add(i * 10.0, i);
    assert_int_equal(history.count, LS_HISTORY_POINTS);
    assert_ordered();
    assert_true(last()->time_s == intervals * 10.0);
}

static void the_newest_points_keep_the_interval(void **state)
{
    (void)state;
    for (int i = 1; i <= 100000; i++)
        add(i * 10.0, i);
    for (uint32_t i = LS_HISTORY_POINTS - LS_HISTORY_RECENT + 1; i < LS_HISTORY_POINTS; i++)
        assert_true(history.points[i].time_s - history.points[i - 1].time_s == 10.0);
}

static void resolution_falls_off_in_proportion_to_age(void **state)
{
    double now = 200000 * 10.0;
    double start = 0;

    (void)state;
    for (int i = 1; i <= 200000; i++)
        add(i * 10.0, i);
    assert_ordered();
    for (uint32_t i = 0; i + LS_HISTORY_RECENT < LS_HISTORY_POINTS; i++) {
        double span = history.points[i].time_s - start;
        double age = now - start;

        /* Each span is a fair part of its age and never most of it, but at the very beginning. */
        if (i > 0)
            assert_true(span <= 0.5 * age + 10.0);
        if (i > 0 && i + LS_HISTORY_RECENT + 1 < LS_HISTORY_POINTS)
            assert_true(history.points[i + 1].time_s - history.points[i].time_s <= 2.5 * span + 20);
        start = history.points[i].time_s;
    }
    /* 48 points over 2,000,000 s: half of the age still has several. */
    for (double age = 1000; age <= 1e6; age *= 2) {
        int inside = 0;

        for (uint32_t i = 0; i < history.count; i++)
            inside +=
                now - history.points[i].time_s >= age && now - history.points[i].time_s < 4 * age;
        assert_true(inside >= 2);
    }
}

/* The rise of the points that lie in the last `span_s`. */
static double rise_over(double span_s)
{
    double now = last()->time_s;
    uint32_t first = 0;

    while (now - history.points[first].time_s > span_s)
        first++;
    return (double)last()->live_bytes - (double)history.points[first].live_bytes;
}

static void leaks_of_minutes_and_of_days_are_both_seen_at_the_end(void **state)
{
    const double day_s = 86400;
    const double slow_bytes_per_s = 100;
    const double fast_bytes_per_s = 1e6;
    const double ten_days_s = 10 * day_s;
    double fast_start_s = ten_days_s - 150;

    (void)state;
    for (double time_s = 10; time_s <= ten_days_s; time_s += 10) {
        double fast = time_s > fast_start_s ? (time_s - fast_start_s) * fast_bytes_per_s : 0;

        add(time_s, 1e7 + time_s * slow_bytes_per_s + fast);
    }
    /* Minutes: nearly all of the fast leak lies in the newest points. */
    assert_true(rise_over(150) > 0.9 * 150 * fast_bytes_per_s);
    /* Days: the points before it still show the slow one, from start to end. */
    {
        uint32_t end = LS_HISTORY_POINTS - LS_HISTORY_RECENT - 1;
        /* The first point's minimum is the start's. */
        double days_s = history.points[end].time_s;
        double rise = (double)history.points[end].live_bytes - (double)history.points[0].live_bytes;

        assert_true(days_s > 9 * day_s);
        assert_true(rise > 0.8 * days_s * slow_bytes_per_s);
        assert_true(rise < 1.2 * days_s * slow_bytes_per_s);
    }
}

static void a_span_is_represented_by_its_minimum(void **state)
{
    const double period_s = 50 * 10.0;
    double start_s = 0;
    int whole_periods = 0;

    (void)state;
    /* A sawtooth of 50 intervals whose floor rises: what is left of the old part is the floor. */
    for (int i = 1; i <= 50000; i++)
        add(i * 10.0, 1000 + i * 0.01 + (i % 50) * 100);
    for (uint32_t i = 0; i < history.count; i++) {
        double bytes = history.points[i].live_bytes;
        double end_s = history.points[i].time_s;

        if (end_s - start_s >= period_s) {
            assert_true(bytes <= 1000 + end_s * 0.001 + 0.01);
            assert_true(bytes >= 1000 + start_s * 0.001 - 0.01);
            whole_periods++;
        }
        assert_true((double)history.points[i].live_count * 2 == bytes);
        start_s = end_s;
    }
    assert_true(whole_periods > 10);
}

static void time_that_goes_back_is_ignored(void **state)
{
    (void)state;
    add(10, 1);
    add(20, 2);
    add(15, 99);
    assert_int_equal(history.count, 2);
    assert_true(last()->time_s == 20);
    assert_true(last()->live_bytes == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(points_are_kept_as_they_are_while_there_is_room, begin),
        cmocka_unit_test_setup(memory_is_constant_for_a_year_of_intervals, begin),
        cmocka_unit_test_setup(the_newest_points_keep_the_interval, begin),
        cmocka_unit_test_setup(resolution_falls_off_in_proportion_to_age, begin),
        cmocka_unit_test_setup(leaks_of_minutes_and_of_days_are_both_seen_at_the_end, begin),
        cmocka_unit_test_setup(a_span_is_represented_by_its_minimum, begin),
        cmocka_unit_test_setup(time_that_goes_back_is_ignored, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
