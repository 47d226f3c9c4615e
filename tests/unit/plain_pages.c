/* Pages without bounds, for tests that bring the rest of the library's memory themselves. */
#include <stdlib.h>

#include "system/memory.h"

void *ls_memory_own_map(size_t size, size_t charge)
{
    (void)charge;
    return calloc(1, size);
}

void ls_memory_own_unmap(void *pages, size_t size, size_t charge)
{
    (void)size;
    (void)charge;
    free(pages);
}

bool ls_memory_own_charge(size_t size)
{
    (void)size;
    return true;
}

void ls_memory_own_discharge(size_t size)
{
    (void)size;
}
