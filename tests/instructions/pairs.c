/*
 * COUNT pairs of malloc and free, of 64 bytes, DEPTH frames deep. Two runs of different COUNT give
 * the instructions of one pair: all else is in both.
 *
 *   pairs DEPTH COUNT
 */
#include <stdlib.h>

#define NOT_INLINED  __attribute__((noinline, noclone))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

static NOT_INLINED void allocate(long count)
{
    for (long i = 0; i < count; i++) {
        void *block = malloc(64);

        __asm__ volatile("" : : "r"(block) : "memory");
        free(block);
    }
}

static NOT_INLINED void descend(long depth, long count)
{
    if (depth > 0)
        descend(depth - 1, count);
    else
        allocate(count);
    KEEP_FRAME();
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 3)
        return 2;
    descend(strtol(arguments[1], NULL, 10), strtol(arguments[2], NULL, 10));
    return 0;
}
