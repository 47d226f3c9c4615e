#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "capture/sampler.h"

/*
 * A fixed list of sizes goes past the sampler many times; each time its count and its bytes are
 * estimated. With p = 1 - exp(-n / mean), the estimate of N blocks of n bytes has the mean N and
 * the variance N (1 - p) / p, in blocks.
 */
#define RUNS 10000

static uint64_t random_state;

static int begin(void **state)
{
    (void)state;
    random_state = UINT64_C(0x1234567890abcdef);
    return 0;
}

struct group {
    size_t size;
    unsigned blocks;
};

struct moments {
    double sum;
    double sum_of_squares;
};

static void add(struct moments *moments, double value)
{
    moments->sum += value;
    moments->sum_of_squares += value * value;
}

/* One run as a thread does it: count down, on reaching the sample point take the block and draw. */
static void run(const struct group *groups, size_t group_count, size_t mean, int64_t *countdown,
                double *count, double *bytes)
{
    *count = 0;
    *bytes = 0;
    for (size_t g = 0; g < group_count; g++) {
        for (unsigned i = 0; i < groups[g].blocks; i++) {
            *countdown -= (int64_t)groups[g].size;
            if (*countdown > 0)
                continue;
            *count += ls_sampler_weight(groups[g].size, mean);
            *bytes += ls_sampler_weight(groups[g].size, mean) * (double)groups[g].size;
            *countdown = ls_sampler_distance(&random_state, mean);
        }
    }
}

/* The mean within 4 standard errors. The variance within 5 of its own, which follow from the fourth
 * moment of a rare event: Var(s^2) = (kurtosis - 1 + 2 / (n - 1)) sigma^4 / n, and the number of
 * samples in a run is near enough Poisson or binomial that the kurtosis is at most 3 + 1 / samples.
 */
static void check(const struct moments *moments, double expected_mean, double expected_variance,
                  double samples_a_run)
{
    double mean = moments->sum / RUNS;
    double variance = (moments->sum_of_squares - RUNS * mean * mean) / (RUNS - 1);
    double standard_error = sqrt(expected_variance / RUNS);
    double variance_error = expected_variance * sqrt((2 + 1 / samples_a_run) / RUNS);

    if (fabs(mean - expected_mean) > 4 * standard_error + 1e-9 * expected_mean ||
        fabs(variance - expected_variance) > 5 * variance_error + 1e-9 * expected_mean)
        fail_msg("mean %.10g, expected %.10g +- %.3g; variance %.6g, expected %.6g +- %.3g", mean,
                 expected_mean, standard_error, variance, expected_variance, variance_error);
}

static void check_estimates(const struct group *groups, size_t group_count, size_t sample_mean)
{
    struct moments counts = {0, 0};
    struct moments bytes = {0, 0};
    double mean_count = 0;
    double mean_bytes = 0;
    double variance_count = 0;
    double variance_bytes = 0;
    double samples = 0;
    int64_t countdown = ls_sampler_distance(&random_state, sample_mean);

    for (size_t g = 0; g < group_count; g++) {
        double size = (double)groups[g].size;
        double chance = -expm1(-size / (double)sample_mean);
        double variance = groups[g].blocks * (1 - chance) / chance;

        mean_count += groups[g].blocks;
        mean_bytes += groups[g].blocks * size;
        variance_count += variance;
        variance_bytes += variance * size * size;
        samples += groups[g].blocks * chance;
    }
    for (int i = 0; i < RUNS; i++) {
        double count;
        double sum;

        run(groups, group_count, sample_mean, &countdown, &count, &sum);
        add(&counts, count);
        add(&bytes, sum);
    }
    /* In a mix the rarest part decides the fourth moment. */
    for (size_t g = 0; g < group_count; g++) {
        double chance = -expm1(-(double)groups[g].size / (double)sample_mean);

        if (groups[g].blocks * chance < samples)
            samples = groups[g].blocks * chance;
    }
    check(&counts, mean_count, variance_count, samples);
    check(&bytes, mean_bytes, variance_bytes, samples);
}

#define HALF_MIB ((size_t)512 << 10)

static void small_blocks_are_estimated_without_bias(void **state)
{
    const struct group groups[] = {{16, 20000}};

    (void)state;
    check_estimates(groups, 1, HALF_MIB);
}

static void pages_are_estimated_without_bias(void **state)
{
    const struct group groups[] = {{4096, 500}};

    (void)state;
    check_estimates(groups, 1, HALF_MIB);
}

static void blocks_of_the_mean_are_estimated_without_bias(void **state)
{
    const struct group groups[] = {{HALF_MIB, 50}};

    (void)state;
    check_estimates(groups, 1, HALF_MIB);
}

static void large_blocks_are_all_seen(void **state)
{
    const struct group groups[] = {{(size_t)8 << 20, 20}};
    int64_t countdown = ls_sampler_distance(&random_state, HALF_MIB);
    unsigned missed = 0;

    (void)state;
    /* One in e^16 is not: in 200,000 none, but with a chance of 2 %. */
    for (int i = 0; i < RUNS; i++) {
        double count;
        double bytes;

        run(groups, 1, HALF_MIB, &countdown, &count, &bytes);
        missed += count < 20;
    }
    assert_int_equal(missed, 0);
}

static void a_mix_of_sizes_is_estimated_without_bias(void **state)
{
    const struct group groups[] = {
        {16, 5000}, {4096, 200}, {HALF_MIB, 10}, {100000, 30}, {(size_t)8 << 20, 2}};

    (void)state;
    check_estimates(groups, LS_ARRAY_LENGTH(groups), HALF_MIB);
}

/* Where rounding the distance the wrong way would show most. */
static void a_mean_of_one_byte_is_estimated_without_bias(void **state)
{
    const struct group ones[] = {{1, 100}};
    const struct group mixed[] = {{1, 50}, {2, 50}, {16, 20}};

    (void)state;
    check_estimates(ones, 1, 1);
    check_estimates(mixed, LS_ARRAY_LENGTH(mixed), 1);
    check_estimates(mixed, LS_ARRAY_LENGTH(mixed), 10);
}

static void distances_have_the_mean_and_the_tail_of_the_exponential(void **state)
{
    const size_t means[] = {1, 16, 4096, HALF_MIB, (size_t)1 << 40};
    const int draws = 200000;

    (void)state;
    for (size_t m = 0; m < LS_ARRAY_LENGTH(means); m++) {
        double mean = (double)means[m];
        double expected = 1 / -expm1(-1 / mean); /* of the exponential rounded up: geometric */
        double sum = 0;
        int beyond = 0;

        for (int i = 0; i < draws; i++) {
            int64_t distance = ls_sampler_distance(&random_state, means[m]);

            assert_true(distance >= 1);
            sum += (double)distance;
            beyond += (double)distance > ceil(3 * mean);
        }
        assert_true(fabs(sum / draws - expected) < 4 * mean / sqrt(draws));
        assert_true(fabs(beyond - draws * exp(-ceil(3 * mean) / mean)) < 4 * sqrt(draws * exp(-3)));
    }
}

static void weights_are_the_inverse_chance(void **state)
{
    const size_t sizes[] = {1, 16, 100, 4096, HALF_MIB, (size_t)8 << 20, (size_t)1 << 40};

    (void)state;
    for (size_t i = 0; i < LS_ARRAY_LENGTH(sizes); i++) {
        double exact = 1 / -expm1(-(double)sizes[i] / (double)HALF_MIB);

        assert_true(fabs(ls_sampler_weight(sizes[i], HALF_MIB) / exact - 1) < 1e-12);
        assert_true(ls_sampler_weight(sizes[i], 0) == 1.0);
    }
    assert_true(ls_sampler_weight(SIZE_MAX, HALF_MIB) == 1.0);
}

static void an_empty_block_weighs_as_much_as_one_byte(void **state)
{
    (void)state;
    assert_true(ls_sampler_weight(0, HALF_MIB) == ls_sampler_weight(1, HALF_MIB));
}

/* Reference values of https://prng.di.unimi.it/splitmix64.c for the state 1234567. */
static void random_numbers_are_those_of_splitmix64(void **state)
{
    uint64_t seed = 1234567;

    (void)state;
    assert_int_equal(ls_sampler_random(&seed), UINT64_C(6457827717110365317));
    assert_int_equal(ls_sampler_random(&seed), UINT64_C(3203168211198807973));
    assert_int_equal(ls_sampler_random(&seed), UINT64_C(9817491932198370423));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(small_blocks_are_estimated_without_bias, begin),
        cmocka_unit_test_setup(pages_are_estimated_without_bias, begin),
        cmocka_unit_test_setup(blocks_of_the_mean_are_estimated_without_bias, begin),
        cmocka_unit_test_setup(large_blocks_are_all_seen, begin),
        cmocka_unit_test_setup(a_mix_of_sizes_is_estimated_without_bias, begin),
        cmocka_unit_test_setup(a_mean_of_one_byte_is_estimated_without_bias, begin),
        cmocka_unit_test_setup(distances_have_the_mean_and_the_tail_of_the_exponential, begin),
        cmocka_unit_test_setup(weights_are_the_inverse_chance, begin),
        cmocka_unit_test_setup(an_empty_block_weighs_as_much_as_one_byte, begin),
        cmocka_unit_test(random_numbers_are_those_of_splitmix64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
