/*
 * What the victims share. A victim is a small program that is right without the shim; it says what
 * it observed on stdout, and the runner wants the very same words and end with the shim.
 *
 * Everything goes straight to descriptor 1: no stdio buffer that a fork could print twice or an
 * _exit could lose. All of it may be called from any thread, from C and from C++.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Keeps one function a frame of its own, under its own name. */
#define VICTIM_FUNCTION __attribute__((noinline, noclone, noipa, unused))

static int victim_failures;

#define SAY(...) dprintf(STDOUT_FILENO, __VA_ARGS__)

/* A check that fails is told on stdout and turns the victim's exit code into 1. */
#define CHECK(condition) victim_check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

VICTIM_FUNCTION static void victim_check(int held, const char *what, const char *file, int line)
{
    int kept = errno;
    if (!held) {
        const char *slash = strrchr(file, '/');
        __atomic_fetch_add(&victim_failures, 1, __ATOMIC_RELAXED);
        SAY("failed: %s:%d: %s (errno %d)\n", slash ? slash + 1 : file, line, what, kept);
    }
    errno = kept;
}

VICTIM_FUNCTION static int victim_end(void)
{
    int failures = __atomic_load_n(&victim_failures, __ATOMIC_RELAXED);
    SAY("done\n");
    return failures == 0 ? 0 : 1;
}

/* The compiler must believe that the block is used. */
#define KEEP(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

/* xorshift64 (Marsaglia 2003): the same sequence in every run. */
VICTIM_FUNCTION static uint64_t victim_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

VICTIM_FUNCTION static double victim_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

VICTIM_FUNCTION static void victim_sleep_ms(long milliseconds)
{
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* Takes and gives back `count` blocks of mixed sizes, and looks whether their bytes stay. */
VICTIM_FUNCTION static void victim_churn(unsigned count)
{
    enum { SLOTS = 16 };
    unsigned char *blocks[SLOTS] = {0};
    size_t sizes[SLOTS] = {0};
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < count; i++) {
        unsigned slot = (unsigned)(victim_random(&state) % SLOTS);
        if (blocks[slot] != NULL)
            CHECK(blocks[slot][0] == (unsigned char)slot &&
                  blocks[slot][sizes[slot] - 1] == (unsigned char)slot);
        free(blocks[slot]);
        sizes[slot] = 1 + (size_t)(victim_random(&state) % 2000);
        blocks[slot] = (unsigned char *)malloc(sizes[slot]);
        CHECK(blocks[slot] != NULL);
        memset(blocks[slot], (int)slot, sizes[slot]);
    }
    for (unsigned slot = 0; slot < SLOTS; slot++)
        free(blocks[slot]);
}

/* Waits for one child: its exit code, or 1000 plus the signal that ended it, or -1. */
VICTIM_FUNCTION static int victim_wait(pid_t child)
{
    int status = 0;
    pid_t waited;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    if (waited < 0)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
