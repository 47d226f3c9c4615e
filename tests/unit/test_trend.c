/*
 * The verdict on one site: a synthetic series for every shape it tells apart. How it is sampled and
 * recorded is in test_trend_series.c, the rates over many random series in test_trend_rates.c.
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

static void fewer_than_six_readings_after_the_warm_up_are_learning(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_record_init(&record, 1.0);
    assert_int_equal(judge(&record), LS_VERDICT_LEARNING);
    for (int i = 0; i < 5; i++) {
        simulation_record_add(&record, 100e6 + 1e6 * i);
        assert_int_equal(judge(&record), LS_VERDICT_LEARNING);
    }
    simulation_record_add(&record, 105e6);
    assert_int_equal(judge(&record), LS_VERDICT_RISING);
    record.series.warmup_s = 1.5;
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_LEARNING);
    assert_true(verdict.confidence == 0.0 && verdict.growth_bytes_per_s == 0.0);
}

static void a_leak_is_rising_with_its_sixth_reading_and_has_its_slope(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 6; i++)
        simulation_record_add(&record, 20e6 + 4.4e6 * i);
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_RISING);
    assert_true(fabs(verdict.growth_bytes_per_s - 440e3) < 1.0);
    assert_true(fabs(verdict.growth_count_per_s - 4400.0) < 1.0);
    assert_true(verdict.confidence > 0.99);
    assert_true(verdict.window_start_s == 10.0);
}

static void a_leak_after_a_long_calm_is_rising_within_six_readings(void **state)
{
    (void)state;
    for (int calm = 0; calm <= 58; calm++) {
        struct simulation_record record;

        simulation_record_init(&record, 10.0);
        for (int i = 0; i < calm; i++)
            simulation_record_add(&record, 20e6 + (i % 3) * 1e5);
        for (int i = 1; i <= 6; i++)
            simulation_record_add(&record, 20e6 + 4.4e6 * i);
        assert_int_equal(judge(&record), LS_VERDICT_RISING);
    }
}

static void a_leak_stays_rising_while_it_lasts(void **state)
{
    struct simulation_record record;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 64; i++) {
        simulation_record_add(&record, 20e6 + 1e6 * i + (i * 7 % 5) * 5e4);
        if (i >= 5)
            assert_int_equal(judge(&record), LS_VERDICT_RISING);
    }
}

static void an_exactly_counted_leak_of_4_kib_a_second_is_rising_in_six_seconds(void **state)
{
    static const double blocks[] = {64.0, 1024.0, 4096.0};

    (void)state;
    for (size_t size = 0; size < LS_ARRAY_LENGTH(blocks); size++) {
        struct simulation_record record;

        simulation_record_init(&record, 1.0);
        for (int i = 1; i <= 6; i++)
            simulation_record_add_at(&record, i, 4096.0 * i, 4096.0 * i / blocks[size], 0.0);
        assert_int_equal(judge(&record), LS_VERDICT_RISING);
    }
}

static void growth_below_the_floors_is_steady_however_certain(void **state)
{
    struct simulation_record record;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 64; i++)
        simulation_record_add(&record, 1e6 + 0.9 * LS_TREND_FLOOR_BYTES_PER_S * 10.0 * i);
    assert_int_equal(judge(&record), LS_VERDICT_STEADY);

    simulation_record_init(&record, 1.0);
    for (int i = 0; i < 6; i++)
        simulation_record_add(&record, 1e6 + 0.9 * LS_TREND_FLOOR_BYTES / 5.0 * i);
    assert_int_equal(judge(&record), LS_VERDICT_STEADY);
}

static void the_floor_grows_with_the_process(void **state)
{
    struct simulation_record record;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 12; i++)
        simulation_record_add(&record, 1e6 + 40960.0 * i);
    assert_int_equal(judge(&record), LS_VERDICT_RISING);
    record.series.process_bytes = 64.0 * 1024.0 * 1024.0 * 1024.0;
    assert_int_equal(judge(&record), LS_VERDICT_STEADY);
}

static void a_plateau_is_steady(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 64; i++)
        simulation_record_add(&record, 50e6);
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_STEADY);
    assert_true(verdict.growth_bytes_per_s == 0.0);
    assert_true(verdict.confidence > 0.99);
}

static void an_empty_site_is_steady(void **state)
{
    struct simulation_record record;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 64; i++)
        simulation_record_add(&record, 0.0);
    assert_int_equal(judge(&record), LS_VERDICT_STEADY);
}

static void a_cache_that_filled_evenly_is_not_rising_once_it_is_full(void **state)
{
    struct simulation_record record;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 20; i++)
        simulation_record_add(&record, 1e6 * i);
    for (int i = 0; i < 44; i++) {
        simulation_record_add(&record, 20e6);
        if (i >= 3)
            assert_int_not_equal(judge(&record), LS_VERDICT_RISING);
        if (i >= 8)
            assert_int_equal(judge(&record), LS_VERDICT_STEADY);
    }
}

static void a_cache_that_fills_ever_more_slowly_is_settling_and_then_steady(void **state)
{
    static const double lives[] = {4.0, 6.0, 10.0};

    (void)state;
    for (size_t k = 0; k < LS_ARRAY_LENGTH(lives); k++) {
        struct simulation_record record;
        unsigned settling = 0;

        simulation_record_init(&record, 10.0);
        for (int i = 0; i < 64; i++) {
            simulation_record_add(&record, 50e6 * -expm1(-i / lives[k]));
            if (i > lives[k] && i >= 5)
                assert_int_not_equal(judge(&record), LS_VERDICT_RISING);
            settling += judge(&record) == LS_VERDICT_SETTLING;
        }
        assert_true(settling >= 4);
        simulation_record_init(&record, 10.0);
        for (int i = 0; i < 64; i++)
            simulation_record_add(&record, 50e6 * -expm1(-i / lives[k] * 2.0));
        assert_int_equal(judge(&record), LS_VERDICT_STEADY);
    }
}

static void a_leak_under_falling_load_does_not_settle_for_ever(void **state)
{
    struct simulation_record record;
    double level = 10e6;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 64; i++) {
        level += i < 24 ? 2e6 : 0.8e6;
        simulation_record_add(&record, level);
    }
    assert_int_equal(judge(&record), LS_VERDICT_RISING);
}

static void a_sawtooth_is_never_rising_after_its_first_fall(void **state)
{
    (void)state;
    for (int period = 3; period <= 20; period++) {
        struct simulation_record record;

        simulation_record_init(&record, 10.0);
        for (int i = 0; i < 64; i++) {
            simulation_record_add(&record, 10e6 + 2e6 * (i % period));
            if (i > period)
                assert_int_not_equal(judge(&record), LS_VERDICT_RISING);
        }
        assert_int_equal(judge(&record), LS_VERDICT_SAWTOOTH);
    }
}

static void a_sawtooth_of_uneven_teeth_is_never_rising_after_its_first_fall(void **state)
{
    struct simulation_random random = {.state = 5};

    (void)state;
    for (int run = 0; run < 300; run++) {
        struct simulation_record record;
        double level = 10e6;
        bool fell = false;

        simulation_record_init(&record, 10.0);
        for (int i = 0; i < 64; i++) {
            level += 2e6;
            if (level > 30e6 + 4e6 * simulation_normal(&random)) {
                fell = fell || i > 6;
                level = 10e6;
            }
            simulation_record_add(&record, level);
            if (fell)
                assert_int_not_equal(judge(&record), LS_VERDICT_RISING);
        }
    }
}

static void a_sawtooth_whose_troughs_rise_is_rising(void **state)
{
    struct simulation_record record;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 64; i++)
        simulation_record_add(&record, 10e6 + 1e6 * i + 2e6 * (i % 5));
    assert_int_equal(judge(&record), LS_VERDICT_RISING);
}

static void a_burst_that_drains_is_never_rising(void **state)
{
    struct simulation_record record;
    enum ls_verdict verdict = LS_VERDICT_LEARNING;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 64; i++) {
        double burst = i < 20 ? 0.0 : i < 24 ? 100e6 : 100e6 * exp(-(i - 23) / 6.0);

        simulation_record_add(&record, 5e6 + burst);
        verdict = judge(&record);
        assert_int_not_equal(verdict, LS_VERDICT_RISING);
        assert_int_not_equal(verdict, LS_VERDICT_SETTLING);
    }
    assert_true(verdict == LS_VERDICT_FALLING || verdict == LS_VERDICT_STEADY);
}

static void one_jump_that_stays_is_never_rising(void **state)
{
    (void)state;
    for (int jump = 0; jump < 64; jump++) {
        struct simulation_record record;

        simulation_record_init(&record, 10.0);
        for (int i = 0; i < 64; i++) {
            simulation_record_add(&record, i < jump ? 5e6 : 50e6);
            assert_int_not_equal(judge(&record), LS_VERDICT_RISING);
        }
    }
}

static void a_leak_after_a_burst_is_rising_within_six_readings(void **state)
{
    struct simulation_record record;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 40; i++)
        simulation_record_add(&record, i == 12 || i == 13 ? 300e6 : 5e6);
    for (int i = 1; i <= 6; i++)
        simulation_record_add(&record, 5e6 + 4e6 * i);
    assert_int_equal(judge(&record), LS_VERDICT_RISING);
}

static void noise_around_a_level_is_never_rising(void **state)
{
    struct simulation_random random = {.state = 1};

    (void)state;
    for (int run = 0; run < 300; run++) {
        struct simulation_record record;

        simulation_record_init(&record, 10.0);
        for (int i = 0; i < 64; i++) {
            simulation_record_add(&record, 50e6 + 2e6 * simulation_normal(&random));
            assert_int_not_equal(judge(&record), LS_VERDICT_RISING);
        }
    }
}

static void a_site_that_shrinks_is_falling(void **state)
{
    struct simulation_record record;
    struct ls_trend_verdict verdict;

    (void)state;
    simulation_record_init(&record, 10.0);
    for (int i = 0; i < 12; i++)
        simulation_record_add(&record, 100e6 - 5e6 * i);
    ls_trend_judge(&record.series, &verdict);
    assert_int_equal(verdict.verdict, LS_VERDICT_FALLING);
    assert_true(fabs(verdict.growth_bytes_per_s + 5e5) < 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_than_six_readings_after_the_warm_up_are_learning),
        cmocka_unit_test(a_leak_is_rising_with_its_sixth_reading_and_has_its_slope),
        cmocka_unit_test(a_leak_after_a_long_calm_is_rising_within_six_readings),
        cmocka_unit_test(a_leak_stays_rising_while_it_lasts),
        cmocka_unit_test(an_exactly_counted_leak_of_4_kib_a_second_is_rising_in_six_seconds),
        cmocka_unit_test(growth_below_the_floors_is_steady_however_certain),
        cmocka_unit_test(the_floor_grows_with_the_process),
        cmocka_unit_test(a_plateau_is_steady),
        cmocka_unit_test(an_empty_site_is_steady),
        cmocka_unit_test(a_cache_that_filled_evenly_is_not_rising_once_it_is_full),
        cmocka_unit_test(a_cache_that_fills_ever_more_slowly_is_settling_and_then_steady),
        cmocka_unit_test(a_leak_under_falling_load_does_not_settle_for_ever),
        cmocka_unit_test(a_sawtooth_is_never_rising_after_its_first_fall),
        cmocka_unit_test(a_sawtooth_of_uneven_teeth_is_never_rising_after_its_first_fall),
        cmocka_unit_test(a_sawtooth_whose_troughs_rise_is_rising),
        cmocka_unit_test(a_burst_that_drains_is_never_rising),
        cmocka_unit_test(one_jump_that_stays_is_never_rising),
        cmocka_unit_test(a_leak_after_a_burst_is_rising_within_six_readings),
        cmocka_unit_test(noise_around_a_level_is_never_rising),
        cmocka_unit_test(a_site_that_shrinks_is_falling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
