/*
 * The verdict on the process: its resident size and its rising sites together.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trend/trend.h"

#define MIB (1024.0 * 1024.0)

struct resident {
    struct ls_trend_point points[LS_TREND_POINTS_MAX];
    struct ls_trend_process process;
    double limit_bytes; /* on the resident size */
};

static void resident_init(struct resident *resident)
{
    *resident = (struct resident){.process = {.step_s = 10.0, .interval_s = 10.0}};
    resident->process.resident = resident->points;
}

static void resident_add(struct resident *resident, double bytes)
{
    size_t at = resident->process.count++;

    resident->points[at] =
        (struct ls_trend_point){.time_s = 10.0 * ((double)at + 1.0), .live_bytes = bytes};
    resident->process.resident_bytes = bytes;
}

static struct ls_trend_process_verdict judge(const struct resident *resident)
{
    struct ls_trend_process_verdict verdict;

    ls_trend_judge_process(&resident->process, &verdict);
    ls_trend_forecast(&resident->process,
                      &(struct ls_trend_limit){
                          .used = resident->process.resident,
                          .count = resident->process.count,
                          .used_bytes = resident->process.resident_bytes,
                          .limit_bytes = resident->limit_bytes,
                          .rising_bytes_per_s = resident->process.rising_bytes_per_s,
                          .rising_error_per_s = resident->process.rising_error_per_s,
                          .rising_sites = resident->process.rising_sites,
                      },
                      &verdict);
    return verdict;
}

static void a_young_process_is_learning(void **state)
{
    struct resident resident;

    (void)state;
    resident_init(&resident);
    resident.limit_bytes = 512 * MIB;
    assert_int_equal(judge(&resident).state, LS_PROCESS_LEARNING);
    for (int i = 0; i < 5; i++)
        resident_add(&resident, 100 * MIB + 10 * MIB * i);
    assert_int_equal(judge(&resident).state, LS_PROCESS_LEARNING);
    assert_true(judge(&resident).seconds_to_limit == -1.0);
}

static void rising_sites_make_it_leaking_with_the_time_to_the_limit(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 12; i++)
        resident_add(&resident, 100 * MIB + 5 * MIB * i);
    resident.process.rising_sites = 2;
    resident.process.rising_bytes_per_s = 0.48 * MIB;
    resident.process.tracked_bytes_per_s = 0.49 * MIB;
    resident.limit_bytes = 512 * MIB;
    verdict = judge(&resident);
    assert_int_equal(verdict.state, LS_PROCESS_LEAKING);
    assert_true(fabs(verdict.rss_growth_bytes_per_s - 0.5 * MIB) < 1.0);
    assert_true(fabs(verdict.explained_growth_share - 0.96) < 1e-6);
    assert_true(fabs(verdict.seconds_to_limit - (512.0 - 155.0) / 0.5) < 1e-3);
}

static void a_jumpy_resident_size_does_not_hide_a_rising_site(void **state)
{
    static const double jumps[] = {100, 140, 120, 160, 120, 110};
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (size_t i = 0; i < 6; i++)
        resident_add(&resident, jumps[i] * MIB);
    resident.process.rising_sites = 1;
    resident.process.rising_bytes_per_s = MIB;
    resident.limit_bytes = 210 * MIB;
    verdict = judge(&resident);
    assert_int_equal(verdict.state, LS_PROCESS_LEAKING);
    assert_true(verdict.seconds_to_limit > 0.0 && verdict.seconds_to_limit <= 100.0);
}

static void a_resident_size_that_stands_still_takes_the_time_from_the_sites(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 10; i++)
        resident_add(&resident, 112 * MIB);
    resident.process.rising_sites = 1;
    resident.process.rising_bytes_per_s = 0.5 * MIB;
    resident.limit_bytes = 512 * MIB;
    verdict = judge(&resident);
    assert_int_equal(verdict.state, LS_PROCESS_LEAKING);
    assert_true(fabs(verdict.seconds_to_limit - 800.0) < 1e-6);
    assert_true(verdict.explained_growth_share == 0.0);
}

/* As V8's heap does: 40 MiB more, and then nothing for eight readings. At no step of the stair does
 * the growth look like anything but what it is. */
static void a_resident_size_that_climbs_in_steps_grows_evenly(void **state)
{
    struct resident resident;

    (void)state;
    resident_init(&resident);
    resident.process.rising_sites = 1;
    resident.process.rising_bytes_per_s = 0.4 * MIB;
    for (int i = 0; i < 64; i++) {
        struct ls_trend_process_verdict verdict;

        resident_add(&resident, (100 + 40 * (i / 8)) * MIB);
        verdict = judge(&resident);
        if (i < 24)
            continue;
        assert_true(fabs(verdict.rss_growth_bytes_per_s - 0.5 * MIB) < 0.1 * MIB);
        assert_true(fabs(verdict.explained_growth_share - 0.8) < 0.2);
    }
}

static void the_growth_beside_a_rising_site_is_that_of_its_window(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 40; i++)
        resident_add(&resident, 300 * MIB);
    for (int i = 0; i < 10; i++)
        resident_add(&resident, (300 + 10 * i) * MIB);
    resident.process.rising_sites = 1;
    resident.process.rising_bytes_per_s = 0.9 * MIB;
    resident.process.rising_since_s = 410;
    verdict = judge(&resident);
    assert_true(fabs(verdict.rss_growth_bytes_per_s - MIB) < 1.0);
    assert_true(fabs(verdict.explained_growth_share - 0.9) < 1e-6);
    /* Just found: what the last six readings show. */
    resident.process.rising_since_s = 495;
    verdict = judge(&resident);
    assert_true(fabs(verdict.rss_growth_bytes_per_s - MIB) < 1.0);
}

static void a_leak_of_things_without_a_size_is_leaking_without_a_time(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 10; i++)
        resident_add(&resident, 112 * MIB);
    resident.process.rising_sites = 1;
    resident.limit_bytes = 512 * MIB;
    verdict = judge(&resident);
    assert_int_equal(verdict.state, LS_PROCESS_LEAKING);
    assert_true(verdict.seconds_to_limit == -1.0);
}

static void resident_growth_without_tracked_growth_is_fragmenting(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 20; i++)
        resident_add(&resident, 100 * MIB + 2 * MIB * i);
    resident.process.tracked_bytes_per_s = 1000.0;
    resident.limit_bytes = 512 * MIB;
    verdict = judge(&resident);
    assert_int_equal(verdict.state, LS_PROCESS_FRAGMENTING);
    assert_true(verdict.explained_growth_share == 0.0);
    assert_true(fabs(verdict.seconds_to_limit - (512.0 - 138.0) / 0.2) < 1e-3);
}

static void a_start_that_warms_up_does_not_fragment(void **state)
{
    struct resident resident;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 9; i++) {
        resident_add(&resident, 64 * MIB + 0.6 * MIB * i);
        assert_int_not_equal(judge(&resident).state, LS_PROCESS_FRAGMENTING);
    }
    for (int i = 0; i < 12; i++) {
        resident_add(&resident, 69 * MIB);
        assert_int_not_equal(judge(&resident).state, LS_PROCESS_FRAGMENTING);
    }
}

static void growth_of_sites_that_do_not_rise_is_clean(void **state)
{
    struct resident resident;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 20; i++)
        resident_add(&resident, 100 * MIB + 2 * MIB * i);
    resident.process.tracked_bytes_per_s = 0.19 * MIB;
    assert_int_equal(judge(&resident).state, LS_PROCESS_CLEAN);
}

static void a_calm_process_is_clean_and_reaches_no_limit(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 40; i++)
        resident_add(&resident, 100 * MIB + (i % 4) * MIB);
    resident.limit_bytes = 512 * MIB;
    verdict = judge(&resident);
    assert_int_equal(verdict.state, LS_PROCESS_CLEAN);
    assert_true(verdict.seconds_to_limit == -1.0);
}

static void a_process_at_its_limit_has_no_time_left(void **state)
{
    struct resident resident;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 12; i++)
        resident_add(&resident, 100 * MIB + 5 * MIB * i);
    resident.process.rising_sites = 1;
    resident.process.rising_bytes_per_s = 0.5 * MIB;
    resident.limit_bytes = 128 * MIB;
    assert_true(judge(&resident).seconds_to_limit == 0.0);
}

static void unusable_readings_are_learning_and_give_sound_figures(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 12; i++)
        resident_add(&resident, i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : 1.0);
    resident.limit_bytes = NAN;
    resident.process.rising_bytes_per_s = NAN;
    verdict = judge(&resident);
    assert_int_equal(verdict.state, LS_PROCESS_LEARNING);
    assert_true(isfinite(verdict.rss_growth_bytes_per_s));
    assert_true(verdict.seconds_to_limit == -1.0);
    resident.process.resident = NULL;
    assert_int_equal(judge(&resident).state, LS_PROCESS_LEARNING);
}

static void an_even_growth_has_an_interval_around_its_end(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 12; i++)
        resident_add(&resident, 100 * MIB + 5 * MIB * i);
    resident.limit_bytes = 512 * MIB;
    verdict = judge(&resident);
    assert_true(verdict.seconds_to_limit_low > 0.85 * verdict.seconds_to_limit);
    assert_true(verdict.seconds_to_limit_low < verdict.seconds_to_limit);
    assert_true(verdict.seconds_to_limit_high > verdict.seconds_to_limit);
    assert_true(verdict.seconds_to_limit_high < 1.15 * verdict.seconds_to_limit);
}

static void the_interval_is_as_wide_as_the_sites_are_uncertain(void **state)
{
    struct resident resident;
    struct ls_trend_process_verdict verdict;

    (void)state;
    resident_init(&resident);
    for (int i = 0; i < 10; i++)
        resident_add(&resident, 112 * MIB);
    resident.process.rising_sites = 1;
    resident.process.rising_bytes_per_s = MIB;
    resident.process.rising_error_per_s = 0.3 * MIB;
    resident.limit_bytes = 512 * MIB;
    verdict = judge(&resident);
    assert_true(verdict.seconds_to_limit_low > 250.0 && verdict.seconds_to_limit_low < 270.0);
    assert_true(verdict.seconds_to_limit_high > 790.0 && verdict.seconds_to_limit_high < 810.0);
    /* Growth that may be none at all has no latest end. */
    resident.process.rising_error_per_s = MIB;
    verdict = judge(&resident);
    assert_true(verdict.seconds_to_limit == 400.0);
    assert_true(verdict.seconds_to_limit_low > 140.0 && verdict.seconds_to_limit_low < 160.0);
    assert_true(verdict.seconds_to_limit_high == -1.0);
}

static struct ls_trend_process_verdict forecast(const struct ls_trend_limit *limit)
{
    const struct ls_trend_process process = {.step_s = 10.0, .interval_s = 10.0};
    struct ls_trend_process_verdict verdict;

    ls_trend_forecast(&process, limit, &verdict);
    return verdict;
}

static void a_limit_goes_by_what_counts_against_it(void **state)
{
    struct ls_trend_point used[12];
    struct ls_trend_limit limit = {.used = used, .count = 12, .limit_bytes = 2156 * MIB};

    (void)state;
    for (size_t i = 0; i < 12; i++)
        used[i] = (struct ls_trend_point){.time_s = 10.0 * (double)i,
                                          .live_bytes = (1000.0 + 10.0 * (double)i) * MIB};
    limit.used_bytes = used[11].live_bytes;
    assert_true(fabs(forecast(&limit).seconds_to_limit - 1046.0) < 1e-3);
    /* The time since the last reading has gone by already. */
    limit.used_age_s = 46.0;
    assert_true(fabs(forecast(&limit).seconds_to_limit - 1000.0) < 1e-3);
    limit.limit_bytes = 0.0;
    assert_true(forecast(&limit).seconds_to_limit == -1.0);
}

static void what_collections_leave_is_believed_before_sampled_sites(void **state)
{
    const struct ls_trend_point used[] = {{.time_s = 0.0, .live_bytes = 10 * MIB},
                                          {.time_s = 10.0, .live_bytes = 40 * MIB},
                                          {.time_s = 20.0, .live_bytes = 70 * MIB}};
    struct ls_trend_limit limit = {.used = used,
                                   .count = 3,
                                   .used_bytes = 70 * MIB,
                                   .limit_bytes = 100 * MIB,
                                   .rising_bytes_per_s = 2 * MIB,
                                   .after_collections = true};

    (void)state;
    limit.rising_sites = 1;
    assert_true(fabs(forecast(&limit).seconds_to_limit - 10.0) < 1e-9);
    /* The sites' own figure lies in the interval. */
    assert_true(forecast(&limit).seconds_to_limit_high > 15.0);
    limit.count = 2;
    assert_true(fabs(forecast(&limit).seconds_to_limit - 15.0) < 1e-9);
}

static void the_slope_is_the_median_of_all_pairs(void **state)
{
    static const double times[] = {1.0, 2.0, 4.0, 7.0};
    static const double values[] = {1.0, 3.0, 2.0, 9.0};
    double outlier[21];
    double even[21];

    (void)state;
    /* The six slopes: -1/2, 1/3, 6/5, 4/3, 2, 7/3. */
    assert_true(fabs(ls_trend_slope(times, values, 4) - (6.0 / 5.0 + 4.0 / 3.0) / 2.0) < 1e-12);
    for (int i = 0; i < 21; i++) {
        even[i] = i;
        outlier[i] = i == 7 ? 1e9 : 3.0 * i;
    }
    assert_true(fabs(ls_trend_slope(even, outlier, 21) - 3.0) < 1e-12);
}

static void the_slope_of_no_two_times_is_nought(void **state)
{
    static const double same[] = {5.0, 5.0, 5.0};
    static const double values[] = {1.0, 2.0, 3.0};
    static const double unusable[] = {NAN, INFINITY, NAN};

    (void)state;
    assert_true(ls_trend_slope(values, values, 0) == 0.0);
    assert_true(ls_trend_slope(values, values, 1) == 0.0);
    assert_true(ls_trend_slope(same, values, 3) == 0.0);
    assert_true(ls_trend_slope(values, unusable, 3) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_young_process_is_learning),
        cmocka_unit_test(rising_sites_make_it_leaking_with_the_time_to_the_limit),
        cmocka_unit_test(a_jumpy_resident_size_does_not_hide_a_rising_site),
        cmocka_unit_test(a_resident_size_that_stands_still_takes_the_time_from_the_sites),
        cmocka_unit_test(a_resident_size_that_climbs_in_steps_grows_evenly),
        cmocka_unit_test(the_growth_beside_a_rising_site_is_that_of_its_window),
        cmocka_unit_test(a_leak_of_things_without_a_size_is_leaking_without_a_time),
        cmocka_unit_test(resident_growth_without_tracked_growth_is_fragmenting),
        cmocka_unit_test(a_start_that_warms_up_does_not_fragment),
        cmocka_unit_test(growth_of_sites_that_do_not_rise_is_clean),
        cmocka_unit_test(a_calm_process_is_clean_and_reaches_no_limit),
        cmocka_unit_test(a_process_at_its_limit_has_no_time_left),
        cmocka_unit_test(unusable_readings_are_learning_and_give_sound_figures),
        cmocka_unit_test(an_even_growth_has_an_interval_around_its_end),
        cmocka_unit_test(the_interval_is_as_wide_as_the_sites_are_uncertain),
        cmocka_unit_test(a_limit_goes_by_what_counts_against_it),
        cmocka_unit_test(what_collections_leave_is_believed_before_sampled_sites),
        cmocka_unit_test(the_slope_is_the_median_of_all_pairs),
        cmocka_unit_test(the_slope_of_no_two_times_is_nought),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
