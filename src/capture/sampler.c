#include "capture/sampler.h"

#include "base/math.h"

uint64_t ls_sampler_random(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

uint64_t ls_sampler_distance(uint64_t *state, size_t mean)
{
    /* Uniform on (0, 1], never 0: its logarithm is finite. */
    double uniform = ((double)(ls_sampler_random(state) >> 11) + 1.0) * 0x1.0p-53;
    double distance = -ls_math_log(uniform) * (double)mean;

    return (uint64_t)distance + 1;
}

double ls_sampler_weight(size_t size, size_t mean)
{
    if (mean == 0)
        return 1.0;
    if (size == 0)
        size = 1; /* it takes one byte of the countdown */
    return -1.0 / ls_math_expm1(-(double)size / (double)mean);
}
