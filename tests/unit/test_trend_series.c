/*
 * The verdict on one site: series as sampling, the ledger's history and faulty collectors make
 * them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "trend/trend.h"
#include "trend_simulation.h"

static enum ls_verdict judge(const struct simulation_record *record)
{
    struct ls_trend_verdict verdict;

    ls_trend_judge(&record->series, &verdict);
    assert_true(verdict.confidence >= 0.0 && verdict.confidence <= 1.0);
    assert_true(verdict.growth_error_per_s >= 0.0);
    return verdict.verdict;
}

static void a_few_new_samples_never_make_a_site_rising(void **state)
{
    (void)state;
    for (int every = 1; every <= 10; every++) {
        struct simulation_record record;

        simulation_record_init(&record, 10.0);
        for (int i = 0; i < 64; i++) {
            double samples = i / every;

            simulation_record_add_sampled(&record, samples < 12.0 ? samples : 12.0);
            assert_int_not_equal(judge(&record), LS_VERDICT_RISING);
        }
    }
}

static void a_sampled_leak_is_rising_once_it_stands_out_of_its_sampling_error(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;
    static const double samples[] = {3.0, 12.0, 19.0, 29.0, 38.0, 46.0};

    (void)state;
    simulation_record_init(&record, 10.0);
    for (size_t i = 0; i < LS_ARRAY_LENGTH(samples); i++)
        simulation_record_add_sampled(&record, samples[i]);
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_RISING);
    assert_true(fabs(verdict.growth_bytes_per_s - 8.6 * SIMULATION_SAMPLE_BYTES / 10.0) <
                0.4 * SIMULATION_SAMPLE_BYTES / 10.0);
    /* The sampling error of 43 samples over 50 seconds. */
    assert_true(verdict.growth_error_per_s > 0.8 * sqrt(43.0) * SIMULATION_SAMPLE_BYTES / 50.0);
}

static void more_sites_need_more_evidence(void **state)
{
    struct simulation_record record;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 6; i++)
        simulation_record_add_sampled(&record, 2.0 + 5.0 * i);
    record.series.sites_tested = 1;
    assert_int_equal(judge(&record), LS_VERDICT_RISING);
    record.series.sites_tested = 1000000;
    assert_int_not_equal(judge(&record), LS_VERDICT_RISING);
}

static void uneven_steps_give_the_same_verdicts_and_slopes(void **state)
{
    struct simulation_random random = {.state = 3};

    (void)state;
    for (int run = 0; run < 100; run++) {
        struct simulation_record leak;
        struct simulation_record plateau;
        struct ls_trend_verdict verdict;
        double time = 0.0;

        simulation_record_init(&leak, 10.0);
        simulation_record_init(&plateau, 10.0);
        for (int i = 0; i < 40; i++) {
            time += 10.0 * exp(simulation_normal(&random) * 0.8);
            simulation_record_add_at(&leak, time, 10e6 + 1e5 * time, 1e3 + 10.0 * time, 0.0);
            simulation_record_add_at(&plateau, time, 50e6 + 1e6 * simulation_normal(&random), 500.0,
                                     0.0);
        }
        ls_trend_judge(&leak.series, &verdict);
        assert_int_equal(verdict.verdict, LS_VERDICT_RISING);
        assert_true(fabs(verdict.growth_bytes_per_s - 1e5) < 1.0);
        assert_int_not_equal(judge(&plateau), LS_VERDICT_RISING);
    }
}

static void a_slow_leak_is_still_rising_after_the_history_has_merged_many_times(void **state)
{
    struct simulation_history history;
    struct ls_trend_series series;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_history_init(&history);
    for (int i = 1; i <= 8640; i++) {
        struct ls_trend_point point = {
            .time_s = 10.0 * i, .live_bytes = 20e6 + 5e3 * i, .live_count = 2e5 + 50.0 * i};

        simulation_history_add(&history, &point);
    }
    series = simulation_series(&history);
    ls_trend_judge(&series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_RISING);
    assert_true(fabs(verdict.growth_bytes_per_s - 500.0) < 25.0);
}

static void a_leak_after_a_day_of_calm_is_rising_within_six_readings(void **state)
{
    struct simulation_history history;
    struct ls_trend_series series;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_history_init(&history);
    for (int i = 1; i <= 8646; i++) {
        double leaked = i > 8640 ? i - 8640 : 0;
        struct ls_trend_point point = {.time_s = 10.0 * i,
                                       .live_bytes = 20e6 + 4.4e6 * leaked,
                                       .live_count = 1e4 + 1e3 * leaked};

        simulation_history_add(&history, &point);
    }
    series = simulation_series(&history);
    ls_trend_judge(&series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_RISING);
    assert_true(fabs(verdict.growth_bytes_per_s - 440e3) < 44e3);
}

static void the_number_of_blocks_grows_with_their_bytes_over_a_long_window(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 1; i <= LS_TREND_POINTS_MAX; i++) {
        double teeth = 2000.0 * (i % 3);

        simulation_record_add_at(&record, 10.0 * i, 50000.0 * i + teeth, 50.0 * i + teeth / 1000.0,
                                 0.0);
    }
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_RISING);
    assert_true(fabs(verdict.growth_bytes_per_s / 5000.0 - 1.0) < 0.01);
    assert_true(fabs(verdict.growth_count_per_s / 5.0 - 1.0) < 0.01);
}

static void what_moves_by_less_than_a_floor_is_steady_and_has_its_slope(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 1; i <= LS_TREND_POINTS_MAX; i++)
        simulation_record_add_at(&record, 10.0 * i, 1e6 + 50.0 * i, 1e4 + i, 0.0);
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_STEADY);
    assert_true(fabs(verdict.growth_bytes_per_s - 5.0) < 1e-9);
    assert_true(fabs(verdict.growth_count_per_s - 0.1) < 1e-9);
}

static void descriptors_without_a_size_are_judged_by_their_number(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_record_init(&record, 10.0);
    record.series.count_only = true;
    for (int i = 1; i <= 6; i++)
        simulation_record_add_at(&record, 10.0 * i, 0.0, 12.0 + i, 0.0);
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_RISING);
    assert_true(fabs(verdict.growth_count_per_s - 0.1) < 1e-9);
    assert_true(verdict.growth_bytes_per_s == 0.0);
}

static void a_wandering_number_of_connections_is_not_rising(void **state)
{
    struct simulation_random random = {.state = 9};
    unsigned rising = 0;

    (void)state;
    for (int run = 0; run < 200; run++) {
        struct simulation_record record;

        simulation_record_init(&record, 10.0);
        record.series.count_only = true;
        for (int i = 1; i <= 64; i++) {
            simulation_record_add_at(&record, 10.0 * i, 0.0, simulation_poisson(&random, 40.0),
                                     0.0);
            rising += judge(&record) == LS_VERDICT_RISING;
        }
    }
    assert_int_equal(rising, 0);
}

static void readings_that_no_collector_makes_are_learning(void **state)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300};
    struct simulation_record record;

    (void)state;
    for (size_t kind = 0; kind < LS_ARRAY_LENGTH(bad); kind++) {
        for (size_t field = 0; field < 4; field++) {
            simulation_record_init(&record, 10.0);
            for (int i = 0; i < 20; i++)
                simulation_record_add(&record, 1e6 * i);
            ((double *)&record.points[10])[field] = bad[kind];
            assert_int_equal(judge(&record), LS_VERDICT_LEARNING);
        }
    }
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 20; i++)
        simulation_record_add_at(&record, 10.0 * (i * 7 % 20), 1e6 * (i * 7 % 20), 1.0, 0.0);
    assert_int_equal(judge(&record), LS_VERDICT_LEARNING);
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 20; i++)
        simulation_record_add(&record, -1e6 + 1e4 * i);
    assert_int_equal(judge(&record), LS_VERDICT_LEARNING);
    record.series.count = LS_TREND_POINTS_MAX + 1;
    assert_int_equal(judge(&record), LS_VERDICT_LEARNING);
    record.series.count = 20;
    record.series.points = NULL;
    assert_int_equal(judge(&record), LS_VERDICT_LEARNING);
}

static void readings_of_one_moment_count_once(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_record_init(&record, 1.0);
    for (int i = 0; i < 10; i++)
        simulation_record_add_at(&record, 5.0, 1e6 * i, 1.0, 0.0);
    assert_int_equal(judge(&record), LS_VERDICT_LEARNING);
    simulation_record_init(&record, 1.0);
    for (int i = 0; i < 24; i++)
        simulation_record_add_at(&record, 1.0 + i / 2, 1e6 * (i / 2), 1e3 * (i / 2), 0.0);
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_RISING);
    assert_true(fabs(verdict.growth_bytes_per_s - 1e6) < 1.0);
}

static void wild_readings_give_sound_figures(void **state)
{
    struct simulation_random random = {.state = 11};

    (void)state;
    for (int run = 0; run < 20000; run++) {
        struct simulation_record record;
        struct ls_trend_verdict verdict;
        size_t count = (size_t)(simulation_uniform(&random) * 65.0);
        double time = 0.0;

        simulation_record_init(&record, 10.0);
        record.series.count_only = run % 5 == 0;
        record.series.sites_tested = run % 7 == 0 ? 0 : 1u << (run % 32);
        for (size_t i = 0; i < count; i++) {
            time += exp(40.0 * (simulation_uniform(&random) - 0.5));
            simulation_record_add_at(&record, time, exp(60.0 * simulation_uniform(&random) - 20.0),
                                     floor(exp(40.0 * simulation_uniform(&random)) - 1.0),
                                     run % 3 == 0 ? exp(40.0 * simulation_uniform(&random)) : 0.0);
        }
        ls_trend_judge(&record.series, &verdict);
        assert_in_range(verdict.verdict, 0, LS_VERDICT_COUNT - 1);
        assert_true(verdict.confidence >= 0.0 && verdict.confidence <= 1.0);
        assert_true(isfinite(verdict.growth_bytes_per_s));
        assert_true(isfinite(verdict.growth_count_per_s));
        assert_true(isfinite(verdict.growth_error_per_s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_new_samples_never_make_a_site_rising),
        cmocka_unit_test(a_sampled_leak_is_rising_once_it_stands_out_of_its_sampling_error),
        cmocka_unit_test(more_sites_need_more_evidence),
        cmocka_unit_test(uneven_steps_give_the_same_verdicts_and_slopes),
        cmocka_unit_test(a_slow_leak_is_still_rising_after_the_history_has_merged_many_times),
        cmocka_unit_test(a_leak_after_a_day_of_calm_is_rising_within_six_readings),
        cmocka_unit_test(the_number_of_blocks_grows_with_their_bytes_over_a_long_window),
        cmocka_unit_test(what_moves_by_less_than_a_floor_is_steady_and_has_its_slope),
        cmocka_unit_test(descriptors_without_a_size_are_judged_by_their_number),
        cmocka_unit_test(a_wandering_number_of_connections_is_not_rising),
        cmocka_unit_test(readings_that_no_collector_makes_are_learning),
        cmocka_unit_test(readings_of_one_moment_count_once),
        cmocka_unit_test(wild_readings_give_sound_figures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
