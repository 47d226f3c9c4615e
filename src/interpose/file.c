/*
 * Calls that open what is not a socket. Each forwards and records the descriptor that came back.
 * What libc opens for itself (fopen, opendir) does not pass through here: stream.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/compiler.h"
#include "capture/descriptors.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT int open(const char *path, int flags, ...);
LS_EXPORT int open64(const char *path, int flags, ...);
LS_EXPORT int openat(int directory, const char *path, int flags, ...);
LS_EXPORT int openat64(int directory, const char *path, int flags, ...);
LS_EXPORT int creat(const char *path, mode_t mode);
LS_EXPORT int creat64(const char *path, mode_t mode);
/* What calls of the above become in programs built with _FORTIFY_SOURCE. */
LS_EXPORT int __open_2(const char *path, int flags);
LS_EXPORT int __open64_2(const char *path, int flags);
LS_EXPORT int __openat_2(int directory, const char *path, int flags);
LS_EXPORT int __openat64_2(int directory, const char *path, int flags);
LS_EXPORT int pipe(int ends[2]);
LS_EXPORT int pipe2(int ends[2], int flags);
LS_EXPORT int epoll_create(int size);
LS_EXPORT int epoll_create1(int flags);
LS_EXPORT int eventfd(unsigned count, int flags);
LS_EXPORT int timerfd_create(clockid_t clock, int flags);
LS_EXPORT int signalfd(int fd, const sigset_t *mask, int flags);
LS_EXPORT int inotify_init(void);
LS_EXPORT int inotify_init1(int flags);
LS_EXPORT int memfd_create(const char *name, unsigned flags);
LS_EXPORT int mkstemp(char *pattern);
LS_EXPORT int mkstemp64(char *pattern);
LS_EXPORT int mkostemp(char *pattern, int flags);
LS_EXPORT int mkostemp64(char *pattern, int flags);
LS_EXPORT int mkstemps(char *pattern, int suffix_length);
LS_EXPORT int mkstemps64(char *pattern, int suffix_length);
LS_EXPORT int mkostemps(char *pattern, int suffix_length, int flags);
LS_EXPORT int mkostemps64(char *pattern, int suffix_length, int flags);

static int opened(int fd)
{
    ls_descriptor_opened(fd, LS_RESOURCE_FILE);
    return fd;
}

/* The mode is there only with these flags (open(2)). */
#define MODE_AFTER(flags, mode)                                                                    \
    do {                                                                                           \
        if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) {                          \
            va_list list;                                                                          \
            va_start(list, flags);                                                                 \
            (mode) = va_arg(list, mode_t);                                                         \
            va_end(list);                                                                          \
        }                                                                                          \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_AFTER(flags, mode);
    return opened(LS_REAL(open)(path, flags, mode));
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_AFTER(flags, mode);
    return opened(LS_REAL(open64)(path, flags, mode));
}

int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_AFTER(flags, mode);
    return opened(LS_REAL(openat)(directory, path, flags, mode));
}

int openat64(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_AFTER(flags, mode);
    return opened(LS_REAL(openat64)(directory, path, flags, mode));
}

int creat(const char *path, mode_t mode)
{
    return opened(LS_REAL(creat)(path, mode));
}

int creat64(const char *path, mode_t mode)
{
    return opened(LS_REAL(creat64)(path, mode));
}

int pipe(int ends[2])
{
    int status = LS_REAL(pipe)(ends);

    if (status == 0) {
        opened(ends[0]);
        opened(ends[1]);
    }
    return status;
}

int pipe2(int ends[2], int flags)
{
    int status = LS_REAL(pipe2)(ends, flags);

    if (status == 0) {
        opened(ends[0]);
        opened(ends[1]);
    }
    return status;
}

int epoll_create(int size)
{
    return opened(LS_REAL(epoll_create)(size));
}

int epoll_create1(int flags)
{
    return opened(LS_REAL(epoll_create1)(flags));
}

int eventfd(unsigned count, int flags)
{
    return opened(LS_REAL(eventfd)(count, flags));
}

int timerfd_create(clockid_t clock, int flags)
{
    return opened(LS_REAL(timerfd_create)(clock, flags));
}

/* With a descriptor it changes that one and opens none. */
int signalfd(int fd, const sigset_t *mask, int flags)
{
    int result = LS_REAL(signalfd)(fd, mask, flags);

    return fd == -1 ? opened(result) : result;
}

int inotify_init(void)
{
    return opened(LS_REAL(inotify_init)());
}

int inotify_init1(int flags)
{
    return opened(LS_REAL(inotify_init1)(flags));
}

int memfd_create(const char *name, unsigned flags)
{
    return opened(LS_REAL(memfd_create)(name, flags));
}

int mkstemp(char *pattern)
{
    return opened(LS_REAL(mkstemp)(pattern));
}

int mkstemp64(char *pattern)
{
    return opened(LS_REAL(mkstemp64)(pattern));
}

int mkostemp(char *pattern, int flags)
{
    return opened(LS_REAL(mkostemp)(pattern, flags));
}

int mkostemp64(char *pattern, int flags)
{
    return opened(LS_REAL(mkostemp64)(pattern, flags));
}

int mkstemps(char *pattern, int suffix_length)
{
    return opened(LS_REAL(mkstemps)(pattern, suffix_length));
}

int mkstemps64(char *pattern, int suffix_length)
{
    return opened(LS_REAL(mkstemps64)(pattern, suffix_length));
}

int mkostemps(char *pattern, int suffix_length, int flags)
{
    return opened(LS_REAL(mkostemps)(pattern, suffix_length, flags));
}

int mkostemps64(char *pattern, int suffix_length, int flags)
{
    return opened(LS_REAL(mkostemps64)(pattern, suffix_length, flags));
}

int __open_2(const char *path, int flags)
{
    return opened(LS_REAL(open_2)(path, flags));
}

int __open64_2(const char *path, int flags)
{
    return opened(LS_REAL(open64_2)(path, flags));
}

int __openat_2(int directory, const char *path, int flags)
{
    return opened(LS_REAL(openat_2)(directory, path, flags));
}

int __openat64_2(int directory, const char *path, int flags)
{
    return opened(LS_REAL(openat64_2)(directory, path, flags));
}
