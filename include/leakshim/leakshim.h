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

/*
 * A resource of the program's own: a listener, an entry of a cache, an item in a queue. It is a
 * site of kind `custom` under the function that calls this, judged like any other. `bytes` is what
 * it holds, 0 for what is only counted. Returns a handle, 0 when it is not tracked: the library is
 * not active, `track` leaves custom resources out, or there is no room (counted in lost_acquires).
 * Never blocks; takes a fraction of a microsecond to some microseconds. Keeps errno.
 */
LEAKSHIM_API uint64_t leakshim_acquire(size_t bytes);

/*
 * The same with a name for what it is: "listeners", "cache entries". The summary shows it beside
 * the site ("custom: listeners"), and what is acquired under two names at one place is two sites.
 * The name is copied at its first use, up to 31 bytes of UTF-8; 64 names are told apart in a
 * process, those that come later are "other". NULL and "" are leakshim_acquire.
 */
LEAKSHIM_API uint64_t leakshim_acquire_named(const char *kind, size_t bytes);

/*
 * Before the resource goes, once for each handle, on any thread; a handle must not be used after.
 * 0 is allowed and does nothing. Also in a forked child, which goes on with the parent's handles as
 * its own. Never blocks. Keeps errno.
 */
LEAKSHIM_API void leakshim_release(uint64_t handle);

/* What is alive of each kind. Heap figures are estimates in sampled mode; all else is exact. */
struct leakshim_live {
    size_t size;        /* in: sizeof(struct leakshim_live), so that the struct may grow */
    int64_t taken_ns;   /* CLOCK_MONOTONIC; of a growth: nanoseconds it took */
    int64_t heap_bytes; /* requested bytes */
    int64_t heap_count; /* blocks */
    int64_t thread_count;
    int64_t socket_count;
    int64_t file_count;   /* descriptors that are no sockets */
    int64_t custom_bytes; /* leakshim_acquire */
    int64_t custom_count;
};

/*
 * Remembers what is alive now, to measure from. `mark->size` must be set; the memory is the
 * caller's, and there may be any number of marks. Returns 0, -EINVAL for a size of 0, or -ENOTSUP
 * when the library is not active (then all figures are 0). Waits for the collector, at most a
 * second.
 */
LEAKSHIM_API int leakshim_mark(struct leakshim_live *mark);

/*
 * What is alive now less what was at the mark, by kind; negative where more was released. With
 * mode=exact a test asserts that a loop leaks nothing:
 *
 *     struct leakshim_live mark = {.size = sizeof(mark)}, growth = {.size = sizeof(growth)};
 *     leakshim_mark(&mark);
 *     for (int i = 0; i < 1000; i++)
 *         handle_request();
 *     assert(leakshim_growth_since(&mark, &growth) == 0 && growth.heap_bytes == 0);
 *
 * Returns as leakshim_mark. Of two structs of different sizes the members both have are compared.
 */
LEAKSHIM_API int leakshim_growth_since(const struct leakshim_live *mark,
                                       struct leakshim_live *growth);

#ifdef __cplusplus
}
#endif

#endif
