/* A second preloaded library that wraps malloc and free, and only these, with what dlsym finds
 * behind it; its blocks go to whatever realloc and malloc_usable_size come first. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

void *malloc(size_t size);
void free(void *block);

static void *(*next_malloc)(size_t);
static void (*next_free)(void *);

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    if (next_malloc == NULL)
        next_malloc = (void *(*)(size_t))(uintptr_t)dlsym(RTLD_NEXT, "malloc");
    return next_malloc(size);
}

__attribute__((visibility("default"))) void free(void *block)
{
    if (next_free == NULL)
        next_free = (void (*)(void *))(uintptr_t)dlsym(RTLD_NEXT, "free");
    next_free(block);
}
