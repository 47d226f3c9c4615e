/*
 * base/histogram: its buckets have no gap and the width the header names, and percentiles of known
 * distributions come out within that width.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"

#define HALF_WIDTH (1.0 / 64)

static uint64_t counts[LS_HISTOGRAM_BUCKETS];

static int clear(void **state)
{
    (void)state;
    memset(counts, 0, sizeof(counts));
    return 0;
}

static void add(uint64_t ns, uint64_t times)
{
    counts[ls_histogram_bucket(ns)] += times;
}

static void assert_near(uint64_t value, double truth)
{
    if (fabs((double)value - truth) > truth * HALF_WIDTH + 1)
        fail_msg("%llu is not within 1/64 of %g", (unsigned long long)value, truth);
}

static void buckets_follow_each_other_and_each_holds_its_value(void **state)
{
    size_t last = 0;

    (void)state;
    for (double ns = 0; ns < 137e9; ns = floor(ns * 1.001) + 1) {
        size_t bucket = ls_histogram_bucket((uint64_t)ns);

        assert_true(bucket == last || bucket == last + 1);
        last = bucket;
    }
    assert_int_equal(last, LS_HISTOGRAM_BUCKETS - 1);
    for (size_t i = 0; i < LS_HISTOGRAM_BUCKETS; i++)
        assert_int_equal(ls_histogram_bucket(ls_histogram_value(i)), i);
}

static void a_value_is_at_most_a_sixty_fourth_off(void **state)
{
    (void)state;
    for (double ns = 1024; ns < 137e9; ns *= 1.0007)
        assert_near(ls_histogram_value(ls_histogram_bucket((uint64_t)ns)), ns);
}

static void what_is_longer_than_all_buckets_is_in_the_last(void **state)
{
    (void)state;
    assert_int_equal(ls_histogram_bucket(UINT64_C(1) << 37), LS_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(ls_histogram_bucket(UINT64_MAX), LS_HISTOGRAM_BUCKETS - 1);
}

static void nothing_at_all_is_0(void **state)
{
    (void)state;
    assert_int_equal(ls_histogram_percentile(counts, 0.99), 0);
}

static void on_time_is_0_exactly(void **state)
{
    (void)state;
    add(0, 99);
    add(50000000, 1);
    assert_int_equal(ls_histogram_percentile(counts, 0.50), 0);
    assert_int_equal(ls_histogram_percentile(counts, 0.99), 0);
    assert_near(ls_histogram_percentile(counts, 0.991), 50e6);
    assert_near(ls_histogram_percentile(counts, 1), 50e6);
}

static void percentiles_of_a_uniform_distribution(void **state)
{
    const double shares[] = {0.01, 0.25, 0.5, 0.95, 0.99, 1};

    (void)state;
    for (uint64_t i = 1; i <= 100000; i++)
        add(i * 1000, 1);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        assert_near(ls_histogram_percentile(counts, shares[i]), shares[i] * 1e8);
}

static void percentiles_of_an_exponential_distribution(void **state)
{
    const double mean = 3e6;
    const unsigned parts = 100000;

    (void)state;
    for (unsigned i = 0; i < parts; i++)
        add((uint64_t)(-mean * log(1 - (i + 0.5) / parts)), 1);
    assert_near(ls_histogram_percentile(counts, 0.5), mean * log(2));
    assert_near(ls_histogram_percentile(counts, 0.95), mean * log(20));
    assert_near(ls_histogram_percentile(counts, 0.99), mean * log(100));
}

static void a_mixture_jumps_where_its_parts_meet(void **state)
{
    (void)state;
    add(5000000, 600);
    add(20000000, 300);
    add(50000000, 100);
    assert_near(ls_histogram_percentile(counts, 0.50), 5e6);
    assert_near(ls_histogram_percentile(counts, 0.60), 5e6);
    assert_near(ls_histogram_percentile(counts, 0.61), 20e6);
    assert_near(ls_histogram_percentile(counts, 0.90), 20e6);
    assert_near(ls_histogram_percentile(counts, 0.95), 50e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(buckets_follow_each_other_and_each_holds_its_value, clear),
        cmocka_unit_test_setup(a_value_is_at_most_a_sixty_fourth_off, clear),
        cmocka_unit_test_setup(what_is_longer_than_all_buckets_is_in_the_last, clear),
        cmocka_unit_test_setup(nothing_at_all_is_0, clear),
        cmocka_unit_test_setup(on_time_is_0_exactly, clear),
        cmocka_unit_test_setup(percentiles_of_a_uniform_distribution, clear),
        cmocka_unit_test_setup(percentiles_of_an_exponential_distribution, clear),
        cmocka_unit_test_setup(a_mixture_jumps_where_its_parts_meet, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
