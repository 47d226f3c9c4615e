/*
 * What the programs of the corpus share: a steady clock, work that is due by it, and a choice of
 * cases by name. Work is owed by the clock and not by turns of a loop, so a busy machine delays it
 * and changes no total.
 */
#ifndef VERDICT_SERVICE_H
#define VERDICT_SERVICE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A function the labels name: it keeps a frame of its own. */
#define SITE __attribute__((noinline, noclone))

struct service_case {
    const char *name;
    void (*run)(void); /* never returns */
};

/* Ends the program with a line on stderr where something failed that the case rests on. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            perror(#condition);                                                                    \
            exit(3);                                                                               \
        }                                                                                          \
    } while (0)

static inline double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Of the first call: the start of the case. */
static inline double seconds_running(void)
{
    static double start;

    if (start == 0)
        start = seconds_now();
    return seconds_now() - start;
}

struct pace {
    double last_s;
    double owed;
};

/* How many pieces of work have become due at that rate a second since the call before. */
static inline unsigned due(struct pace *pace, double rate)
{
    double now = seconds_running();
    unsigned pieces;

    pace->owed += (now - pace->last_s) * rate;
    pace->last_s = now;
    pieces = (unsigned)pace->owed;
    pace->owed -= pieces;
    return pieces;
}

static inline void pause_seconds(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    nanosleep(&time, NULL);
}

/* A tick of the services' loops. */
static inline void tick(void)
{
    pause_seconds(0.01);
}

/* For ever, at that rate a second; so many at once to begin with. */
static inline void serve_from(double at_once, double rate, void (*step)(void))
{
    struct pace pace = {0, at_once};

    for (;;) {
        for (unsigned left = due(&pace, rate); left > 0; left--)
            step();
        tick();
    }
}

static inline void serve(double rate, void (*step)(void))
{
    serve_from(0, rate, step);
}

/* The same numbers in every run, so that a case is the same in every run. */
static inline uint32_t chance(uint32_t below)
{
    static __thread uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

/* A block whose pages are touched: reserved is not used. */
static inline void *filled(void *block, size_t bytes)
{
    CHECK(block != NULL);
    memset(block, 0x5a, bytes);
    return block;
}

static inline int run_case(const struct service_case *cases, size_t count, int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < count; i++) {
        if (strcmp(argv[1], cases[i].name) == 0) {
            seconds_running();
            CHECK(write(STDOUT_FILENO, "begun\n", 6) == 6);
            cases[i].run();
        }
    }
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s\n", cases[i].name);
    return 2;
}

#define RUN_CASE(cases, argc, argv) run_case(cases, sizeof(cases) / sizeof((cases)[0]), argc, argv)

#endif
