/*
 * The malloc family. The fast paths: malloc takes one thread-local subtraction and a branch, free
 * one address comparison. Everything else is behind them.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "capture/heap.h"
#include "capture/thread.h"
#include "system/memory.h"
#include "system/real.h"

#define PAGE_BYTES 4096

LS_EXPORT void *malloc(size_t size);
LS_EXPORT void *calloc(size_t count, size_t size);
LS_EXPORT void *realloc(void *block, size_t size);
LS_EXPORT void *reallocarray(void *block, size_t count, size_t size);
LS_EXPORT void free(void *block);
LS_EXPORT void free_sized(void *block, size_t size);
LS_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size);
LS_EXPORT int posix_memalign(void **block, size_t alignment, size_t size);
LS_EXPORT void *aligned_alloc(size_t alignment, size_t size);
LS_EXPORT void *memalign(size_t alignment, size_t size);
LS_EXPORT void *valloc(size_t size);
LS_EXPORT void *pvalloc(size_t size);
LS_EXPORT size_t malloc_usable_size(void *block);

/* Counts the bytes down; true, and nothing counted, when a sample point lies in them or the thread
 * is not set up. A size no allocator grants is due as well and leaves the countdown as it is. */
LS_INLINE bool is_due(size_t size)
{
    if (LS_UNLIKELY(size >= ls_hot.countdown))
        return true;
    ls_hot.countdown -= size;
    return false;
}

/* Both end in a jump: nothing is between the host's call and the allocator's answer. */
static LS_COLD void *malloc_slowly(size_t size)
{
    void *block = ls_heap_allocate(size, 0, false);

    return block != NULL ? block : ls_real.malloc(size);
}

void *malloc(size_t size)
{
    if (is_due(size))
        return malloc_slowly(size);
    return ls_real.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    size_t total;
    void *block;

    if (LS_LIKELY(!__builtin_mul_overflow(count, size, &total)) && is_due(total)) {
        block = ls_heap_allocate(total, 0, true);
        if (block != NULL)
            return block;
    }
    return ls_real.calloc(count, size);
}

void free(void *block)
{
    if (LS_UNLIKELY(ls_memory_is_tracked(block)))
        ls_heap_free(block);
    else
        ls_real.free(block);
}

/* C23; the sizes are hints, and the block's tag knows better. */
void free_sized(void *block, size_t size)
{
    (void)size;
    free(block);
}

void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    free(block);
}

/* An untracked block that is chosen this time: it moves into the tracked range. */
static LS_COLD void *move_in(void *block, size_t size, size_t old_usable)
{
    void *moved = ls_heap_allocate(size, 0, false);

    if (moved == NULL)
        return NULL;
    memcpy(moved, block, old_usable < size ? old_usable : size);
    free(block);
    return moved;
}

static LS_COLD void *realloc_tracked(void *block, size_t size)
{
    void *resized;

    if (!ls_heap_resize(block, size, &resized)) {
        errno = ENOMEM;
        return NULL;
    }
    return resized;
}

void *realloc(void *block, size_t size)
{
    void *moved;

    if (block == NULL)
        return malloc(size);
    if (LS_UNLIKELY(size == 0)) { /* glibc frees the block and returns NULL */
        if (!ls_memory_is_tracked(block))
            return ls_real.realloc(block, size);
        ls_heap_free(block);
        return NULL;
    }
    if (LS_UNLIKELY(ls_memory_is_tracked(block)))
        return realloc_tracked(block, size);
    if (size <= PTRDIFF_MAX && is_due(size)) {
        moved = move_in(block, size, malloc_usable_size(block));
        if (moved != NULL)
            return moved;
    }
    return ls_real.realloc(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, total);
}

/* NULL when the real allocator is to answer, also for arguments it must refuse. */
LS_INLINE void *aligned_if_due(size_t alignment, size_t size)
{
    if (is_due(size) && LS_IS_POWER_OF_TWO(alignment))
        return ls_heap_allocate(size, alignment, false);
    return NULL;
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    int saved_errno = errno;
    void *aligned = NULL;

    if (LS_LIKELY(alignment % sizeof(void *) == 0))
        aligned = aligned_if_due(alignment, size);
    errno = saved_errno;
    if (aligned == NULL)
        return ls_real.posix_memalign(block, alignment, size);
    *block = aligned;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    void *block = aligned_if_due(alignment, size);

    return block != NULL ? block : ls_real.aligned_alloc(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
    void *block = aligned_if_due(alignment, size);

    return block != NULL ? block : ls_real.memalign(alignment, size);
}

void *valloc(size_t size)
{
    void *block = aligned_if_due(PAGE_BYTES, size);

    return block != NULL ? block : ls_real.valloc(size);
}

void *pvalloc(size_t size)
{
    size_t rounded = (size + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    void *block = rounded < size ? NULL : aligned_if_due(PAGE_BYTES, rounded);

    return block != NULL ? block : ls_real.pvalloc(size);
}

size_t malloc_usable_size(void *block)
{
    if (LS_UNLIKELY(ls_memory_is_tracked(block)))
        return ls_heap_usable_size(block);
    return ls_real.malloc_usable_size(block);
}
