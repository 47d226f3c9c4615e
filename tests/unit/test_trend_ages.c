/*
 * What ages say of a site, case by case; the rates over many sites are in test_trend_rates.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ledger/release_ages.h"
#include "trend/trend.h"
#include "trend_simulation.h"

#define READINGS 40

/* A site that gained 1 MB a reading over READINGS readings, counted exactly, in blocks of 100. */
struct grown {
    struct simulation_record record;
    float kept[LS_TREND_POINTS_MAX];
    struct ls_release_ages released;
    struct ls_trend_ages ages;
};

static void grown_init(struct grown *grown)
{
    simulation_record_init(&grown->record, 10.0);
    grown->released = (struct ls_release_ages){.watched = 0.0f};
    for (int i = 0; i < READINGS; i++)
        simulation_record_add(&grown->record, 5e6 + 1e6 * i);
    grown->ages = (struct ls_trend_ages){
        .kept = grown->kept, .kept_weight = 3200.0, .released = &grown->released};
    grown->record.series.ages = &grown->ages;
}

static void watch_for(struct grown *grown, int intervals, double age, double amount)
{
    struct ls_release_fade fade;

    ls_release_fade_init(&fade, 1.0);
    for (int i = 0; i < intervals; i++) {
        ls_release_ages_fade(&grown->released, &fade);
        ls_release_ages_add(&grown->released, age, amount);
    }
}

static enum ls_verdict judge(const struct grown *grown)
{
    struct ls_trend_verdict verdict;

    ls_trend_judge(&grown->record.series, &verdict);
    return verdict.verdict;
}

static void growth_of_what_stays_is_rising(void **state)
{
    struct grown grown;

    (void)state;
    grown_init(&grown);
    for (int i = 0; i < READINGS; i++)
        grown.kept[i] = (float)(5e6 + 1e6 * i);
    watch_for(&grown, READINGS, 0.5, 0.0);
    assert_int_equal(judge(&grown), LS_VERDICT_RISING);
}

/* A busier and busier hour: all that lives came since the last reading but one. */
static void growth_of_what_comes_and_goes_is_not(void **state)
{
    struct grown grown;

    (void)state;
    grown_init(&grown);
    for (int i = 0; i < READINGS; i++)
        grown.kept[i] = i < READINGS - 1 ? 0.0f : 44e6f;
    watch_for(&grown, READINGS, 1.5, 20e6);
    assert_int_not_equal(judge(&grown), LS_VERDICT_RISING);
}

/* Sessions that last, and more of them than before: the old ones end, so will these. */
static void growth_is_not_told_while_as_much_of_that_age_is_released(void **state)
{
    struct grown grown;

    (void)state;
    grown_init(&grown);
    for (int i = 0; i < READINGS; i++)
        grown.kept[i] = (float)(5e6 + 1e6 * i) * 0.8f;
    watch_for(&grown, READINGS, 35.0, 0.6e6);
    assert_int_not_equal(judge(&grown), LS_VERDICT_RISING);
}

static void a_few_old_releases_do_not_hide_a_leak(void **state)
{
    struct grown grown;

    (void)state;
    grown_init(&grown);
    for (int i = 0; i < READINGS; i++)
        grown.kept[i] = (float)(5e6 + 1e6 * i) * 0.9f;
    watch_for(&grown, READINGS, 35.0, 0.05e6);
    assert_int_equal(judge(&grown), LS_VERDICT_RISING);
}

static void a_buffer_that_grows_in_place_is_judged_by_its_size_alone(void **state)
{
    struct grown grown;

    (void)state;
    grown_init(&grown);
    for (size_t i = 0; i < grown.record.series.count; i++)
        grown.record.points[i].live_count = 1.0;
    for (int i = 0; i < READINGS; i++)
        grown.kept[i] = i < READINGS - 1 ? 0.0f : 44e6f;
    assert_int_equal(judge(&grown), LS_VERDICT_RISING);
}

static void a_rate_of_releases_is_told_by_age(void **state)
{
    struct grown grown;

    (void)state;
    grown_init(&grown);
    watch_for(&grown, 100, 5.0, 7.0);
    watch_for(&grown, 100, 50.0, 3.0);
    /* The first have been over for 100 intervals and are remembered for 32. */
    assert_true(ls_release_ages_rate(&grown.released, 0.0) < 3.6);
    assert_true(ls_release_ages_rate(&grown.released, 16.0) > 1.5);
    assert_true(ls_release_ages_rate(&grown.released, 64.0) == 0.0);
    assert_true(ls_release_ages_span(&grown.released, 16.0) > 32.0);
}

static void nothing_is_known_before_anything_was_watched(void **state)
{
    struct ls_release_ages none = {.watched = 0.0f};

    (void)state;
    assert_true(ls_release_ages_rate(&none, 0.0) == 0.0);
    assert_true(ls_release_ages_span(&none, 0.0) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_of_what_stays_is_rising),
        cmocka_unit_test(growth_of_what_comes_and_goes_is_not),
        cmocka_unit_test(growth_is_not_told_while_as_much_of_that_age_is_released),
        cmocka_unit_test(a_few_old_releases_do_not_hide_a_leak),
        cmocka_unit_test(a_buffer_that_grows_in_place_is_judged_by_its_size_alone),
        cmocka_unit_test(a_rate_of_releases_is_told_by_age),
        cmocka_unit_test(nothing_is_known_before_anything_was_watched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
