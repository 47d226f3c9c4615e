#include "trend/cycles.h"

/* A rise that took one step for more than this share of its height is a jump. */
#define JUMP_SHARE 0.7

unsigned ls_cycles_count(const struct ls_track *track, size_t first, size_t end, double height)
{
    unsigned count = 0;
    double low;
    double high;
    double largest_step = 0.0;

    if (first >= end)
        return 0;
    low = track->value[first];
    high = low;
    for (size_t i = first + 1; i < end; i++) {
        double value = track->value[i];
        double step = value - track->value[i - 1];
        bool tooth;

        if (step > largest_step)
            largest_step = step;
        if (value > high)
            high = value;
        tooth = high - low >= height && high - value >= height;
        if (tooth && largest_step <= JUMP_SHARE * (high - low))
            count++;
        if (tooth || value <= low) {
            low = value;
            high = value;
            largest_step = 0.0;
        }
    }
    return count;
}
