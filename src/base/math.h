/*
 * The few elementary functions the library needs, without libm: the shared library may depend on
 * libc alone. Pure functions of their argument: no errno, no floating-point environment, safe
 * anywhere, also inside malloc and in a signal handler.
 *
 * Error bounds are relative and hold on the whole domain named; tests/unit/test_math.c checks them
 * against libm.
 */
#ifndef LS_BASE_MATH_H
#define LS_BASE_MATH_H

#include <stdbool.h>

/*
 * Natural logarithm of x in (0, inf), subnormal numbers included; error under 1e-14. -infinity at
 * 0, NaN below. With x = 2^k m and m in [1/sqrt 2, sqrt 2), log x = k log 2 + 2 artanh f where
 * f = (m - 1) / (m + 1) (https://dlmf.nist.gov/4.6.E4), summed until its terms vanish.
 */
double ls_math_log(double x);

/*
 * e^x; error under 1e-14 where the result is a normal number. Overflows to infinity, underflows
 * through the subnormal numbers to 0. x = k log 2 + r with |r| <= log(2) / 2, then the Taylor
 * series of e^r (https://dlmf.nist.gov/4.2.E19) times 2^k.
 */
double ls_math_exp(double x);

/*
 * e^x - 1 without the cancellation near 0; error under 1e-14. The chance that a block of n bytes
 * is sampled, 1 - e^(-n/S), is -ls_math_expm1(-n/S). The Taylor series without its first term for
 * |x| < 0.35, else the difference itself.
 */
double ls_math_expm1(double x);

/* Square root: one instruction, exact to rounding. NaN below 0. */
static inline double ls_math_sqrt(double x)
{
    return __builtin_sqrt(x);
}

/* Neither NaN nor infinite, and above 0. */
static inline bool ls_math_is_positive(double x)
{
    return x > 0.0 && x - x == 0.0;
}

/*
 * The chance that a standard normal variable exceeds z; error under 1e-10 from z = -38 to where
 * the result is no longer a normal number (z about 37). Below z = 3 the power series of
 * https://personal.math.ubc.ca/~cbm/aands/page_932.htm 26.2.11, above it the continued fraction
 * 26.2.14, which converges the faster the larger z is.
 */
double ls_math_normal_tail(double z);

/* The standard normal variable as unlikely as a Student one: D. L. Wallace, Annals of Mathematical
 * Statistics 30 (1959), pages 1121 to 1130. `degrees` above 0. */
double ls_math_student_score(double student, double degrees);

#endif
