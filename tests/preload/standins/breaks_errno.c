/* Stands in for a shim whose free changes errno. */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>

void free(void *block);

__attribute__((visibility("default"))) void free(void *block)
{
    static void (*next_free)(void *);
    if (next_free == 0)
        next_free = (void (*)(void *))(uintptr_t)dlsym(RTLD_NEXT, "free");
    next_free(block);
    errno = EAGAIN;
}
