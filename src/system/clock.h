/*
 * Clocks. Each is one call into the vDSO; safe anywhere, also in signal handlers.
 */
#ifndef LS_SYSTEM_CLOCK_H
#define LS_SYSTEM_CLOCK_H

#include <stdint.h>
#include <time.h>

#define LS_NS_PER_S UINT64_C(1000000000)

static inline uint64_t ls_clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * LS_NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t ls_clock_monotonic_ns(void)
{
    return ls_clock_ns(CLOCK_MONOTONIC);
}

/* A few milliseconds coarse, several times cheaper: for the ages of blocks. */
static inline uint64_t ls_clock_coarse_ns(void)
{
    return ls_clock_ns(CLOCK_MONOTONIC_COARSE);
}

#endif
