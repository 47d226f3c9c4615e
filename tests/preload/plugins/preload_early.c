/* A second preloaded library, such as an agent: allocates in its constructor, and frees at the end
 * what it took at the start. */
#include <stdlib.h>
#include <string.h>

static char *kept[100];

__attribute__((constructor)) static void start(void)
{
    for (size_t i = 0; i < 100; i++) {
        kept[i] = calloc(1, 10 + i * 50);
        if (i % 3 == 0)
            kept[i] = realloc(kept[i], 9000);
        free(strdup("passing"));
    }
}

__attribute__((destructor)) static void end(void)
{
    for (size_t i = 0; i < 100; i++)
        free(kept[i]);
}
