/*
 * Descriptors of any kind: closed and copied. The record of a close comes before the real call:
 * afterwards another thread could be given the number in between. That of a copy comes after it:
 * dup2 closes and opens the number at once, so nobody can come between.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/compiler.h"
#include "capture/descriptors.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT int close(int fd);
LS_EXPORT int close_range(unsigned first, unsigned last, int flags);
LS_EXPORT void closefrom(int first);
LS_EXPORT int dup(int fd);
LS_EXPORT int dup2(int fd, int copy);
LS_EXPORT int dup3(int fd, int copy, int flags);
LS_EXPORT int fcntl(int fd, int command, ...);
LS_EXPORT int fcntl64(int fd, int command, ...);

int close(int fd)
{
    ls_descriptor_closing(fd);
    return LS_REAL(close)(fd);
}

/* With CLOSE_RANGE_UNSHARE only the calling thread's descriptors go. */
void ls_hook_closing_range(unsigned first, unsigned last, unsigned flags)
{
    if (first <= last && flags == 0)
        ls_descriptors_closing_range(first, last);
}

int close_range(unsigned first, unsigned last, int flags)
{
    ls_hook_closing_range(first, last, (unsigned)flags);
    return LS_REAL(close_range)(first, last, flags);
}

void closefrom(int first)
{
    ls_hook_closing_range(first < 0 ? 0 : (unsigned)first, ~0u, 0);
    LS_REAL(closefrom)(first);
}

static int copied(int fd, int copy)
{
    ls_descriptor_copied(fd, copy);
    return copy;
}

int dup(int fd)
{
    return copied(fd, LS_REAL(dup)(fd));
}

int dup2(int fd, int copy)
{
    return copied(fd, LS_REAL(dup2)(fd, copy));
}

int dup3(int fd, int copy, int flags)
{
    return copied(fd, LS_REAL(dup3)(fd, copy, flags));
}

/* The argument is a number, a pointer or none; libc, too, reads it as one word whichever it is. */
static int control(int fd, int command, long argument)
{
    int result = LS_REAL(fcntl)(fd, command, argument);

    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, result) : result;
}

int fcntl(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    return control(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    return control(fd, command, argument);
}
