/* Takes blocks for its caller; its constructor and destructor allocate as well. */
#include <stdlib.h>
#include <string.h>

char *plugin_take(size_t size);
void plugin_give(char *block);

static char *own;

__attribute__((constructor)) static void load(void)
{
    own = malloc(5000);
}

__attribute__((destructor)) static void unload(void)
{
    free(own);
    free(strdup("on the way out"));
}

__attribute__((visibility("default"), noinline)) char *plugin_take(size_t size)
{
    return malloc(size);
}

__attribute__((visibility("default"), noinline)) void plugin_give(char *block)
{
    free(block);
}
