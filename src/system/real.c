#include "system/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "system/syscall.h"

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

static long resolving_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    ls_real_resolve();
    return ls_real.syscall_by_number(number, a, b, c, d, e, f);
}

struct ls_real_functions ls_real = {
    .syscall_by_number = resolving_syscall,
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

static int missing_close_range(unsigned first, unsigned last, int flags)
{
    (void)first, (void)last, (void)flags;
    errno = ENOSYS;
    return -1;
}

static void missing_closefrom(int first)
{
    ls_sys_call6(SYS_close_range, first, ~0u, 0, 0, 0, 0);
}

#define FIND_IN(table, entry, name)                                                                \
    do {                                                                                           \
        void *found = dlsym(RTLD_NEXT, (name));                                                    \
        if (found != NULL)                                                                         \
            memcpy(&(table)->entry, &found, sizeof(found));                                        \
    } while (0)
#define FIND(entry, name) FIND_IN(&table, entry, name)

static void find_descriptor_functions(struct ls_real_functions *table)
{
    table->close_range = missing_close_range;
    table->closefrom = missing_closefrom;
    FIND_IN(table, close, "close");
    FIND_IN(table, close_range, "close_range");
    FIND_IN(table, closefrom, "closefrom");
    FIND_IN(table, dup, "dup");
    FIND_IN(table, dup2, "dup2");
    FIND_IN(table, dup3, "dup3");
    FIND_IN(table, fcntl, "fcntl");
    FIND_IN(table, syscall_by_number, "syscall");
    FIND_IN(table, socket, "socket");
    FIND_IN(table, socketpair, "socketpair");
    FIND_IN(table, accept, "accept");
    FIND_IN(table, accept4, "accept4");
    FIND_IN(table, connect, "connect");
    FIND_IN(table, getsockopt, "getsockopt");
    FIND_IN(table, recvmsg, "recvmsg");
    FIND_IN(table, recvmmsg, "recvmmsg");
    FIND_IN(table, open, "open");
    FIND_IN(table, open64, "open64");
    FIND_IN(table, openat, "openat");
    FIND_IN(table, openat64, "openat64");
    FIND_IN(table, open_2, "__open_2");
    FIND_IN(table, open64_2, "__open64_2");
    FIND_IN(table, openat_2, "__openat_2");
    FIND_IN(table, openat64_2, "__openat64_2");
    FIND_IN(table, creat, "creat");
    FIND_IN(table, creat64, "creat64");
    FIND_IN(table, pipe, "pipe");
    FIND_IN(table, pipe2, "pipe2");
    FIND_IN(table, epoll_create, "epoll_create");
    FIND_IN(table, epoll_create1, "epoll_create1");
    FIND_IN(table, eventfd, "eventfd");
    FIND_IN(table, timerfd_create, "timerfd_create");
    FIND_IN(table, signalfd, "signalfd");
    FIND_IN(table, inotify_init, "inotify_init");
    FIND_IN(table, inotify_init1, "inotify_init1");
    FIND_IN(table, memfd_create, "memfd_create");
    FIND_IN(table, mkstemp, "mkstemp");
    FIND_IN(table, mkstemp64, "mkstemp64");
    FIND_IN(table, mkostemp, "mkostemp");
    FIND_IN(table, mkostemp64, "mkostemp64");
    FIND_IN(table, mkstemps, "mkstemps");
    FIND_IN(table, mkstemps64, "mkstemps64");
    FIND_IN(table, mkostemps, "mkostemps");
    FIND_IN(table, mkostemps64, "mkostemps64");
    FIND_IN(table, fopen, "fopen");
    FIND_IN(table, fopen64, "fopen64");
    FIND_IN(table, freopen, "freopen");
    FIND_IN(table, freopen64, "freopen64");
    FIND_IN(table, fclose, "fclose");
    FIND_IN(table, popen, "popen");
    FIND_IN(table, pclose, "pclose");
    FIND_IN(table, tmpfile, "tmpfile");
    FIND_IN(table, tmpfile64, "tmpfile64");
    FIND_IN(table, opendir, "opendir");
    FIND_IN(table, closedir, "closedir");
}

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
    find_descriptor_functions(&table);
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
