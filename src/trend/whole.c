#include "trend/whole.h"

#include "base/math.h"

/* A gain of which less than this share is in the whole is none. */
#define LACKING_SHARE 0.25
/* By so many standard errors it is not there. A wrong yes silences a leak for some readings. */
#define LACKING_SCORE 2.0
/* Few readings tell their scatter badly: it counts as if as many degrees of freedom more had shown
 * this much, which is what a calm server's heap scatters by. */
#define PRIOR_DEGREES 4.0
#define PRIOR_BYTES   (256.0 * 1024)
/* Of a gain as large no two readings of a heap differ by chance: what is in flight when one is made
 * fits into V8's young generation. */
#define CERTAIN_BYTES (8.0 * 1024 * 1024)

static uint32_t first_since(const struct ls_history *whole, double since_s)
{
    uint32_t first = 0;

    while (first + 1 < whole->count && ls_history_time(&whole->points[first + 1]) <= since_s)
        first++;
    return first;
}

/* How far a reading is from the line between its neighbours, squared, in units of the variance of
 * one reading: growth and its bends are no scatter. */
static double squared_residual(const struct ls_history_point *point)
{
    double before_s = ls_history_time(point) - ls_history_time(point - 1);
    double after_s = ls_history_time(point + 1) - ls_history_time(point);
    double weight = before_s + after_s > 0 ? after_s / (before_s + after_s) : 0.5;
    double residual = (double)point->live_bytes - weight * (double)point[-1].live_bytes -
                      (1 - weight) * (double)point[1].live_bytes;

    return residual * residual / (1 + weight * weight + (1 - weight) * (1 - weight));
}

static double rise(const struct ls_history *whole, uint32_t first, double since_s)
{
    double middle_s = (since_s + ls_history_time(&whole->points[whole->count - 1])) / 2;
    double least = (double)whole->points[first].live_bytes;
    double most = 0;

    for (uint32_t i = first; i < whole->count; i++) {
        double bytes = (double)whole->points[i].live_bytes;

        if (ls_history_time(&whole->points[i]) <= middle_s && bytes < least)
            least = bytes;
        if (ls_history_time(&whole->points[i]) >= middle_s && bytes > most)
            most = bytes;
    }
    return most > least ? most - least : 0;
}

void ls_whole_add(struct ls_whole_gain *gain, const struct ls_history *whole, double since_s)
{
    uint32_t first;
    double degrees = PRIOR_DEGREES;
    double sum = PRIOR_DEGREES * PRIOR_BYTES * PRIOR_BYTES;

    if (whole->count == 0)
        return;
    first = first_since(whole, since_s);
    gain->bytes += rise(whole, first, since_s);
    if (whole->count - first < 2)
        return;
    /* Neighbouring residuals share two of their three readings: each is two thirds of a degree. */
    for (uint32_t i = first + 1; i + 1 < whole->count; i++) {
        sum += squared_residual(&whole->points[i]) * 2 / 3;
        degrees += 2.0 / 3;
    }
    /* The gain is the difference of two readings. */
    gain->variance += 2 * sum / degrees;
    gain->degrees += degrees;
}

bool ls_whole_lacks(const struct ls_whole_gain *gain, double part_bytes, double part_variance)
{
    double missing = part_bytes - gain->bytes;
    double variance = gain->variance + part_variance;

    if (gain->bytes >= LACKING_SHARE * part_bytes)
        return false;
    if (part_bytes >= CERTAIN_BYTES)
        return true;
    if (gain->degrees <= 0)
        return false;
    return variance <= 0 ||
           ls_math_student_score(missing / ls_math_sqrt(variance), gain->degrees) >= LACKING_SCORE;
}
