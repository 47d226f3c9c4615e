#include "trend/slope.h"

#include <stdbool.h>

#include "trend/trend.h"

#define PAIRS_MAX (LS_TREND_POINTS_MAX * (LS_TREND_POINTS_MAX - 1) / 2)

/* Hoare's selection (https://doi.org/10.1145/366622.366647): linear on average, in place. */
double ls_slope_select(double *values, size_t count, size_t rank)
{
    size_t low = 0;
    size_t high = count - 1;

    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t left = low;
        size_t right = high;
        double swapped;

        for (;;) {
            while (values[left] < pivot)
                left++;
            while (pivot < values[right])
                right--;
            if (left >= right)
                break;
            swapped = values[left];
            values[left++] = values[right];
            values[right--] = swapped;
        }
        /* What is left of `left` is not above the pivot, what is right of it not below. */
        if (left == right && values[left] <= pivot)
            left++;
        if (rank < left)
            high = left - 1;
        else
            low = left;
    }
    return values[rank];
}

double ls_slope_median(double *values, size_t count)
{
    double upper;
    double lower;

    if (count == 0)
        return 0.0;
    upper = ls_slope_select(values, count, count / 2);
    if (count % 2 == 1)
        return upper;
    lower = values[0];
    for (size_t i = 1; i < count / 2; i++) {
        if (values[i] > lower)
            lower = values[i];
    }
    return lower + (upper - lower) / 2.0;
}

static bool is_flat(const double *values, size_t count)
{
    size_t i = 1;

    while (i < count && values[i] == values[0])
        i++;
    return i >= count;
}

double ls_trend_slope(const double *times, const double *values, size_t count)
{
    double slopes[PAIRS_MAX];
    size_t pairs = 0;

    if (count > LS_TREND_POINTS_MAX)
        count = LS_TREND_POINTS_MAX;
    /* Most sites of a process hold what they took at its start: their pairs need not be looked at.
     */
    if (is_flat(values, count))
        return 0.0;
    for (size_t later = 1; later < count; later++) {
        for (size_t earlier = 0; earlier < later; earlier++) {
            double slope = (values[later] - values[earlier]) / (times[later] - times[earlier]);

            /* Equal times and unusable readings give no slope, and NaN cannot be ordered. */
            if (slope - slope == 0.0)
                slopes[pairs++] = slope;
        }
    }
    return ls_slope_median(slopes, pairs);
}
