#include "system/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"

/* Blocks that dlsym asked for while it was finding malloc. */
#define EARLY_BYTES     8192
#define EARLY_ALIGNMENT 16

static _Alignas(EARLY_ALIGNMENT) char early_memory[EARLY_BYTES];
static _Atomic size_t early_used;
static _Atomic int resolved;
static LS_THREAD_LOCAL int resolving;

static void *(*next_malloc)(size_t);
static void (*next_free)(void *);
static void *(*next_realloc)(void *, size_t);
static size_t (*next_malloc_usable_size)(void *);

static bool is_early(const void *block)
{
    return (uintptr_t)block - (uintptr_t)early_memory < EARLY_BYTES;
}

/* The size sits before the block, for realloc. */
static void *early_allocate(size_t size)
{
    size_t start;
    char *block;

    if (size > EARLY_BYTES)
        goto exhausted;
    size = (size + EARLY_ALIGNMENT - 1) & ~(size_t)(EARLY_ALIGNMENT - 1);
    start = ls_add_relaxed(&early_used, size + EARLY_ALIGNMENT);
    if (start + size + EARLY_ALIGNMENT > EARLY_BYTES)
        goto exhausted;
    block = early_memory + start + EARLY_ALIGNMENT;
    memcpy(block - EARLY_ALIGNMENT, &size, sizeof(size));
    return block;
exhausted:
    errno = ENOMEM;
    return NULL;
}

static size_t early_size(const void *block)
{
    size_t size;

    memcpy(&size, (const char *)block - EARLY_ALIGNMENT, sizeof(size));
    return size;
}

static void free_past_early(void *block)
{
    if (!is_early(block))
        next_free(block);
}

static void *realloc_past_early(void *block, size_t size)
{
    void *moved;
    size_t old_size;

    if (!is_early(block))
        return next_realloc(block, size);
    moved = next_malloc(size);
    if (moved == NULL)
        return NULL;
    old_size = early_size(block);
    memcpy(moved, block, old_size < size ? old_size : size);
    return moved;
}

static size_t usable_size_past_early(void *block)
{
    return is_early(block) ? early_size(block) : next_malloc_usable_size(block);
}

static void *resolving_malloc(size_t size)
{
    if (resolving)
        return early_allocate(size);
    ls_real_resolve();
    return ls_real.malloc(size);
}

static void *resolving_calloc(size_t count, size_t size)
{
    if (resolving) {
        size_t total;

        if (__builtin_mul_overflow(count, size, &total)) {
            errno = ENOMEM;
            return NULL;
        }
        return early_allocate(total); /* static memory, never reused: zero already */
    }
    ls_real_resolve();
    return ls_real.calloc(count, size);
}

static void *resolving_realloc(void *block, size_t size)
{
    if (resolving) {
        void *moved = early_allocate(size);

        if (moved != NULL && block != NULL && is_early(block)) {
            size_t old_size = early_size(block);

            memcpy(moved, block, old_size < size ? old_size : size);
        }
        return moved;
    }
    ls_real_resolve();
    return ls_real.realloc(block, size);
}

static void resolving_free(void *block)
{
    if (resolving || is_early(block))
        return;
    ls_real_resolve();
    ls_real.free(block);
}

static int resolving_posix_memalign(void **block, size_t alignment, size_t size)
{
    ls_real_resolve();
    return ls_real.posix_memalign(block, alignment, size);
}

static void *resolving_aligned_alloc(size_t alignment, size_t size)
{
    ls_real_resolve();
    return ls_real.aligned_alloc(alignment, size);
}

static void *resolving_memalign(size_t alignment, size_t size)
{
    ls_real_resolve();
    return ls_real.memalign(alignment, size);
}

static void *resolving_valloc(size_t size)
{
    ls_real_resolve();
    return ls_real.valloc(size);
}

static void *resolving_pvalloc(size_t size)
{
    ls_real_resolve();
    return ls_real.pvalloc(size);
}

static size_t resolving_malloc_usable_size(void *block)
{
    ls_real_resolve();
    return ls_real.malloc_usable_size(block);
}

struct ls_real_functions ls_real = {
    .malloc = resolving_malloc,
    .calloc = resolving_calloc,
    .realloc = resolving_realloc,
    .free = resolving_free,
    .posix_memalign = resolving_posix_memalign,
    .aligned_alloc = resolving_aligned_alloc,
    .memalign = resolving_memalign,
    .valloc = resolving_valloc,
    .pvalloc = resolving_pvalloc,
    .malloc_usable_size = resolving_malloc_usable_size,
};

static int missing_execveat(int directory, const char *path, char *const arguments[],
                            char *const environment[], int flags)
{
    (void)directory, (void)path, (void)arguments, (void)environment, (void)flags;
    errno = ENOSYS;
    return -1;
}

static int missing_epoll_pwait2(int fd, struct epoll_event *events, int capacity,
                                const struct timespec *timeout, const sigset_t *mask)
{
    (void)fd, (void)events, (void)capacity, (void)timeout, (void)mask;
    errno = ENOSYS;
    return -1;
}

#define FIND(entry, name)                                                                          \
    do {                                                                                           \
        void *found = dlsym(RTLD_NEXT, (name));                                                    \
        if (found != NULL)                                                                         \
            memcpy(&table.entry, &found, sizeof(found));                                           \
    } while (0)

void ls_real_resolve(void)
{
    struct ls_real_functions table;
    int saved_errno = errno;

    if (ls_load_acquire(&resolved) || resolving) /* S1 pairs with S2 */
        return;
    resolving = 1;
    table = ls_real;
    table.execveat = missing_execveat;
    table.epoll_pwait2 = missing_epoll_pwait2;
    FIND(malloc, "malloc");
    FIND(calloc, "calloc");
    FIND(realloc, "realloc");
    FIND(free, "free");
    FIND(posix_memalign, "posix_memalign");
    FIND(aligned_alloc, "aligned_alloc");
    FIND(memalign, "memalign");
    FIND(valloc, "valloc");
    FIND(pvalloc, "pvalloc");
    FIND(malloc_usable_size, "malloc_usable_size");
    FIND(exit_now, "_exit");
    FIND(execve, "execve");
    FIND(execv, "execv");
    FIND(execvp, "execvp");
    FIND(execvpe, "execvpe");
    FIND(fexecve, "fexecve");
    FIND(execveat, "execveat");
    FIND(dlopen, "dlopen");
    FIND(dlclose, "dlclose");
    FIND(unshare, "unshare");
    FIND(setns, "setns");
    FIND(mlockall, "mlockall");
    FIND(setrlimit, "setrlimit");
    FIND(prlimit, "prlimit");
    FIND(epoll_wait, "epoll_wait");
    FIND(epoll_pwait, "epoll_pwait");
    FIND(epoll_pwait2, "epoll_pwait2");
    FIND(readlink, "readlink");
    if (ls_load_relaxed(&early_used) != 0) {
        next_malloc = table.malloc;
        next_free = table.free;
        next_realloc = table.realloc;
        next_malloc_usable_size = table.malloc_usable_size;
        table.free = free_past_early;
        table.realloc = realloc_past_early;
        table.malloc_usable_size = usable_size_past_early;
    }
    /* Two threads may get here; both write the same addresses. */
    ls_real = table;
    ls_store_release(&resolved, 1); /* S2 pairs with S1 */
    resolving = 0;
    errno = saved_errno;
}
