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

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>

struct ls_real_functions {
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
};

extern struct ls_real_functions ls_real;

void ls_real_resolve(void);

/* An entry outside the malloc family. */
#define LS_REAL(entry) (*(ls_real.entry != NULL ? &ls_real : (ls_real_resolve(), &ls_real))->entry)

#endif
