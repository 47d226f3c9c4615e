/* Zero, huge and overflowing sizes, and errno. */
#include <malloc.h>

#include "victim.h"

#define FAILS(call) (errno = 0, (call) == NULL && errno == ENOMEM)

int main(void)
{
    volatile size_t zero = 0, largest = SIZE_MAX, too_large = (size_t)PTRDIFF_MAX + 1,
                    half = (size_t)1 << 33;
    volatile size_t gigabytes = (size_t)1 << 46;
    for (int i = 0; i < 200; i++) {
        char *block = malloc(zero), *other = malloc(zero);
        CHECK(block != NULL && other != NULL && block != other);
        free(block);
        free(other);
        block = calloc(zero, 10);
        CHECK(block != NULL);
        free(block);
        block = calloc(10, zero);
        CHECK(block != NULL);
        free(block);
        block = realloc(NULL, zero);
        CHECK(block != NULL);
        free(block);
        SAY(i == 0 ? "realloc to zero %d\n" : "", realloc(malloc(10), zero) == NULL);
        free(NULL);

        CHECK(FAILS(malloc(largest)));
        CHECK(FAILS(malloc(too_large)));
        CHECK(FAILS(malloc(gigabytes)));
        CHECK(FAILS(calloc(half, half)));
        CHECK(FAILS(calloc(largest, 2)));
        CHECK(FAILS(calloc(1, too_large)));
        CHECK(FAILS(reallocarray(NULL, half, half)));
        CHECK(FAILS(aligned_alloc(64, too_large)));
        CHECK(FAILS(memalign(4096, largest)));
        CHECK(FAILS(valloc(largest - 100)));
        CHECK(FAILS(pvalloc(largest - 100)));

        char *text = strdup("kept");
        CHECK(FAILS(realloc(text, too_large)));
        CHECK(FAILS(realloc(text, largest)));
        CHECK(FAILS(realloc(text, gigabytes)));
        CHECK(FAILS(reallocarray(text, half, half)));
        CHECK(strcmp(text, "kept") == 0);
        text = reallocarray(text, 300, 7);
        CHECK(text != NULL && strcmp(text, "kept") == 0);
        free(text);

        unsigned char *dirty = malloc(3000);
        memset(dirty, 0xff, 3000);
        free(dirty);
        unsigned char *clean = calloc(3, 1000);
        for (int byte = 0; byte < 3000; byte++)
            CHECK(clean[byte] == 0);
        free(clean);
    }
    return victim_end();
}
