/*
 * base/math against libm on grids that cross every branch, with the error bounds the header names.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/math.h"

static double relative_error(double value, double reference)
{
    if (value == reference)
        return 0.0;
    return fabs(value - reference) / fabs(reference);
}

static void logarithm_agrees_with_libm_from_the_smallest_to_the_largest_number(void **state)
{
    double worst = 0.0;

    (void)state;
    for (double power = -1074.0; power < 1024.0; power += 0.0137) {
        double x = exp2(power);

        worst = fmax(worst, relative_error(ls_math_log(x), log(x)));
    }
    assert_true(worst < 1e-14);
}

static void logarithm_keeps_its_accuracy_next_to_one(void **state)
{
    double worst = 0.0;

    (void)state;
    for (double distance = 1e-15; distance < 1.0; distance *= 1.01) {
        worst = fmax(worst, relative_error(ls_math_log(1.0 + distance), log(1.0 + distance)));
        worst = fmax(worst, relative_error(ls_math_log(1.0 - distance), log(1.0 - distance)));
    }
    assert_true(worst < 1e-14);
    assert_true(ls_math_log(1.0) == 0.0);
}

static void logarithm_outside_its_domain_is_what_libm_says(void **state)
{
    (void)state;
    assert_true(isinf(ls_math_log(0.0)) && ls_math_log(0.0) < 0.0);
    assert_true(isnan(ls_math_log(-1.0)));
    assert_true(isnan(ls_math_log(NAN)));
    assert_true(isinf(ls_math_log(INFINITY)));
}

static void exponential_agrees_with_libm(void **state)
{
    double worst = 0.0;

    (void)state;
    for (double x = -708.0; x < 709.7; x += 0.00371)
        worst = fmax(worst, relative_error(ls_math_exp(x), exp(x)));
    assert_true(worst < 1e-14);
}

static void exponential_ends_in_infinity_above_and_zero_below(void **state)
{
    (void)state;
    assert_true(isinf(ls_math_exp(710.0)));
    assert_true(isinf(ls_math_exp(INFINITY)));
    assert_true(ls_math_exp(-746.0) == 0.0);
    assert_true(ls_math_exp(-INFINITY) == 0.0);
    assert_true(isnan(ls_math_exp(NAN)));
    assert_true(ls_math_exp(-740.0) > 0.0);
    assert_true(relative_error(ls_math_exp(-740.0), exp(-740.0)) < 1e-2);
    assert_true(ls_math_exp(0.0) == 1.0);
}

static void exponential_less_one_does_not_cancel_near_zero(void **state)
{
    double worst = 0.0;

    (void)state;
    for (double x = 1e-300; x < 700.0; x *= 1.013) {
        worst = fmax(worst, relative_error(ls_math_expm1(x), expm1(x)));
        worst = fmax(worst, relative_error(ls_math_expm1(-x), expm1(-x)));
    }
    assert_true(worst < 1e-14);
    assert_true(ls_math_expm1(0.0) == 0.0);
}

static void square_root_is_the_square_root(void **state)
{
    (void)state;
    for (double x = 1e-300; x < 1e300; x *= 1.37)
        assert_true(ls_math_sqrt(x) == sqrt(x));
}

static void normal_tail_agrees_with_erfc_far_into_the_tail(void **state)
{
    double worst = 0.0;

    (void)state;
    for (double z = -38.0; z < 37.0; z += 0.00173)
        worst = fmax(worst, relative_error(ls_math_normal_tail(z), 0.5 * erfc(z / sqrt(2.0))));
    assert_true(worst < 1e-10);
    assert_true(ls_math_normal_tail(0.0) == 0.5);
    assert_true(ls_math_normal_tail(INFINITY) == 0.0);
    assert_true(ls_math_normal_tail(-INFINITY) == 1.0);
    assert_true(isnan(ls_math_normal_tail(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithm_agrees_with_libm_from_the_smallest_to_the_largest_number),
        cmocka_unit_test(logarithm_keeps_its_accuracy_next_to_one),
        cmocka_unit_test(logarithm_outside_its_domain_is_what_libm_says),
        cmocka_unit_test(exponential_agrees_with_libm),
        cmocka_unit_test(exponential_ends_in_infinity_above_and_zero_below),
        cmocka_unit_test(exponential_less_one_does_not_cancel_near_zero),
        cmocka_unit_test(square_root_is_the_square_root),
        cmocka_unit_test(normal_tail_agrees_with_erfc_far_into_the_tail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
