#include "base/math.h"

#include <stdint.h>
#include <string.h>

#define SQRT_TWO   1.41421356237309504880
#define TWO_TO_54  18014398509481984.0
#define TAU_ROOT   2.50662827463100050242 /* sqrt(2 pi) */
#define LOG_OF_TWO 0.69314718055994530942
/* log 2 in two parts: the first has 21 trailing zero bits, so k times it is exact for every
 * exponent k, and the second carries the rest. */
#define LOG_OF_TWO_HIGH 0x1.62e42feep-1
#define LOG_OF_TWO_LOW  0x1.a39ef35793c76p-33

static uint64_t bits_of(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static double from_bits(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

double ls_math_log(double x)
{
    int exponent = 0;
    double mantissa;
    double ratio;
    double square;
    double sum = 0.0;

    if (!(x > 0.0))
        return x == 0.0 ? -__builtin_inf() : __builtin_nan("");
    if (x > __DBL_MAX__)
        return x;
    if (x < __DBL_MIN__) {
        x *= TWO_TO_54;
        exponent = -54;
    }
    exponent += (int)(bits_of(x) >> 52) - 1023;
    mantissa =
        from_bits((bits_of(x) & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000));
    if (mantissa > SQRT_TWO) {
        mantissa *= 0.5;
        exponent++;
    }
    ratio = (mantissa - 1.0) / (mantissa + 1.0);
    square = ratio * ratio;
    /* square <= 0.0295: the term left out is under 1e-18 of the sum. */
    for (int power = 23; power >= 1; power -= 2)
        sum = sum * square + 1.0 / power;
    return exponent * LOG_OF_TWO_HIGH + (exponent * LOG_OF_TWO_LOW + 2.0 * ratio * sum);
}

/* (e^r - 1) / r for |r| <= 0.36; the term left out is under 1e-19. */
static double exp_remainder(double r)
{
    double sum = 1.0;

    for (int divisor = 15; divisor >= 2; divisor--)
        sum = 1.0 + sum * r / divisor;
    return sum;
}

static double power_of_two(int exponent)
{
    return from_bits((uint64_t)(exponent + 1023) << 52);
}

double ls_math_exp(double x)
{
    double scaled = x / LOG_OF_TWO;
    double remainder;
    double result;
    int exponent;

    if (x != x)
        return x;
    if (x > 709.79)
        return __builtin_inf();
    if (x < -745.2)
        return 0.0;
    exponent = (int)(scaled + (scaled < 0.0 ? -0.5 : 0.5));
    remainder = (x - exponent * LOG_OF_TWO_HIGH) - exponent * LOG_OF_TWO_LOW;
    result = 1.0 + remainder * exp_remainder(remainder);
    /* In two steps: 2^1024 and 2^-1074 are not normal numbers though the result may be. */
    return result * power_of_two(exponent / 2) * power_of_two(exponent - exponent / 2);
}

double ls_math_expm1(double x)
{
    if (x > -0.35 && x < 0.35)
        return x * exp_remainder(x);
    return ls_math_exp(x) - 1.0;
}

double ls_math_normal_tail(double z)
{
    double density;

    if (z != z)
        return z;
    if (z < 0.0)
        return 1.0 - ls_math_normal_tail(-z);
    if (z > 40.0)
        return 0.0;
    density = ls_math_exp(-0.5 * z * z) / TAU_ROOT;
    if (z < 3.0) {
        double term = z;
        double sum = z;

        for (int odd = 3; term > 1e-17 * sum; odd += 2) {
            term *= z * z / odd;
            sum += term;
        }
        return 0.5 - density * sum;
    }
    {
        double fraction = z;

        for (int numerator = 80; numerator >= 1; numerator--)
            fraction = z + numerator / fraction;
        return density / fraction;
    }
}

double ls_math_student_score(double student, double degrees)
{
    double score = ls_math_sqrt(degrees * ls_math_log(1.0 + student * student / degrees)) *
                   (8.0 * degrees + 1.0) / (8.0 * degrees + 3.0);

    return student < 0.0 ? -score : score;
}
