/* Whether what a callsite gained is in the heap, from readings as heaps give them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trend/whole.h"

#define MEGABYTE 1e6
#define TRIALS   400

static double uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) / 9007199254740992.0;
}

/* Of mean 0 and standard deviation 1, near enough to normal. */
static double noise(uint64_t *state)
{
    double sum = -6.0;

    for (int i = 0; i < 12; i++)
        sum += uniform(state);
    return sum;
}

struct scene {
    size_t readings;
    double heap_bytes;
    double heap_gain;
    double scatter_bytes;
};

static struct ls_whole_gain measure(const struct scene *scene, uint64_t *state)
{
    struct ls_history heap = {.count = 0};
    struct ls_whole_gain gain = {.bytes = 0};

    for (size_t i = 0; i < scene->readings; i++) {
        double share = (double)i / (double)(scene->readings - 1);

        ls_history_add(&heap,
                       (struct ls_history_point){
                           .time_s = 10.0 + (double)i,
                           .live_bytes = (float)(scene->heap_bytes + share * scene->heap_gain +
                                                 scene->scatter_bytes * noise(state))});
    }
    ls_whole_add(&gain, &heap, 10.0);
    return gain;
}

/* In how many of the trials a part's gain is found lacking. */
static unsigned lacking(const struct scene *scene, double part_bytes, double part_error)
{
    uint64_t state = 1;
    unsigned count = 0;

    for (int i = 0; i < TRIALS; i++) {
        struct ls_whole_gain gain = measure(scene, &state);

        count += ls_whole_lacks(&gain, part_bytes, part_error * part_error);
    }
    return count;
}

/* A server's request handler that V8 compiled another function into, whose cache was full. */
static void what_moved_to_a_site_is_not_in_a_heap_that_stands_still(void **state)
{
    const struct scene scene = {6, 9.2 * MEGABYTE, 0, 0.1 * MEGABYTE};

    (void)state;
    assert_true(lacking(&scene, 3 * MEGABYTE, 0.3 * MEGABYTE) > TRIALS * 98 / 100);
}

static void a_leak_is_in_the_heap(void **state)
{
    (void)state;
    for (size_t readings = 2; readings <= 40; readings++) {
        const struct scene calm = {readings, 9 * MEGABYTE, 3 * MEGABYTE, 0.1 * MEGABYTE};
        const struct scene restless = {readings, 9 * MEGABYTE, 3 * MEGABYTE, 1 * MEGABYTE};

        assert_int_equal(lacking(&calm, 3 * MEGABYTE, 0.3 * MEGABYTE), 0);
        assert_true(lacking(&restless, 3 * MEGABYTE, 0.3 * MEGABYTE) <= TRIALS / 20);
    }
}

/* Requests in flight when a reading is made count as live in it. */
static void a_small_gain_in_a_restless_heap_is_left_alone(void **state)
{
    (void)state;
    for (size_t readings = 4; readings <= 40; readings++) {
        const struct scene scene = {readings, 50 * MEGABYTE, 0, 3 * MEGABYTE};

        assert_true(lacking(&scene, 2 * MEGABYTE, 0.2 * MEGABYTE) <= TRIALS / 20);
    }
}

static void two_readings_say_what_is_large(void **state)
{
    const struct scene scene = {2, 9 * MEGABYTE, 0, 0};

    (void)state;
    assert_int_equal(lacking(&scene, 4 * MEGABYTE, 0.3 * MEGABYTE), TRIALS);
    assert_int_equal(lacking(&scene, 0.5 * MEGABYTE, 0.1 * MEGABYTE), 0);
}

static void no_reading_says_nothing(void **state)
{
    const struct ls_history none = {.count = 0};
    struct ls_whole_gain gain = {.bytes = 0};

    (void)state;
    ls_whole_add(&gain, &none, 0);
    assert_false(ls_whole_lacks(&gain, 3 * MEGABYTE, 0));
}

static void the_sampling_error_of_the_part_counts(void **state)
{
    const struct scene scene = {20, 9 * MEGABYTE, 0, 0.05 * MEGABYTE};

    (void)state;
    assert_int_equal(lacking(&scene, 3 * MEGABYTE, 0.3 * MEGABYTE), TRIALS);
    assert_int_equal(lacking(&scene, 3 * MEGABYTE, 1.5 * MEGABYTE), 0);
}

/* A heap that is given back and filled again may hold a leak in what it had given back. */
static void a_heap_that_goes_up_and_down_gains_by_as_much(void **state)
{
    static const double bytes[] = {12e6, 4e6, 5e6, 11e6, 4e6, 12e6};
    struct ls_history heap = {.count = 0};
    struct ls_whole_gain gain = {.bytes = 0};

    (void)state;
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
        ls_history_add(&heap, (struct ls_history_point){.time_s = 1.0 + (double)i,
                                                        .live_bytes = (float)bytes[i]});
    ls_whole_add(&gain, &heap, 1.0);
    assert_true(fabs(gain.bytes - 8e6) < 1);
    assert_false(ls_whole_lacks(&gain, 9e6, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_moved_to_a_site_is_not_in_a_heap_that_stands_still),
        cmocka_unit_test(a_leak_is_in_the_heap),
        cmocka_unit_test(a_small_gain_in_a_restless_heap_is_left_alone),
        cmocka_unit_test(two_readings_say_what_is_large),
        cmocka_unit_test(no_reading_says_nothing),
        cmocka_unit_test(the_sampling_error_of_the_part_counts),
        cmocka_unit_test(a_heap_that_goes_up_and_down_gains_by_as_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
