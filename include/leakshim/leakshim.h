/*
 * leakshim: which callsites of this process keep growing.
 *
 * Link with -lleakshim, or preload the library and call nothing. Every function here is a harmless
 * no-op when the library is not active (mode=off, a set-uid program, a program that `only` leaves
 * out, or a build that links the library but runs under another preload of it).
 *
 * Options come from the environment variable LEAKSHIM_OPTIONS; see libleakshim.so(7).
 * All functions may be called from any thread; none from a signal handler or a vfork child.
 */
#ifndef LEAKSHIM_LEAKSHIM_H
#define LEAKSHIM_LEAKSHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LEAKSHIM_API __attribute__((visibility("default")))

/* What is tracked at this moment, and what it cost. */
struct leakshim_stats {
    size_t size;             /* in: sizeof(struct leakshim_stats), so that the struct may grow */
    uint64_t live_bytes;     /* heap blocks alive, requested bytes; an estimate when sampled */
    uint64_t live_count;     /* heap blocks alive */
    uint64_t acquired_bytes; /* heap bytes ever asked for */
    uint64_t acquired_count;
    uint64_t sites;         /* distinct callsites of all kinds */
    uint64_t rising_sites;  /* as of the last summary */
    uint64_t lost_acquires; /* resources that could not be tracked */
    uint64_t lost_releases; /* releases that could not be accounted */
    uint64_t own_bytes;     /* memory the library uses for itself */
};

/*
 * Starts tracking in a process that was started with start=off, or goes on after leakshim_stop.
 * Returns 0 when tracking is on afterwards, -ENOTSUP when the library is off for good in this
 * process, -ENOMEM or another -errno when it could not start. May block for some milliseconds.
 */
LEAKSHIM_API int leakshim_start(void);

/*
 * Stops tracking new acquisitions; releases of what is tracked are still accounted, and summaries
 * go on. Returns 0, or -ENOTSUP when the library is not active.
 */
LEAKSHIM_API int leakshim_stop(void);

/*
 * Writes a summary now and returns when it is on disk. Returns 0, -ENOTSUP when the library is not
 * active, -ETIMEDOUT when it took longer than 10 s, or the -errno of the write.
 */
LEAKSHIM_API int leakshim_flush(void);

/*
 * Fills *stats as of now. `stats->size` must be set. Returns 0, -EINVAL for a size of 0, or
 * -ENOTSUP when the library is not active (then all figures are 0).
 */
LEAKSHIM_API int leakshim_stats(struct leakshim_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
