#include "capture/unwind_imports.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "system/rebind.h"
#include "system/syscall.h"

#define PAGE_BYTES 4096

/* libunwind asks with whole pages, before its probe by write. */
static int probe_pages(void *start, size_t length)
{
    uintptr_t page = (uintptr_t)start;

    for (size_t at = 0; at < length; at += PAGE_BYTES) {
        if (!ls_sys_is_readable(page + at)) {
            errno = ENOMEM;
            return -1;
        }
    }
    return 0;
}

static int probing_mincore(void *start, size_t length, unsigned char *resident)
{
    (void)resident;
    return probe_pages(start, length);
}

static int probing_msync(void *start, size_t length, int flags)
{
    (void)flags;
    return probe_pages(start, length);
}

static int no_pipe2(int fds[2], int flags)
{
    (void)flags;
    fds[0] = -1;
    fds[1] = -1;
    return 0;
}

/*
 * libunwind drains its pipe by one byte before it writes one; the pipe does not exist. It reads ELF
 * files by mapping them, so this is its only use of read and write on a descriptor of -1.
 *
 * It repeats both for as long as errno is EINTR, whatever they returned, and errno may be EINTR
 * from before: a call of the host that a signal interrupted. So success clears it; the hook puts
 * the host's value back.
 */
static ssize_t reading(int fd, void *buffer, size_t length)
{
    long result;

    errno = 0;
    if (fd == -1)
        return 1;
    result = ls_sys_read(fd, buffer, length);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

static ssize_t writing(int fd, const void *buffer, size_t length)
{
    (void)buffer;
    errno = 0;
    if (fd == -1)
        return (ssize_t)length;
    errno =
        EBADF; /* libunwind has nothing to write anywhere else, least of all to the host's files */
    return -1;
}

/* The probe by write is made through syscall(2) where libunwind was built with it. */
static long calling(long number, long a, long b, long c, long d, long e, long f)
{
    long result;

    if (number == SYS_write)
        return writing((int)a, (const void *)b, (size_t)c);
    errno = 0;
    result = ls_sys_call6(number, a, b, c, d, e, f);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

static const struct ls_rebinding imports[] = {
    {"mincore", (void (*)(void))probing_mincore}, {"msync", (void (*)(void))probing_msync},
    {"pipe2", (void (*)(void))no_pipe2},          {"read", (void (*)(void))reading},
    {"write", (void (*)(void))writing},           {"syscall", (void (*)(void))calling},
};

int ls_unwind_confine(void *library)
{
    struct link_map *map = NULL;

    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || map == NULL)
        return -ENOENT;
    return ls_rebind(map, imports, sizeof(imports) / sizeof(imports[0]));
}
