/*
 * The functions that stand behind our hooks: what the host would have called without us, which is
 * libc or another allocator preloaded after us.
 *
 * The malloc family's entries point at functions that resolve the table first, so they are usable
 * from the very first call in the process, before any constructor. dlsym itself may allocate while
 * it resolves; such blocks come from a small static buffer and are never given back. The other
 * entries are NULL until then and are called through LS_REAL. Thread-safe and idempotent.
 */
#ifndef LS_SYSTEM_REAL_H
#define LS_SYSTEM_REAL_H

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

struct ls_real_functions {
    /* First: the hook in raw.c finds it without knowing the offset. Usable from the start, too. */
    long (*syscall_by_number)(long, long, long, long, long, long, long);

    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    size_t (*malloc_usable_size)(void *);

    void (*exit_now)(int); /* _exit */
    int (*execve)(const char *, char *const[], char *const[]);
    int (*execv)(const char *, char *const[]);
    int (*execvp)(const char *, char *const[]);
    int (*execvpe)(const char *, char *const[], char *const[]);
    int (*fexecve)(int, char *const[], char *const[]);
    int (*execveat)(int, const char *, char *const[], char *const[], int); /* NULL before 2.34 */
    void *(*dlopen)(const char *, int);
    int (*dlclose)(void *);
    int (*unshare)(int);
    int (*setns)(int, int);
    int (*mlockall)(int);
    int (*setrlimit)(int, const struct rlimit *);
    int (*prlimit)(pid_t, int, const struct rlimit *, struct rlimit *);
    int (*epoll_wait)(int, struct epoll_event *, int, int);
    int (*epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);
    int (*epoll_pwait2)(int, struct epoll_event *, int, const struct timespec *,
                        const sigset_t *); /* ENOSYS before 2.35 */
    ssize_t (*readlink)(const char *, char *, size_t);

    int (*close)(int);
    int (*close_range)(unsigned, unsigned, int); /* ENOSYS before 2.34 */
    void (*closefrom)(int);
    int (*dup)(int);
    int (*dup2)(int, int);
    int (*dup3)(int, int, int);
    int (*fcntl)(int, int, ...);

    int (*socket)(int, int, int);
    int (*socketpair)(int, int, int, int[2]);
    int (*accept)(int, struct sockaddr *, socklen_t *);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*connect)(int, const struct sockaddr *, socklen_t);
    int (*getsockopt)(int, int, int, void *, socklen_t *);
    ssize_t (*recvmsg)(int, struct msghdr *, int);
    int (*recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);

    int (*open)(const char *, int, ...);
    int (*open64)(const char *, int, ...);
    int (*openat)(int, const char *, int, ...);
    int (*openat64)(int, const char *, int, ...);
    int (*open_2)(const char *, int); /* __open_2 and so on */
    int (*open64_2)(const char *, int);
    int (*openat_2)(int, const char *, int);
    int (*openat64_2)(int, const char *, int);
    int (*creat)(const char *, mode_t);
    int (*creat64)(const char *, mode_t);
    int (*pipe)(int[2]);
    int (*pipe2)(int[2], int);
    int (*epoll_create)(int);
    int (*epoll_create1)(int);
    int (*eventfd)(unsigned, int);
    int (*timerfd_create)(int, int);
    int (*signalfd)(int, const sigset_t *, int);
    int (*inotify_init)(void);
    int (*inotify_init1)(int);
    int (*memfd_create)(const char *, unsigned);
    int (*mkstemp)(char *);
    int (*mkstemp64)(char *);
    int (*mkostemp)(char *, int);
    int (*mkostemp64)(char *, int);
    int (*mkstemps)(char *, int);
    int (*mkstemps64)(char *, int);
    int (*mkostemps)(char *, int, int);
    int (*mkostemps64)(char *, int, int);

    FILE *(*fopen)(const char *, const char *);
    FILE *(*fopen64)(const char *, const char *);
    FILE *(*freopen)(const char *, const char *, FILE *);
    FILE *(*freopen64)(const char *, const char *, FILE *);
    int (*fclose)(FILE *);
    FILE *(*popen)(const char *, const char *);
    int (*pclose)(FILE *);
    FILE *(*tmpfile)(void);
    FILE *(*tmpfile64)(void);
    DIR *(*opendir)(const char *);
    int (*closedir)(DIR *);
};

extern struct ls_real_functions ls_real;

void ls_real_resolve(void);

/* An entry outside the malloc family. */
#define LS_REAL(entry) (*(ls_real.entry != NULL ? &ls_real : (ls_real_resolve(), &ls_real))->entry)

#endif
