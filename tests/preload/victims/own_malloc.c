/* The executable brings a malloc of its own, which wins over every preload: a bump allocator with
 * the size before each block. It must be called exactly as often as without the shim. */
#include <malloc.h>

#include "victim.h"

static _Alignas(64) char arena[8 << 20];
static size_t used;

void *malloc(size_t size)
{
    size_t whole = (size + 31) / 16 * 16;
    size_t start = __atomic_fetch_add(&used, whole, __ATOMIC_RELAXED);
    if (whole < size || start + whole > sizeof arena) {
        errno = ENOMEM;
        return NULL;
    }
    *(size_t *)(void *)(arena + start) = size;
    return arena + start + 16;
}

void free(void *block)
{
    if (block != NULL && ((char *)block < arena || (char *)block >= arena + sizeof arena))
        SAY("a block that is not from the arena\n");
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size); /* the arena is used once, and starts as zeroes */
}

void *realloc(void *block, size_t size)
{
    void *copy = malloc(size);
    size_t old = block == NULL ? 0 : *(size_t *)(void *)((char *)block - 16);
    if (copy != NULL && block != NULL)
        memcpy(copy, block, old < size ? old : size);
    return copy;
}

int main(void)
{
    size_t before = used;
    victim_churn(100);
    char *text = strdup("from the C library");
    CHECK(text > arena && text < arena + sizeof arena);
    free(text);
    text = NULL;
    CHECK(asprintf(&text, "%d bytes", 12) == 8);
    free(text);
    SAY("took %zu\n", used - before);
    return victim_end();
}
