/*
 * What becomes of a rise: a backlog drains, a leak or a cache does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trend/episode.h"
#include "trend_simulation.h"

struct watched {
    struct simulation_record record;
    struct ls_trend_episode episode;
};

static void watched_init(struct watched *watched)
{
    simulation_record_init(&watched->record, 10.0);
    watched->episode = (struct ls_trend_episode){.state = LS_EPISODE_NONE};
}

static enum ls_episode_state read_next(struct watched *watched, double bytes)
{
    struct ls_trend_verdict verdict;

    simulation_record_add(&watched->record, bytes);
    ls_trend_judge(&watched->record.series, &verdict);
    ls_trend_episode_follow(&watched->episode, &watched->record.series, &verdict);
    return watched->episode.state;
}

static void rise(struct watched *watched, int readings)
{
    for (int i = 0; i < 8; i++)
        assert_int_equal(read_next(watched, 5e6), LS_EPISODE_NONE);
    for (int i = 1; i <= readings; i++)
        read_next(watched, 5e6 + 4e6 * i);
    assert_int_equal(watched->episode.state, LS_EPISODE_RISING);
}

static void a_site_that_never_rose_has_no_episode(void **state)
{
    struct watched watched;

    (void)state;
    watched_init(&watched);
    for (int i = 0; i < 20; i++)
        assert_int_equal(read_next(&watched, i < 10 ? 50e6 : 1e6), LS_EPISODE_NONE);
}

static void a_queue_that_empties_after_the_load_has_drained(void **state)
{
    struct watched watched;

    (void)state;
    watched_init(&watched);
    rise(&watched, 12);
    for (int i = 0; i < 4; i++)
        read_next(&watched, 53e6 - 10e6 * i);
    assert_int_equal(watched.episode.state, LS_EPISODE_OVER); /* half of it */
    assert_int_equal(read_next(&watched, 8e6), LS_EPISODE_DRAINED);
    assert_int_equal(read_next(&watched, 8e6), LS_EPISODE_DRAINED);
    assert_true(watched.episode.ended_s > watched.episode.began_s + 50.0);
}

static void what_stops_growing_and_stays_is_kept(void **state)
{
    struct watched watched;

    (void)state;
    watched_init(&watched);
    rise(&watched, 12);
    for (int i = 0; i < 20; i++)
        read_next(&watched, 53e6);
    assert_int_equal(watched.episode.state, LS_EPISODE_KEPT);
    for (int i = 0; i < 20 && watched.episode.state == LS_EPISODE_KEPT; i++)
        read_next(&watched, 6e6);
    assert_int_equal(watched.episode.state, LS_EPISODE_DRAINED);
}

/* As of a JavaScript site: there is no reading before the next collection. */
static void what_was_not_read_since_it_rose_is_neither_kept_nor_drained(void **state)
{
    const struct ls_trend_verdict settling = {.verdict = LS_VERDICT_SETTLING};
    struct watched watched;

    (void)state;
    watched_init(&watched);
    rise(&watched, 12);
    ls_trend_episode_follow(&watched.episode, &watched.record.series, &settling);
    assert_int_equal(watched.episode.state, LS_EPISODE_OVER);
    ls_trend_episode_follow(&watched.episode, &watched.record.series, &settling);
    assert_int_equal(watched.episode.state, LS_EPISODE_OVER);
}

static void a_second_rise_after_a_drained_one_is_an_episode_of_its_own(void **state)
{
    struct watched watched;

    (void)state;
    watched_init(&watched);
    rise(&watched, 12);
    for (int i = 0; i < 8; i++)
        read_next(&watched, 5e6);
    assert_int_equal(watched.episode.state, LS_EPISODE_DRAINED);
    /* So much that the first could not have been a tooth of it. */
    for (int i = 1; i <= 16; i++)
        read_next(&watched, 5e6 + 30e6 * i);
    assert_int_equal(watched.episode.state, LS_EPISODE_RISING);
    assert_true(watched.episode.began_s > 200.0);
}

static void an_episode_is_told_for_three_times_its_length_and_sixty_intervals(void **state)
{
    struct ls_trend_episode episode = {
        .state = LS_EPISODE_DRAINED, .began_s = 1000.0, .ended_s = 1100.0};

    (void)state;
    assert_true(ls_trend_episode_is_recent(&episode, 1690.0, 10.0));
    assert_false(ls_trend_episode_is_recent(&episode, 1710.0, 10.0));
    episode.ended_s = 3000.0;
    assert_true(ls_trend_episode_is_recent(&episode, 8990.0, 10.0));
    assert_false(ls_trend_episode_is_recent(&episode, 9010.0, 10.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_site_that_never_rose_has_no_episode),
        cmocka_unit_test(a_queue_that_empties_after_the_load_has_drained),
        cmocka_unit_test(what_stops_growing_and_stays_is_kept),
        cmocka_unit_test(what_was_not_read_since_it_rose_is_neither_kept_nor_drained),
        cmocka_unit_test(a_second_rise_after_a_drained_one_is_an_episode_of_its_own),
        cmocka_unit_test(an_episode_is_told_for_three_times_its_length_and_sixty_intervals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
