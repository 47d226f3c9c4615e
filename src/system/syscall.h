/*
 * Raw system calls: no errno, no cancellation point, no symbol a preloaded library could have
 * replaced (ours included). Each returns the kernel's value: a result, or -errno.
 * Async-signal-safe, usable before libc is relocated and in a vfork child.
 */
#ifndef LS_SYSTEM_SYSCALL_H
#define LS_SYSTEM_SYSCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

long ls_sys_call6(long number, long a, long b, long c, long d, long e, long f);

void *ls_sys_mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset);
/* True when ls_sys_mmap failed: the pointer then holds -errno. */
int ls_sys_mmap_failed(const void *address);
long ls_sys_munmap(void *address, size_t length);
long ls_sys_mprotect(void *address, size_t length, int protection);
long ls_sys_madvise(void *address, size_t length, int advice);

long ls_sys_openat(int directory, const char *path, int flags, mode_t mode);
long ls_sys_close(int fd);
long ls_sys_read(int fd, void *buffer, size_t length);
long ls_sys_pread(int fd, void *buffer, size_t length, int64_t offset);
long ls_sys_write(int fd, const void *buffer, size_t length);
long ls_sys_fstat(int fd, struct stat *status);
long ls_sys_mkdirat(int directory, const char *path, mode_t mode);
long ls_sys_renameat(int old_directory, const char *old_path, int new_directory,
                     const char *new_path);
long ls_sys_unlinkat(int directory, const char *path, int flags);
long ls_sys_readlinkat(int directory, const char *path, char *buffer, size_t length);
long ls_sys_getdents64(int fd, void *buffer, size_t length);
long ls_sys_fcntl(int fd, int command, long argument);
long ls_sys_ftruncate(int fd, int64_t length);

pid_t ls_sys_getpid(void);
pid_t ls_sys_gettid(void);
uid_t ls_sys_geteuid(void);

/* Whether a word at `address` can be read; false as well where the kernel will not say. */
bool ls_sys_is_readable(uintptr_t address);

/* Sleeps that long, or until a signal. */
void ls_sys_sleep(long ns);
/* Waits while *word == expected, at most `timeout` (relative; NULL: for ever). */
long ls_sys_futex_wait(const void *word, uint32_t expected, const struct timespec *timeout);
long ls_sys_futex_wake(const void *word, int waiters);

/* Writes all of `length` bytes, through short writes and EINTR. 0 or -errno. */
int ls_sys_write_all(int fd, const void *buffer, size_t length);
/* Reads at most capacity - 1 bytes of a small file such as those in /proc and adds a zero byte.
 * Returns the length or -errno. */
long ls_sys_read_file(const char *path, char *buffer, size_t capacity);

#endif
