/* A call that succeeds leaves errno as it was, whatever it was; free always does. */
#include <malloc.h>

#include "victim.h"

static const int odd_values[] = {0, 1, -1, 12, 12345, -2147483647 - 1};

#define KEEPS_ERRNO(call)                                                                          \
    do {                                                                                           \
        errno = value;                                                                             \
        call;                                                                                      \
        CHECK(errno == value);                                                                     \
    } while (0)

static void check_with(int value, size_t size)
{
    char *block = NULL;
    void *aligned = NULL;
    KEEPS_ERRNO(block = malloc(size));
    KEEPS_ERRNO(block = realloc(block, size * 2));
    KEEPS_ERRNO(KEEP(malloc_usable_size(block)));
    KEEPS_ERRNO(block = realloc(block, size));
    KEEPS_ERRNO(block = reallocarray(block, 2, size));
    KEEPS_ERRNO(free(block));
    KEEPS_ERRNO(block = calloc(2, size));
    KEEPS_ERRNO(free(block));
    KEEPS_ERRNO(KEEP(posix_memalign(&aligned, 128, size)));
    KEEPS_ERRNO(free(aligned));
    KEEPS_ERRNO(aligned = aligned_alloc(64, size));
    KEEPS_ERRNO(free(aligned));
    KEEPS_ERRNO(free(NULL));
}

int main(void)
{
    for (unsigned round = 0; round < 300; round++)
        for (size_t i = 0; i < sizeof odd_values / sizeof odd_values[0]; i++) {
            check_with(odd_values[i], 1 + round * 17);
            if (round % 30 == 0)
                check_with(odd_values[i], (size_t)1 << 20);
        }
    return victim_end();
}
