/* Dating V8's live samples by their numbers. */
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
#include "v8/ages.h"

#define SECOND UINT64_C(1000000000)

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

#define assert_near(value, expected) assert_true(fabs((value) - (expected)) < 1e-3)

static const struct ls_js_function leaking = {
    .key = 3, .name = "getData", .script = "/srv/cache.js", .user_code = true};

/* One function, one node: all samples are its own. */
static struct ls_v8_allocation allocation = {100, 1};
static struct ls_v8_node root = {.id = 1,
                                 .allocations = {&allocation, &allocation + 1, &allocation + 1}};

static const struct ls_js_function *function_of(void *data, const struct ls_v8_node *node)
{
    (void)data;
    (void)node;
    return &leaking;
}

struct isolate {
    struct ls_v8_ages ages;
    struct ls_v8_rollup rollup;
    struct ls_v8_age_table table;
};

static void set_up(struct isolate *isolate)
{
    struct ls_v8_profile_source source = {.function = function_of, .sample_bytes = 1000};

    memset(isolate, 0, sizeof(*isolate));
    assert_int_equal(ls_v8_profile_roll_up(&isolate->rollup, &root, &source), 0);
}

static void tear_down(struct isolate *isolate)
{
    ls_v8_age_table_clean_up(&isolate->table);
    ls_v8_rollup_clean_up(&isolate->rollup);
}

/* Reads with live samples first..last, 100 bytes each. */
static void read_samples(struct isolate *isolate, uint64_t first, uint64_t last, double time_s,
                         bool after_major_gc)
{
    static struct ls_v8_sample samples[4096];
    size_t count = 0;

    for (uint64_t id = first; id <= last; id++)
        samples[count++] = (struct ls_v8_sample){.node_id = 1, .size = 100, .count = 1, .id = id};
    ls_v8_age_table_clean_up(&isolate->table);
    isolate->rollup.sites[0].survived_bytes = 0;
    assert_int_equal(ls_v8_ages_read(&isolate->ages, &isolate->rollup, samples, count, NULL,
                                     (uint64_t)(time_s * 1e9), after_major_gc, &isolate->table),
                     0);
}

static void a_leak_lies_evenly_over_all_intervals(void **state)
{
    struct isolate isolate;

    (void)state;
    set_up(&isolate);
    for (uint64_t t = 1; t <= 8; t++)
        read_samples(&isolate, 1, t * 10, (double)t, t == 8);
    assert_int_equal(isolate.table.intervals, 8);
    for (size_t i = 0; i < 8; i++)
        assert_near((double)isolate.table.bytes[i], 1000);
    tear_down(&isolate);
}

static const struct ls_js_function caller = {
    .key = 4, .name = "handler", .script = "/srv/server.js", .user_code = true};

static const struct ls_js_function *caller_or_leaking(void *data, const struct ls_v8_node *node)
{
    (void)data;
    return node->id == 1 ? &caller : &leaking;
}

/* The function's samples end where it was compiled into its caller, and the caller's begin. */
static void what_a_caller_took_over_is_even_with_what_it_encloses(void **state)
{
    static struct ls_v8_node inner = {
        .id = 2, .allocations = {&allocation, &allocation + 1, &allocation + 1}};
    static const struct ls_v8_node *children[] = {&inner};
    static struct ls_v8_node outer = {
        .id = 1,
        .children = {children, children + 1, children + 1},
        .allocations = {&allocation, &allocation + 1, &allocation + 1}};
    static const struct ls_v8_node *outermost[] = {&outer};
    struct ls_v8_node top = {.id = 3, .children = {outermost, outermost + 1, outermost + 1}};
    struct ls_v8_profile_source source = {.function = caller_or_leaking, .sample_bytes = 1000};
    struct ls_v8_sample samples[80];
    struct isolate isolate = {0};
    const float *own;

    (void)state;
    assert_int_equal(ls_v8_profile_roll_up(&isolate.rollup, &top, &source), 0);
    for (size_t i = 0; i < 80; i++)
        samples[i] =
            (struct ls_v8_sample){.node_id = i < 40 ? 2 : 1, .size = 100, .count = 1, .id = i + 1};
    for (uint64_t t = 1; t <= 8; t++) {
        ls_v8_age_table_clean_up(&isolate.table);
        assert_int_equal(ls_v8_ages_read(&isolate.ages, &isolate.rollup, samples, t * 10, NULL,
                                         t * SECOND, t == 8, &isolate.table),
                         0);
    }
    own = &isolate.table.bytes[(size_t)ls_v8_rollup_site_of(&isolate.rollup, 1) * 8];
    for (size_t i = 0; i < 8; i++) {
        assert_near((double)own[i], i < 4 ? 0 : 1000);
        assert_near((double)(own - isolate.table.bytes + isolate.table.inclusive)[i], 1000);
    }
    tear_down(&isolate);
}

static void a_cache_with_turnover_lies_in_the_last_intervals(void **state)
{
    struct isolate isolate;

    (void)state;
    set_up(&isolate);
    for (uint64_t t = 1; t <= 8; t++)
        read_samples(&isolate, t > 2 ? (t - 2) * 10 + 1 : 1, t * 10, (double)t, t == 8);
    for (size_t i = 0; i < 6; i++)
        assert_near((double)isolate.table.bytes[i], 0);
    assert_near((double)isolate.table.bytes[6], 1000);
    assert_near((double)isolate.table.bytes[7], 1000);
    tear_down(&isolate);
}

static void what_was_loaded_at_start_stays_in_the_first_interval(void **state)
{
    struct isolate isolate;

    (void)state;
    set_up(&isolate);
    for (uint64_t t = 1; t <= 8; t++)
        read_samples(&isolate, 1, 50, (double)t, false);
    assert_near((double)isolate.table.bytes[0], 5000);
    assert_near((double)isolate.table.bytes[7], 0);
    tear_down(&isolate);
}

static void the_median_age_lies_between_the_readings_around_it(void **state)
{
    struct isolate isolate;

    (void)state;
    set_up(&isolate);
    for (uint64_t t = 1; t <= 8; t++)
        read_samples(&isolate, 1, t * 10, (double)t, false);
    /* Half of the bytes are older than the reading at 4 s: interval 3 s to 4 s, seen at 8 s. */
    assert_near(isolate.rollup.sites[0].median_age_s, 4.5);
    tear_down(&isolate);
}

static void survivors_have_lived_from_one_major_collection_to_the_next(void **state)
{
    struct isolate isolate;

    (void)state;
    set_up(&isolate);
    read_samples(&isolate, 1, 10, 1, false);
    read_samples(&isolate, 1, 20, 2, true);
    assert_near(isolate.rollup.sites[0].survived_bytes, 0);
    read_samples(&isolate, 1, 60, 4, false);
    assert_near(isolate.rollup.sites[0].survived_bytes, 0);
    read_samples(&isolate, 11, 80, 6, true);
    assert_near(isolate.rollup.sites[0].survived_bytes, 1000);
    tear_down(&isolate);
}

static void collections_in_quick_succession_are_one_cycle(void **state)
{
    struct isolate isolate;

    (void)state;
    set_up(&isolate);
    read_samples(&isolate, 1, 10, 10, true);
    read_samples(&isolate, 1, 30, 10.4, true);
    assert_near(isolate.rollup.sites[0].survived_bytes, 0);
    read_samples(&isolate, 1, 50, 12, true);
    assert_near(isolate.rollup.sites[0].survived_bytes, 1000);
    tear_down(&isolate);
}

static void marks_stay_spread_over_a_run_of_any_length(void **state)
{
    struct isolate isolate;
    uint64_t widest = 0;

    (void)state;
    set_up(&isolate);
    for (uint64_t t = 1; t <= 20000; t++)
        read_samples(&isolate, 1, t < 4000 ? t : 4000, (double)t, false);
    assert_true(isolate.table.intervals <= LS_V8_AGE_MARKS + 1);
    for (size_t i = 1; i < isolate.table.intervals; i++) {
        uint64_t width = isolate.table.end_ns[i] - isolate.table.end_ns[i - 1];

        widest = width > widest ? width : widest;
    }
    /* Even spacing over 64 would be 312 s; merging costs at most a factor of 4. */
    assert_true(widest <= 1250 * SECOND);
    assert_true(isolate.table.end_ns[0] <= 1250 * SECOND);
    tear_down(&isolate);
}

static void a_new_sampler_starts_over(void **state)
{
    struct isolate isolate;

    (void)state;
    set_up(&isolate);
    read_samples(&isolate, 1, 50, 1, true);
    read_samples(&isolate, 1, 50, 3, true);
    ls_v8_ages_reset(&isolate.ages);
    read_samples(&isolate, 1, 5, 5, true);
    assert_int_equal(isolate.table.intervals, 1);
    assert_near(isolate.rollup.sites[0].survived_bytes, 0);
    tear_down(&isolate);
}

static void without_memory_the_marks_go_on(void **state)
{
    struct isolate isolate;
    struct ls_v8_sample sample = {.node_id = 1, .size = 100, .count = 1, .id = 7};

    (void)state;
    set_up(&isolate);
    memory_exhausted = true;
    assert_int_equal(ls_v8_ages_read(&isolate.ages, &isolate.rollup, &sample, 1, NULL, SECOND,
                                     false, &isolate.table),
                     -ENOMEM);
    memory_exhausted = false;
    read_samples(&isolate, 1, 14, 2, false);
    assert_near((double)isolate.table.bytes[0], 700);
    assert_near((double)isolate.table.bytes[1], 700);
    tear_down(&isolate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_lies_evenly_over_all_intervals),
        cmocka_unit_test(what_a_caller_took_over_is_even_with_what_it_encloses),
        cmocka_unit_test(a_cache_with_turnover_lies_in_the_last_intervals),
        cmocka_unit_test(what_was_loaded_at_start_stays_in_the_first_interval),
        cmocka_unit_test(the_median_age_lies_between_the_readings_around_it),
        cmocka_unit_test(survivors_have_lived_from_one_major_collection_to_the_next),
        cmocka_unit_test(collections_in_quick_succession_are_one_cycle),
        cmocka_unit_test(marks_stay_spread_over_a_run_of_any_length),
        cmocka_unit_test(a_new_sampler_starts_over),
        cmocka_unit_test(without_memory_the_marks_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
