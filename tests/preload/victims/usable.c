/* Programs may use a block to its last usable byte, and realloc brings all of it along. */
#include <malloc.h>

#include "victim.h"

static unsigned char pattern(size_t index, size_t size)
{
    return (unsigned char)(index * 31 + size);
}

int main(void)
{
    for (size_t size = 0; size < 300000; size = size < 300 ? size + 1 : size * 9 / 8) {
        unsigned char *block = malloc(size), *neighbour = malloc(size);
        size_t usable = malloc_usable_size(block);
        CHECK(usable >= size);
        for (size_t i = 0; i < usable; i++)
            block[i] = pattern(i, size);
        memset(neighbour, 0xee, malloc_usable_size(neighbour));
        for (size_t i = 0; i < usable; i++)
            CHECK(block[i] == pattern(i, size));
        block = realloc(block, usable + 3000);
        CHECK(block != NULL);
        for (size_t i = 0; i < usable; i++)
            CHECK(block[i] == pattern(i, size));
        block = realloc(block, size / 2 + 1);
        CHECK(block != NULL);
        for (size_t i = 0; i < size / 2; i++)
            CHECK(block[i] == pattern(i, size));
        free(block);
        free(neighbour);
    }
    return victim_end();
}
