/*
 * What the workloads share: arguments, random numbers, blocks the compiler must not reason away,
 * and the line each prints when it is done:
 *
 *   operations COUNT nanoseconds WALL cpu_nanoseconds CPU checksum VALUE
 *
 * Arguments come in pairs, `--name NUMBER`. With the same arguments the checksum is the same in
 * every run, whatever the addresses and however the threads take turns. The times are those of the
 * part between workload_start and workload_done; CPU is of all threads of the process.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone))

/* The compiler takes the value for used and changed, so no allocation and no frame is optimised
 * out. */
#define KEEP(value) __asm__ volatile("" : "+r"(value) : : "memory")

/* The most threads a workload starts. */
#define WORKLOAD_THREADS 64

/* For what one thread writes: were it in a cache line of another's, a tool that moves blocks in
 * memory would change what the threads cost each other. */
#define OWN_LINES __attribute__((aligned(128)))

struct workload_clock {
    uint64_t wall_ns;
    uint64_t cpu_ns;
};

static inline uint64_t workload_read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline struct workload_clock workload_start(void)
{
    struct workload_clock clock = {
        .wall_ns = workload_read_clock(CLOCK_MONOTONIC),
        .cpu_ns = workload_read_clock(CLOCK_PROCESS_CPUTIME_ID),
    };

    return clock;
}

static inline int workload_done(struct workload_clock start, uint64_t operations, uint64_t checksum)
{
    uint64_t wall_ns = workload_read_clock(CLOCK_MONOTONIC) - start.wall_ns;
    uint64_t cpu_ns = workload_read_clock(CLOCK_PROCESS_CPUTIME_ID) - start.cpu_ns;

    printf("operations %" PRIu64 " nanoseconds %" PRIu64 " cpu_nanoseconds %" PRIu64
           " checksum %016" PRIx64 "\n",
           operations, wall_ns, cpu_ns, checksum);
    return 0;
}

static inline void workload_fail(const char *reason)
{
    fprintf(stderr, "%s\n", reason);
    exit(1);
}

/* The number after `--name`, or the fallback when it is not given. */
static inline long workload_option(int count, char **values, const char *name, long fallback)
{
    for (int i = 1; i + 1 < count; i += 2) {
        if (strncmp(values[i], "--", 2) == 0 && strcmp(values[i] + 2, name) == 0)
            return strtol(values[i + 1], NULL, 10);
    }
    return fallback;
}

/* xorshift64*: https://www.jstatsoft.org/article/view/v008i14 and Vigna 2016. The state must not
 * be 0. */
static inline uint64_t workload_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* A block that must be there. */
static inline void *workload_allocate(size_t size)
{
    void *block = malloc(size);

    if (block == NULL)
        workload_fail("out of memory");
    return block;
}

static inline uint64_t workload_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

#endif
