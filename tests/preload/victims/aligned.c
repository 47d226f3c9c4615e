/* Every aligned form, its errors, and what realloc and malloc_usable_size make of its blocks. */
#include <malloc.h>

#include "victim.h"

static void check_block(unsigned char *block, size_t alignment, size_t size)
{
    CHECK(block != NULL && (uintptr_t)block % alignment == 0);
    size_t usable = malloc_usable_size(block);
    CHECK(usable >= size);
    memset(block, 0x5a, usable);
    block = realloc(block, size + 5000);
    CHECK(block != NULL);
    for (size_t i = 0; i < size; i++)
        CHECK(block[i] == 0x5a);
    free(block);
}

int main(void)
{
    volatile size_t odd = 3, small = 2, none = 0, huge = (size_t)PTRDIFF_MAX - 4096;
    void *untouched = (void *)(uintptr_t)0x123, *block = untouched;
    errno = 4242;
    CHECK(posix_memalign(&block, odd * 8, 100) == EINVAL && block == untouched);
    CHECK(posix_memalign(&block, small, 100) == EINVAL && block == untouched);
    CHECK(posix_memalign(&block, none, 100) == EINVAL && block == untouched);
    CHECK(errno == 4242);
    CHECK(posix_memalign(&block, 64, huge) == ENOMEM && block == untouched);
    errno = 4242;
    for (size_t alignment = 8; alignment <= (size_t)2 << 20; alignment *= 2) {
        size_t sizes[] = {1, 100, 4096, 70000};
        for (size_t i = 0; i < 4; i++) {
            size_t size = sizes[i];
            CHECK(posix_memalign(&block, alignment, size) == 0);
            check_block(block, alignment, size);
            check_block(aligned_alloc(alignment, size), alignment, size);
            check_block(memalign(alignment, size), alignment, size);
        }
    }
    check_block(valloc(100), 4096, 100);
    check_block(pvalloc(100), 4096, 4096);
    CHECK(posix_memalign(&block, 64, none) == 0);
    free(block);
    CHECK(malloc_usable_size(NULL) == 0);
    CHECK(errno == 4242);
    return victim_end();
}
