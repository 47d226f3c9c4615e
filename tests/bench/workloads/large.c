/*
 * Large blocks of random sizes, the first part of each written, a few of them live at a time: the
 * kernel does most of the work, by page faults.
 *
 *   --blocks N   allocated one after another
 */
#include "workload.h"

#define LIVE          16
#define SMALLEST      (64u << 10)
#define LARGEST       (4u << 20)
#define PAGE          4096
#define WRITTEN_SHARE 4

int main(int count, char **values)
{
    long blocks = workload_option(count, values, "blocks", 1000);
    char *live[LIVE] = {0};
    uint64_t random = 88172645463325252u;
    uint64_t checksum = 0;
    struct workload_clock start = workload_start();

    for (long i = 0; i < blocks; i++) {
        size_t size = SMALLEST + (workload_random(&random) >> 16) % (LARGEST - SMALLEST);
        char **place = &live[workload_random(&random) % LIVE];

        if (*place != NULL)
            checksum = workload_mix(checksum, (uint64_t) * *place);
        free(*place);
        *place = workload_allocate(size);
        for (size_t byte = 0; byte < size / WRITTEN_SHARE; byte += PAGE)
            (*place)[byte] = (char)i;
    }
    for (long i = 0; i < LIVE; i++)
        free(live[i]);
    return workload_done(start, (uint64_t)blocks, checksum);
}
