/*
 * malloc and free of one block, over and over, at a given stack depth: what a call costs when the
 * program does nothing else.
 *
 *   --pairs N      pairs of each thread
 *   --size BYTES   of a block
 *   --depth N      frames between the thread's first function and the loop
 *   --walk N       of these the innermost N are entered anew for each pair, as a program does that
 *                  calls down to where it allocates; 0: the loop stays at the bottom
 *   --callsites N  calls of malloc the loop takes turns with, 1 to 16
 *   --threads N    that do all of it side by side
 */
#include <pthread.h>

#include "workload.h"

static long pair_count, block_size, stack_depth, walk_depth, callsite_count, thread_count;

/* One call of malloc with a return address of its own: the number in the assembly keeps the
 * compiler from folding the sixteen into one. */
#define CALLSITE(number)                                                                           \
    case number:                                                                                   \
        block = malloc((size_t)block_size);                                                        \
        __asm__ volatile("" : "+r"(block) : "i"(number) : "memory");                               \
        break;

static inline __attribute__((always_inline)) void one_pair(long callsite)
{
    char *block = NULL;

    switch (callsite) {
        CALLSITE(0)
        CALLSITE(1)
        CALLSITE(2)
        CALLSITE(3)
        CALLSITE(4)
        CALLSITE(5)
        CALLSITE(6)
        CALLSITE(7)
        CALLSITE(8)
        CALLSITE(9)
        CALLSITE(10)
        CALLSITE(11)
        CALLSITE(12)
        CALLSITE(13)
        CALLSITE(14)
        CALLSITE(15)
    }
    if (block == NULL)
        workload_fail("out of memory");
    *block = 1;
    KEEP(block);
    free(block);
}

/* KEEP after each inner call makes it an ordinary call: a call in last place would become a jump,
 * and the frame would be gone. */
static NOINLINE long walk(long depth, long callsite)
{
    long frames = 1;

    if (depth <= 1)
        one_pair(callsite);
    else
        frames += walk(depth - 1, callsite);
    KEEP(frames);
    return frames;
}

static NOINLINE long loop(void)
{
    long frames = 0;
    long callsite = 0;

    for (long i = 0; i < pair_count; i++) {
        if (walk_depth > 0)
            frames = walk(walk_depth, callsite);
        else
            one_pair(callsite);
        if (++callsite == callsite_count)
            callsite = 0;
    }
    return frames;
}

static NOINLINE long descend(long depth)
{
    long frames = 1;

    frames += depth <= 1 ? loop() : descend(depth - 1);
    KEEP(frames);
    return frames;
}

static void *work(void *context)
{
    long *frames = context;

    *frames = descend(stack_depth - walk_depth);
    return NULL;
}

int main(int count, char **values)
{
    pthread_t threads[WORKLOAD_THREADS];
    long frames[WORKLOAD_THREADS] = {0};
    uint64_t checksum = 0;
    struct workload_clock start;

    pair_count = workload_option(count, values, "pairs", 1000000);
    block_size = workload_option(count, values, "size", 64);
    stack_depth = workload_option(count, values, "depth", 5);
    walk_depth = workload_option(count, values, "walk", 0);
    callsite_count = workload_option(count, values, "callsites", 1);
    thread_count = workload_option(count, values, "threads", 1);
    if (thread_count < 1 || thread_count > WORKLOAD_THREADS || callsite_count < 1 ||
        callsite_count > 16 || block_size < 1 || walk_depth >= stack_depth)
        workload_fail("pairs: an argument is out of range");

    start = workload_start();
    if (thread_count == 1) {
        work(&frames[0]);
    } else {
        for (long i = 0; i < thread_count; i++)
            if (pthread_create(&threads[i], NULL, work, &frames[i]) != 0)
                workload_fail("pairs: no thread");
        for (long i = 0; i < thread_count; i++)
            pthread_join(threads[i], NULL);
    }
    for (long i = 0; i < thread_count; i++)
        checksum = workload_mix(checksum, (uint64_t)frames[i]);
    return workload_done(start, (uint64_t)(pair_count * thread_count), checksum);
}
