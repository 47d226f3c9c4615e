/*
 * Things that grow: vectors of numbers that double when they are full, and strings that get a few
 * bytes at a time and are resized for each.
 *
 *   --rounds N   of one vector and 16 strings each
 */
#include "workload.h"

#define VECTOR_NUMBERS 40000
#define STRINGS        16
#define STRING_BYTES   4096
#define STEP_BYTES     24

static void *resize(void *block, size_t size)
{
    block = realloc(block, size);
    if (block == NULL)
        workload_fail("out of memory");
    return block;
}

static NOINLINE uint64_t grow_vector(uint64_t seed)
{
    uint64_t *numbers = NULL;
    size_t capacity = 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < VECTOR_NUMBERS; i++) {
        if (i == capacity) {
            capacity = capacity == 0 ? 8 : capacity * 2;
            numbers = resize(numbers, capacity * sizeof(*numbers));
        }
        numbers[i] = seed ^ i;
    }
    for (size_t i = 0; i < VECTOR_NUMBERS; i++)
        sum += numbers[i];
    free(numbers);
    return sum;
}

/* All of them grow side by side, so that none can simply be extended in its place for ever. */
static NOINLINE uint64_t grow_strings(uint64_t seed)
{
    char *strings[STRINGS] = {0};
    uint64_t sum = 0;

    for (size_t size = STEP_BYTES; size <= STRING_BYTES; size += STEP_BYTES) {
        for (size_t i = 0; i < STRINGS; i++) {
            strings[i] = resize(strings[i], size);
            memset(strings[i] + size - STEP_BYTES, (int)(seed + i) & 127, STEP_BYTES);
        }
    }
    for (size_t i = 0; i < STRINGS; i++) {
        sum += (uint64_t)strings[i][STRING_BYTES / 2];
        free(strings[i]);
    }
    return sum;
}

int main(int count, char **values)
{
    long rounds = workload_option(count, values, "rounds", 1000);
    uint64_t checksum = 0;
    struct workload_clock start = workload_start();

    for (long i = 0; i < rounds; i++) {
        checksum = workload_mix(checksum, grow_vector((uint64_t)i));
        checksum = workload_mix(checksum, grow_strings((uint64_t)i));
    }
    return workload_done(start, (uint64_t)(rounds * STRINGS * (STRING_BYTES / STEP_BYTES)),
                         checksum);
}
