/* A leak, a cache and a start-up load told apart from one reading after a major collection. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "v8/retention.h"

#define INTERVALS  30
#define SECOND     UINT64_C(1000000000)
#define SAMPLE     524288.0
#define OBJECT     20000.0
#define STARTED_NS (1000 * SECOND)

struct scene {
    struct ls_js_reading reading;
    struct ls_js_site site;
    float bytes[INTERVALS];
    uint64_t ends[INTERVALS];
};

/* A reading 30 s after the start, one interval a second. */
static void set_up(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    for (size_t i = 0; i < INTERVALS; i++)
        scene->ends[i] = STARTED_NS + (i + 1) * SECOND;
    scene->reading = (struct ls_js_reading){
        .sampling_since_ns = STARTED_NS,
        .taken_ns = scene->ends[INTERVALS - 1],
        .after_major_gc = true,
        .age_count = INTERVALS,
        .age_end_ns = scene->ends,
    };
    scene->site.age_bytes = scene->bytes;
}

/* Keeps `bytes_per_s` of what was allocated from `start_s` to `end_s`. */
static void keep(struct scene *scene, size_t start_s, size_t end_s, double bytes_per_s)
{
    double chance = 1 - exp(-OBJECT / SAMPLE);

    for (size_t i = start_s; i < end_s; i++) {
        scene->bytes[i] += (float)bytes_per_s;
        scene->site.live_bytes += bytes_per_s;
    }
    scene->site.live_count = scene->site.live_bytes / OBJECT;
    scene->site.variance_bytes = scene->site.live_count * OBJECT * OBJECT * (1 - chance) / chance;
}

static bool measure(const struct scene *scene, double warmup_s, struct ls_v8_retention *retention)
{
    return ls_v8_retention_measure(&scene->reading, &scene->site, warmup_s, retention);
}

static void a_steady_leak_is_even_and_has_its_rate(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    keep(&scene, 0, 30, 1e6);
    assert_true(measure(&scene, 0, &retention));
    assert_true(retention.even);
    assert_true(fabs(retention.kept_bytes_per_s - 1e6) < 1);
    assert_true(fabs(retention.window_s - 30) < 1e-6);
    /* 30 MB are 56 samples of 524288 + 10000 bytes; their sum is sure to one in root 56. */
    assert_true(fabs(retention.samples - 56.2) < 0.5);
    assert_true(fabs(retention.error_bytes_per_s / retention.kept_bytes_per_s - 1 / sqrt(56.2)) <
                0.01);
}

static void a_cache_that_keeps_the_last_part_is_not_even(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    keep(&scene, 20, 30, 3e6);
    assert_true(measure(&scene, 0, &retention));
    assert_false(retention.even);
}

static void what_was_loaded_at_start_is_not_even(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    keep(&scene, 0, 2, 40e6);
    assert_true(measure(&scene, 0, &retention));
    assert_false(retention.even);
}

static void a_leak_on_top_of_a_start_up_load_is_even_after_warm_up(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    keep(&scene, 0, 3, 40e6);
    keep(&scene, 3, 30, 1e6);
    assert_true(measure(&scene, 0, &retention));
    assert_false(retention.even);
    assert_true(measure(&scene, 3, &retention));
    assert_true(retention.even);
    assert_true(fabs(retention.kept_bytes_per_s - 1e6) < 1);
}

static void too_few_samples_are_no_evidence(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    keep(&scene, 0, 30, 0.15e6);
    assert_true(measure(&scene, 0, &retention));
    assert_true(retention.samples < 12);
    assert_false(retention.even);
}

static void only_a_dated_reading_after_a_major_collection_can_say(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    keep(&scene, 0, 30, 1e6);
    assert_false(measure(&scene, 31, &retention));
    scene.reading.after_major_gc = false;
    assert_false(measure(&scene, 0, &retention));
    assert_true(retention.window_s == 0);
    scene.reading.after_major_gc = true;
    scene.reading.age_count = 0;
    assert_false(measure(&scene, 0, &retention));
    set_up(&scene);
    assert_false(measure(&scene, 0, &retention));
}

/* A cache of a limited set of keys, looked up at random: it fills as 1 - exp(-t / 15 s). */
static void a_fill_that_slows_down_fades_while_it_still_passes_for_even(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    for (size_t i = 0; i < 30; i++)
        keep(&scene, i, i + 1, 8e6 * exp(-(double)i / 15));
    assert_true(measure(&scene, 0, &retention));
    assert_true(retention.even);
    assert_true(retention.fades);
}

static void a_leak_does_not_fade_after_a_busy_start(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    keep(&scene, 0, 10, 6e6);
    keep(&scene, 10, 30, 2e6);
    assert_true(measure(&scene, 0, &retention));
    assert_true(retention.even);
    assert_false(retention.fades);
}

static void few_samples_do_not_fade(void **state)
{
    struct scene scene;
    struct ls_v8_retention retention;

    (void)state;
    set_up(&scene);
    keep(&scene, 0, 10, 5 * SAMPLE / 10);
    keep(&scene, 10, 20, 3 * SAMPLE / 10);
    keep(&scene, 20, 30, 2 * SAMPLE / 10);
    assert_true(measure(&scene, 0, &retention));
    assert_false(retention.fades);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_leak_is_even_and_has_its_rate),
        cmocka_unit_test(a_cache_that_keeps_the_last_part_is_not_even),
        cmocka_unit_test(what_was_loaded_at_start_is_not_even),
        cmocka_unit_test(a_leak_on_top_of_a_start_up_load_is_even_after_warm_up),
        cmocka_unit_test(too_few_samples_are_no_evidence),
        cmocka_unit_test(only_a_dated_reading_after_a_major_collection_can_say),
        cmocka_unit_test(a_fill_that_slows_down_fades_while_it_still_passes_for_even),
        cmocka_unit_test(a_leak_does_not_fade_after_a_busy_start),
        cmocka_unit_test(few_samples_do_not_fade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
