/*
 * Threads that each replace blocks of small random sizes in an array of live ones, as a server does
 * with the state of its requests. After a number of replacements a thread ends, and its successor
 * goes on with its blocks: most of these are freed by a thread that did not allocate them.
 *
 *   --threads N        at a time
 *   --blocks N         live in each
 *   --largest BYTES    sizes are 8 to this, small ones more often
 *   --replacements N   of each thread until it ends
 *   --generations N    threads that follow each other
 */
#include <pthread.h>

#include "workload.h"

struct line {
    pthread_t thread;
    uint64_t random;
    uint64_t sum;
    uint64_t **blocks;
} OWN_LINES;

static struct line lines[WORKLOAD_THREADS];

static long thread_count, block_count, largest, replacement_count, generation_count;

static void replace(struct line *line)
{
    uint64_t random = workload_random(&line->random);
    uint64_t **place = &line->blocks[random % (uint64_t)block_count];
    uint64_t span = (uint64_t)largest >> (random >> 32 & 3);
    size_t size = 8 + (random >> 34) % span;

    if (*place != NULL) {
        line->sum += **place;
        free(*place);
    }
    *place = workload_allocate(size);
    **place = size;
}

static void *work(void *context)
{
    struct line *line = context;

    for (long i = 0; i < replacement_count; i++)
        replace(line);
    return NULL;
}

int main(int count, char **values)
{
    uint64_t checksum = 0;
    struct workload_clock start = workload_start();

    thread_count = workload_option(count, values, "threads", 2);
    block_count = workload_option(count, values, "blocks", 1000);
    largest = workload_option(count, values, "largest", 1000);
    replacement_count = workload_option(count, values, "replacements", 100000);
    generation_count = workload_option(count, values, "generations", 10);
    if (thread_count < 1 || thread_count > WORKLOAD_THREADS || block_count < 1 || largest < 8)
        workload_fail("random_threads: an argument is out of range");

    for (long i = 0; i < thread_count; i++) {
        lines[i].random = 0x9e3779b97f4a7c15u + (uint64_t)i;
        lines[i].blocks = calloc((size_t)block_count, sizeof(*lines[i].blocks));
        if (lines[i].blocks == NULL)
            workload_fail("out of memory");
    }
    for (long generation = 0; generation < generation_count; generation++) {
        for (long i = 0; i < thread_count; i++)
            if (pthread_create(&lines[i].thread, NULL, work, &lines[i]) != 0)
                workload_fail("random_threads: no thread");
        for (long i = 0; i < thread_count; i++)
            pthread_join(lines[i].thread, NULL);
    }
    for (long i = 0; i < thread_count; i++) {
        for (long block = 0; block < block_count; block++)
            free(lines[i].blocks[block]);
        free(lines[i].blocks);
        checksum = workload_mix(checksum, lines[i].sum);
    }
    return workload_done(start, (uint64_t)(thread_count * replacement_count * generation_count),
                         checksum);
}
