/* The interval of V8's sampler, and what samples taken at several stand for. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "system/memory.h"
#include "v8/interval.h"
#include "v8/weights.h"

#define SECOND UINT64_C(1000000000)
#define KIB    UINT64_C(1024)

static bool memory_exhausted;

void *ls_memory_own_allocate(size_t size)
{
    return memory_exhausted ? NULL : calloc(1, size);
}

void ls_memory_own_free(void *block, size_t size)
{
    (void)size;
    free(block);
}

static void a_calm_program_keeps_the_interval(void **state)
{
    struct ls_v8_load load = {.samples = 2000, .elapsed_ns = SECOND, .frames = 20};

    (void)state;
    assert_true(ls_v8_load_share(&load) > 0.009 && ls_v8_load_share(&load) < 0.011);
    assert_int_equal(ls_v8_interval_choose(&load, 512 * KIB, 512 * KIB), 512 * KIB);
}

static void a_busy_one_stretches_it_below_two_percent(void **state)
{
    (void)state;
    for (unsigned samples = 1000; samples <= 400000; samples += 997) {
        struct ls_v8_load load = {.samples = samples, .elapsed_ns = SECOND, .frames = 60};
        uint64_t bytes = ls_v8_interval_choose(&load, 16 * KIB, 16 * KIB);

        assert_true(ls_v8_load_share(&load) * 16 * KIB / (double)bytes <= 0.02);
        assert_int_equal(bytes & (bytes - 1), 0);
    }
}

static void it_is_never_stretched_without_bound(void **state)
{
    struct ls_v8_load load = {.samples = 100000000, .elapsed_ns = SECOND};

    (void)state;
    assert_int_equal(ls_v8_interval_choose(&load, 16 * KIB, 16 * KIB),
                     16 * KIB * LS_V8_INTERVAL_STRETCH_MAX);
    assert_int_equal(
        ls_v8_interval_choose(&load, LS_V8_INTERVAL_BYTES_MAX, LS_V8_INTERVAL_BYTES_MAX),
        LS_V8_INTERVAL_BYTES_MAX);
}

static void a_burst_is_no_load(void **state)
{
    struct ls_v8_load few = {.samples = 40, .elapsed_ns = SECOND / 10};
    struct ls_v8_load soon = {.samples = 40000, .elapsed_ns = SECOND / 100};

    (void)state;
    assert_int_equal(ls_v8_interval_choose(&few, 16 * KIB, 16 * KIB), 16 * KIB);
    assert_int_equal(ls_v8_interval_choose(&soon, 16 * KIB, 16 * KIB), 16 * KIB);
}

static void calm_brings_it_back_but_not_below_what_was_asked(void **state)
{
    struct ls_v8_load calm = {.samples = 10, .elapsed_ns = 10 * SECOND};

    (void)state;
    assert_int_equal(ls_v8_interval_choose(&calm, 64 * KIB, 16 * KIB), 32 * KIB);
    assert_int_equal(ls_v8_interval_choose(&calm, 16 * KIB, 16 * KIB), 16 * KIB);
    calm.elapsed_ns = SECOND;
    assert_int_equal(ls_v8_interval_choose(&calm, 64 * KIB, 16 * KIB), 64 * KIB);
}

static void a_sample_keeps_the_interval_it_was_taken_at(void **state)
{
    struct ls_v8_intervals intervals;

    (void)state;
    ls_v8_intervals_start(&intervals, 1000);
    assert_true(ls_v8_intervals_only(&intervals, 1000));
    assert_true(ls_v8_intervals_change(&intervals, 11, 2000));
    assert_true(ls_v8_intervals_change(&intervals, 21, 4000));
    assert_false(ls_v8_intervals_only(&intervals, 1000));
    assert_int_equal(ls_v8_intervals_find(&intervals, 1), 0);
    assert_int_equal(ls_v8_intervals_find(&intervals, 10), 0);
    assert_int_equal(ls_v8_intervals_find(&intervals, 11), 1);
    assert_int_equal(ls_v8_intervals_find(&intervals, 20), 1);
    assert_int_equal(ls_v8_intervals_find(&intervals, 999), 2);
    assert_int_equal(ls_v8_intervals_in_force(&intervals), 4000);
}

static void intervals_of_dead_samples_are_forgotten(void **state)
{
    struct ls_v8_intervals intervals;

    (void)state;
    ls_v8_intervals_start(&intervals, 1000);
    ls_v8_intervals_change(&intervals, 11, 2000);
    ls_v8_intervals_change(&intervals, 21, 4000);
    intervals.epochs[1].live = true;
    ls_v8_intervals_forget(&intervals);
    assert_int_equal(intervals.count, 2);
    assert_int_equal(intervals.epochs[ls_v8_intervals_find(&intervals, 15)].bytes, 2000);
    /* Nothing is live any more: what comes is the last one's. */
    ls_v8_intervals_forget(&intervals);
    assert_int_equal(intervals.count, 1);
    assert_int_equal(ls_v8_intervals_in_force(&intervals), 4000);
    assert_false(ls_v8_intervals_only(&intervals, 1000));
}

static void room_for_raising_is_kept(void **state)
{
    struct ls_v8_intervals intervals;
    uint64_t id = 1;

    (void)state;
    ls_v8_intervals_start(&intervals, 1000);
    while (ls_v8_intervals_may_lower(&intervals))
        assert_true(ls_v8_intervals_change(&intervals, ++id, 2000));
    for (unsigned raise = 0; raise < 8; raise++)
        assert_true(ls_v8_intervals_change(&intervals, ++id, 2000));
    assert_false(ls_v8_intervals_change(&intervals, ++id, 2000));
}

static double uniform(void)
{
    return ((double)rand() + 0.5) / ((double)RAND_MAX + 1);
}

/* A Poisson process over allocated bytes, its mean changed twice on the way. */
static void sums_stay_unbiased_across_changes(void **state)
{
    const uint64_t means[] = {1000, 16000, 4000};
    const size_t size = 200;
    const unsigned objects = 300000;
    static struct ls_v8_sample samples[300000];
    struct ls_v8_intervals intervals;
    struct ls_v8_weights weights = {0};
    const struct ls_v8_node_weight *node;
    size_t count = 0;

    (void)state;
    srand(1);
    ls_v8_intervals_start(&intervals, means[0]);
    for (unsigned i = 0; i < objects; i++) {
        unsigned third = i / (objects / 3);

        if (i > 0 && i % (objects / 3) == 0)
            ls_v8_intervals_change(&intervals, count + 1, means[third]);
        if (uniform() < ls_v8_interval_chance(size, means[third])) {
            samples[count] =
                (struct ls_v8_sample){.node_id = 7, .size = size, .count = 1, .id = count + 1};
            count++;
        }
    }
    assert_int_equal(ls_v8_weights_fill(&weights, &intervals, samples, count), 0);
    node = ls_v8_weights_of(&weights, 7);
    assert_non_null(node);
    /* Within four standard errors, and the error is what it says. */
    assert_true(fabs(node->bytes - (double)objects * (double)size) <
                4 * sqrt(node->variance_bytes));
    assert_true(sqrt(node->variance_bytes) < 0.05 * node->bytes);
    assert_true(fabs(node->count * (double)size - node->bytes) < 1e-6 * node->bytes);
    assert_null(ls_v8_weights_of(&weights, 8));
    assert_true(intervals.epochs[0].live && intervals.epochs[1].live && intervals.epochs[2].live);
    ls_v8_weights_clean_up(&weights);
}

static void without_memory_there_are_no_weights(void **state)
{
    struct ls_v8_intervals intervals;
    struct ls_v8_weights weights = {0};
    struct ls_v8_sample sample = {.node_id = 1, .size = 8, .count = 1, .id = 1};

    (void)state;
    ls_v8_intervals_start(&intervals, 1000);
    memory_exhausted = true;
    assert_int_equal(ls_v8_weights_fill(&weights, &intervals, &sample, 1), -ENOMEM);
    memory_exhausted = false;
    ls_v8_weights_clean_up(&weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calm_program_keeps_the_interval),
        cmocka_unit_test(a_busy_one_stretches_it_below_two_percent),
        cmocka_unit_test(it_is_never_stretched_without_bound),
        cmocka_unit_test(a_burst_is_no_load),
        cmocka_unit_test(calm_brings_it_back_but_not_below_what_was_asked),
        cmocka_unit_test(a_sample_keeps_the_interval_it_was_taken_at),
        cmocka_unit_test(intervals_of_dead_samples_are_forgotten),
        cmocka_unit_test(room_for_raising_is_kept),
        cmocka_unit_test(sums_stay_unbiased_across_changes),
        cmocka_unit_test(without_memory_there_are_no_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
