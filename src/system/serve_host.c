#include "system/serve_host.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "system/memory.h"
#include "system/real.h"

#define PAGE_BYTES ((size_t)4096)

static struct ls_real_functions host;

static void *serve_malloc(size_t size)
{
    void *block = ls_memory_host_malloc(size);

    return LS_LIKELY(block != NULL) ? block : host.malloc(size);
}

static void *serve_calloc(size_t count, size_t size)
{
    size_t total;
    void *block = NULL;

    if (LS_LIKELY(!__builtin_mul_overflow(count, size, &total)))
        block = ls_memory_host_allocate(total, 0, true);
    return LS_LIKELY(block != NULL) ? block : host.calloc(count, size);
}

static void serve_free(void *block)
{
    if (LS_LIKELY(ls_memory_is_host(block)))
        ls_memory_host_free(block);
    else
        host.free(block);
}

static LS_COLD void *move_to_host(void *block, size_t size)
{
    size_t usable = ls_memory_host_usable(block);
    void *moved = host.malloc(size);

    if (moved == NULL)
        return NULL;
    memcpy(moved, block, usable < size ? usable : size);
    ls_memory_host_free(block);
    return moved;
}

static void *serve_realloc(void *block, size_t size)
{
    void *resized;

    if (block == NULL)
        return serve_malloc(size);
    if (!ls_memory_is_host(block))
        return host.realloc(block, size);
    if (size == 0) { /* as glibc does */
        ls_memory_host_free(block);
        return NULL;
    }
    resized = ls_memory_host_resize(block, size);
    return LS_LIKELY(resized != NULL) ? resized : move_to_host(block, size);
}

static void *serve_aligned(size_t alignment, size_t size)
{
    return LS_IS_POWER_OF_TWO(alignment) ? ls_memory_host_allocate(size, alignment, false) : NULL;
}

static int serve_posix_memalign(void **result, size_t alignment, size_t size)
{
    int saved_errno = errno;
    void *block = alignment % sizeof(void *) == 0 ? serve_aligned(alignment, size) : NULL;

    errno = saved_errno;
    if (block == NULL)
        return host.posix_memalign(result, alignment, size);
    *result = block;
    return 0;
}

static void *serve_aligned_alloc(size_t alignment, size_t size)
{
    void *block = serve_aligned(alignment, size);

    return block != NULL ? block : host.aligned_alloc(alignment, size);
}

static void *serve_memalign(size_t alignment, size_t size)
{
    void *block = serve_aligned(alignment, size);

    return block != NULL ? block : host.memalign(alignment, size);
}

static void *serve_valloc(size_t size)
{
    void *block = serve_aligned(PAGE_BYTES, size);

    return block != NULL ? block : host.valloc(size);
}

static void *serve_pvalloc(size_t size)
{
    size_t rounded = (size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    void *block = rounded < size ? NULL : serve_aligned(PAGE_BYTES, rounded);

    return block != NULL ? block : host.pvalloc(size);
}

static size_t serve_usable_size(void *block)
{
    return ls_memory_is_host(block) ? ls_memory_host_usable(block) : host.malloc_usable_size(block);
}

void ls_serve_host(void)
{
    ls_real_resolve();
    host = ls_real;
    ls_real.malloc = serve_malloc;
    ls_real.calloc = serve_calloc;
    ls_real.realloc = serve_realloc;
    ls_real.free = serve_free;
    ls_real.posix_memalign = serve_posix_memalign;
    ls_real.aligned_alloc = serve_aligned_alloc;
    ls_real.memalign = serve_memalign;
    ls_real.valloc = serve_valloc;
    ls_real.pvalloc = serve_pvalloc;
    ls_real.malloc_usable_size = serve_usable_size;
}
