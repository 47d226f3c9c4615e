#include "system/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

long ls_sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
#else
#error "system calls are written for x86-64 and aarch64"
#endif
}

#define CALL(number, a, b, c, d, e, f)                                                             \
    ls_sys_call6((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

void *ls_sys_mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)
{
    return (void *)CALL(SYS_mmap, address, length, protection, flags, fd, offset);
}

int ls_sys_mmap_failed(const void *address)
{
    return (uintptr_t)address > (uintptr_t)-4096;
}

long ls_sys_munmap(void *address, size_t length)
{
    return CALL(SYS_munmap, address, length, 0, 0, 0, 0);
}

long ls_sys_mprotect(void *address, size_t length, int protection)
{
    return CALL(SYS_mprotect, address, length, protection, 0, 0, 0);
}

long ls_sys_madvise(void *address, size_t length, int advice)
{
    return CALL(SYS_madvise, address, length, advice, 0, 0, 0);
}

long ls_sys_openat(int directory, const char *path, int flags, mode_t mode)
{
    return CALL(SYS_openat, directory, path, flags, mode, 0, 0);
}

long ls_sys_close(int fd)
{
    return CALL(SYS_close, fd, 0, 0, 0, 0, 0);
}

long ls_sys_read(int fd, void *buffer, size_t length)
{
    return CALL(SYS_read, fd, buffer, length, 0, 0, 0);
}

long ls_sys_pread(int fd, void *buffer, size_t length, int64_t offset)
{
    return CALL(SYS_pread64, fd, buffer, length, offset, 0, 0);
}

long ls_sys_write(int fd, const void *buffer, size_t length)
{
    return CALL(SYS_write, fd, buffer, length, 0, 0, 0);
}

long ls_sys_fstat(int fd, struct stat *status)
{
    return CALL(SYS_fstat, fd, status, 0, 0, 0, 0);
}

long ls_sys_mkdirat(int directory, const char *path, mode_t mode)
{
    return CALL(SYS_mkdirat, directory, path, mode, 0, 0, 0);
}

long ls_sys_renameat(int old_directory, const char *old_path, int new_directory,
                     const char *new_path)
{
    return CALL(SYS_renameat2, old_directory, old_path, new_directory, new_path, 0, 0);
}

long ls_sys_unlinkat(int directory, const char *path, int flags)
{
    return CALL(SYS_unlinkat, directory, path, flags, 0, 0, 0);
}

long ls_sys_readlinkat(int directory, const char *path, char *buffer, size_t length)
{
    return CALL(SYS_readlinkat, directory, path, buffer, length, 0, 0);
}

long ls_sys_getdents64(int fd, void *buffer, size_t length)
{
    return CALL(SYS_getdents64, fd, buffer, length, 0, 0, 0);
}

long ls_sys_fcntl(int fd, int command, long argument)
{
    return CALL(SYS_fcntl, fd, command, argument, 0, 0, 0);
}

long ls_sys_ftruncate(int fd, int64_t length)
{
    return CALL(SYS_ftruncate, fd, length, 0, 0, 0, 0);
}

pid_t ls_sys_getpid(void)
{
    return (pid_t)CALL(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

pid_t ls_sys_gettid(void)
{
    return (pid_t)CALL(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

uid_t ls_sys_geteuid(void)
{
    return (uid_t)CALL(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

long ls_sys_futex_wait(const void *word, uint32_t expected, const struct timespec *timeout)
{
    return CALL(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout, 0, 0);
}

long ls_sys_futex_wake(const void *word, int waiters)
{
    return CALL(SYS_futex, word, FUTEX_WAKE_PRIVATE, waiters, 0, 0, 0);
}

int ls_sys_write_all(int fd, const void *buffer, size_t length)
{
    const char *cursor = buffer;

    while (length > 0) {
        long written = ls_sys_write(fd, cursor, length);

        if (written == -EINTR)
            continue;
        if (written < 0)
            return (int)written;
        if (written == 0)
            return -EIO;
        cursor += written;
        length -= (size_t)written;
    }
    return 0;
}

long ls_sys_read_file(const char *path, char *buffer, size_t capacity)
{
    long fd = ls_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    size_t length = 0;
    long result = 0;

    if (fd < 0)
        return fd;
    while (length < capacity - 1) {
        result = ls_sys_read((int)fd, buffer + length, capacity - 1 - length);
        if (result == -EINTR)
            continue;
        if (result <= 0)
            break;
        length += (size_t)result;
    }
    ls_sys_close((int)fd);
    buffer[length] = '\0';
    return result < 0 ? result : (long)length;
}

/*
 * rt_sigprocmask reads the new mask before it looks at `how`: with a `how` it does not know it says
 * EINVAL for readable memory and EFAULT otherwise, and changes nothing
 * (kernel/signal.c, SYSCALL_DEFINE4(rt_sigprocmask)).
 */
bool ls_sys_is_readable(uintptr_t address)
{
    const long unknown_how = ~0L;
    const long kernel_mask_bytes = 8;

    return ls_sys_call6(SYS_rt_sigprocmask, unknown_how, (long)address, 0, kernel_mask_bytes, 0,
                        0) == -EINVAL;
}

void ls_sys_sleep(long ns)
{
    const struct timespec pause = {0, ns};

    ls_sys_call6(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
}
