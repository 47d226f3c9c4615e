/*
 * What the stress tests share: how long to run, and a random source for each thread. Fixed seeds:
 * the schedule is the machine's, the decisions are the same in every run.
 */
#ifndef LS_TESTS_STRESS_H
#define LS_TESTS_STRESS_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline double stress_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Seconds for each test of a program. */
static inline double stress_seconds(void)
{
    const char *text = getenv("LS_STRESS_SECONDS");
    double seconds = text == NULL ? 0 : strtod(text, NULL);

    return seconds > 0 ? seconds : 3;
}

/* Xorshift: https://www.jstatsoft.org/article/view/v008i14 */
static inline uint64_t stress_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
