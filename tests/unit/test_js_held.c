#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/runtime.h"

#define KIB        1024.0
#define INTERVAL_S 1.0
#define STREAM_KIB 200.0 /* that the program makes in an interval */

static struct ls_site site;
static double now_s;

static int begin(void **state)
{
    (void)state;
    memset(&site, 0, sizeof(site));
    site.resource = LS_RESOURCE_HEAP;
    site.in_js = true;
    now_s = 0;
    ls_js_held_after_fork();
    return 0;
}

static void pass_interval(double kib)
{
    now_s += INTERVAL_S;
    site.tally.live_bytes = kib * KIB;
    ls_history_add(&site.history,
                   (struct ls_history_point){.time_s = now_s, .live_bytes = (float)(kib * KIB)});
}

static double live_kib(void)
{
    return site.tally.live_bytes / KIB;
}

static void grow(int intervals, double kib)
{
    for (int i = 0; i < intervals; i++)
        pass_interval(live_kib() + kib);
}

/* V8 frees all of it but so much. */
static void collect(double kept_kib)
{
    pass_interval(kept_kib);
    ls_js_held_collected(now_s);
}

/* Growth by so much an interval that began so many intervals ago. */
static bool may_rise(double began, double kib)
{
    const struct ls_trend_verdict verdict = {
        .verdict = LS_VERDICT_RISING,
        .growth_bytes_per_s = kib * KIB / INTERVAL_S,
        .window_start_s = now_s - began * INTERVAL_S,
    };

    return ls_js_held_may_rise(&site, &verdict, now_s, INTERVAL_S);
}

static void what_v8_has_not_collected_yet_does_not_rise(void **state)
{
    (void)state;
    grow(40, STREAM_KIB);
    assert_false(may_rise(39, STREAM_KIB));
    for (int tooth = 0; tooth < 4; tooth++) {
        collect(20 + tooth % 2 * 10);
        for (int i = 0; i < 40; i++) {
            grow(1, STREAM_KIB);
            assert_false(may_rise(i, STREAM_KIB));
            assert_false(may_rise(i < 10 ? i : 10, STREAM_KIB));
        }
    }
}

static void what_is_at_work_during_a_collection_does_not_rise(void **state)
{
    (void)state;
    grow(4, STREAM_KIB);
    collect(STREAM_KIB);
    for (int i = 1; i < 30; i++) {
        grow(1, STREAM_KIB);
        assert_false(may_rise(i + 4, STREAM_KIB));
    }
    collect(2 * STREAM_KIB);
    for (int i = 1; i < 30; i++) {
        grow(1, STREAM_KIB);
        assert_false(may_rise(i, STREAM_KIB));
    }
}

static void what_has_lived_through_a_collection_rises(void **state)
{
    (void)state;
    grow(10, STREAM_KIB);
    assert_false(may_rise(9, STREAM_KIB));
    collect(live_kib());
    assert_false(may_rise(10, STREAM_KIB)); /* what finalisers free is not gone yet */
    grow(1, STREAM_KIB);
    assert_true(may_rise(11, STREAM_KIB));
    grow(30, STREAM_KIB);
    assert_true(may_rise(6, STREAM_KIB));
    collect(live_kib());
    grow(1, STREAM_KIB);
    assert_true(may_rise(8, STREAM_KIB));
}

static void a_leak_under_garbage_rises_when_enough_is_kept(void **state)
{
    double kept = 0;

    (void)state;
    for (int tooth = 0; tooth < 3; tooth++) {
        grow(20, STREAM_KIB);
        kept += 20 * STREAM_KIB / 3;
        collect(kept);
        grow(1, STREAM_KIB);
        /* Before the first, what the growth began with may be garbage that has gone since. */
        if (tooth > 0)
            assert_true(may_rise(8, STREAM_KIB));
    }
}

static void collections_at_every_interval_hide_no_leak(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        collect(live_kib() + STREAM_KIB);
        if (i > 6)
            assert_true(may_rise(6, STREAM_KIB));
    }
}

static void much_growth_is_believed_before_a_collection(void **state)
{
    (void)state;
    grow(6, 5 * KIB);
    assert_true(may_rise(5, 5 * KIB));
    collect(0);
    grow(2, 5 * KIB);
    assert_false(may_rise(2, 5 * KIB));
}

static void long_growth_is_believed_before_a_collection(void **state)
{
    (void)state;
    grow(59, 10);
    assert_false(may_rise(50, 10));
    grow(2, 10);
    assert_true(may_rise(50, 10));
}

static void others_are_not_held_back(void **state)
{
    (void)state;
    grow(10, STREAM_KIB);
    site.in_js = false;
    assert_true(may_rise(9, STREAM_KIB));
    site.in_js = true;
    site.resource = LS_RESOURCE_FILE;
    assert_true(may_rise(9, STREAM_KIB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_v8_has_not_collected_yet_does_not_rise, begin),
        cmocka_unit_test_setup(what_is_at_work_during_a_collection_does_not_rise, begin),
        cmocka_unit_test_setup(what_has_lived_through_a_collection_rises, begin),
        cmocka_unit_test_setup(a_leak_under_garbage_rises_when_enough_is_kept, begin),
        cmocka_unit_test_setup(collections_at_every_interval_hide_no_leak, begin),
        cmocka_unit_test_setup(much_growth_is_believed_before_a_collection, begin),
        cmocka_unit_test_setup(long_growth_is_believed_before_a_collection, begin),
        cmocka_unit_test_setup(others_are_not_held_back, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
