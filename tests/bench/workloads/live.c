/*
 * Holds many blocks and replaces them in random order: what a call costs when a tool has to
 * remember that many. The clock starts when all of them are there; they are still live at the end.
 *
 * The sizes are mixed on purpose. With one size the processor works ahead on the next replacements
 * while it waits for memory, and a few instructions of a tool then cost as much as misses would.
 *
 *   --blocks N         held
 *   --smallest BYTES   sizes are this to twice this; a block is replaced by one of its size
 *   --replacements N
 */
#include "workload.h"

static size_t smallest;

static uint64_t *new_block(uint64_t place, uint64_t content)
{
    uint64_t *block = workload_allocate(smallest + place % smallest);

    *block = content;
    return block;
}

int main(int count, char **values)
{
    long blocks = workload_option(count, values, "blocks", 1000000);
    long replacements = workload_option(count, values, "replacements", 1000000);
    uint64_t random = 88172645463325252u;
    uint64_t checksum = 0;
    struct workload_clock start;
    uint64_t **held;

    smallest = (size_t)workload_option(count, values, "smallest", 32);
    if (blocks < 1 || smallest < sizeof(**held))
        workload_fail("live: an argument is out of range");
    held = workload_allocate((size_t)blocks * sizeof(*held));
    for (long i = 0; i < blocks; i++)
        held[i] = new_block((uint64_t)i, workload_random(&random));
    start = workload_start();
    for (long i = 0; i < replacements; i++) {
        uint64_t number = workload_random(&random);
        uint64_t place = number % (uint64_t)blocks;

        checksum = workload_mix(checksum, *held[place]);
        free(held[place]);
        held[place] = new_block(place, number);
    }
    return workload_done(start, (uint64_t)replacements, checksum);
}
