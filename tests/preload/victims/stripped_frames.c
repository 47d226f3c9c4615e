/* A whole call chain without unwind tables or frame pointers, several frames deep, between main and
 * malloc. (The build adds the options for this file.) */
#include "victim.h"

VICTIM_FUNCTION static char *level(int depth, size_t size)
{
    volatile char local[40];
    local[0] = (char)depth;
    char *block = depth > 0 ? level(depth - 1, size) : malloc(size);
    KEEP(local);
    return block;
}

int main(void)
{
    for (int i = 0; i < 2000; i++) {
        char *block = level(i % 40, 100);
        CHECK(block != NULL);
        free(block);
    }
    return victim_end();
}
