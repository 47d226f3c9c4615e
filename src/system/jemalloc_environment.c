/*
 * What the private jemalloc sees of the world; cmake/private-jemalloc.sh renames its outside
 * symbols to these.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "base/math.h"
#include "system/memory.h"
#include "system/own_pages.h"
#include "system/syscall.h"

void *ls_jemalloc_mmap(void *address, size_t length, int protection, int flags, int fd,
                       off_t offset);
int ls_jemalloc_munmap(void *address, size_t length);
int ls_jemalloc_madvise(void *address, size_t length, int advice);
int ls_jemalloc_mprotect(void *address, size_t length, int protection);
char *ls_jemalloc_secure_getenv(const char *name);
ssize_t ls_jemalloc_readlink(const char *path, char *buffer, size_t length);
void *ls_jemalloc_sbrk(intptr_t increment);
double ls_jemalloc_exp(double x);
double ls_jemalloc_log(double x);
double ls_jemalloc_round(double x);
int ls_jemalloc__Unwind_Backtrace(void *callback, void *argument);
uintptr_t ls_jemalloc__Unwind_GetIP(void *context);
int ls_jemalloc_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));

static int status_of(long result)
{
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return 0;
}

void *ls_jemalloc_mmap(void *address, size_t length, int protection, int flags, int fd,
                       off_t offset)
{
    void *pages = ls_sys_mmap(address, length, protection, flags, fd, offset);

    if (ls_sys_mmap_failed(pages)) {
        errno = (int)-(intptr_t)pages;
        return MAP_FAILED;
    }
    ls_own_pages_add(pages, length);
    return pages;
}

int ls_jemalloc_munmap(void *address, size_t length)
{
    ls_own_pages_remove(address, length);
    return status_of(ls_sys_munmap(address, length));
}

int ls_jemalloc_madvise(void *address, size_t length, int advice)
{
    return status_of(ls_sys_madvise(address, length, advice));
}

int ls_jemalloc_mprotect(void *address, size_t length, int protection)
{
    return status_of(ls_sys_mprotect(address, length, protection));
}

char *ls_jemalloc_secure_getenv(const char *name)
{
    (void)name;
    return NULL;
}

ssize_t ls_jemalloc_readlink(const char *path, char *buffer, size_t length)
{
    (void)path;
    (void)buffer;
    (void)length;
    errno = ENOENT;
    return -1;
}

void *ls_jemalloc_sbrk(intptr_t increment)
{
    (void)increment;
    errno = ENOMEM;
    return (void *)-1; /* sbrk's own word for failure */
}

double ls_jemalloc_exp(double x)
{
    return ls_math_exp(x);
}

double ls_jemalloc_log(double x)
{
    return ls_math_log(x);
}

double ls_jemalloc_round(double x)
{
    return (double)(long long)(x < 0 ? x - 0.5 : x + 0.5);
}

/* Only jemalloc's profiler walks stacks, and it is never switched on: an empty stack. */
int ls_jemalloc__Unwind_Backtrace(void *callback, void *argument)
{
    (void)callback;
    (void)argument;
    return 5; /* _URC_END_OF_STACK */
}

uintptr_t ls_jemalloc__Unwind_GetIP(void *context)
{
    (void)context;
    return 0;
}

/* jemalloc makes one key, at its start. */
static void (*take_caches_down)(void *);
static void (*before_end)(void);
static void (*after_end)(void);

static void end_thread(void *data)
{
    if (before_end != NULL)
        before_end();
    take_caches_down(data);
    if (after_end != NULL)
        after_end();
}

int ls_jemalloc_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    take_caches_down = destructor;
    return pthread_key_create(key, end_thread);
}

void ls_memory_around_thread_end(void (*before)(void), void (*after)(void))
{
    before_end = before;
    after_end = after;
}
