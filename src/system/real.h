/*
 * The functions that stand behind our hooks: what the host would have called without us, which is
 * libc or another allocator preloaded after us.
 *
 * Before resolution every entry points at a function that resolves the table first, so the table is
 * usable from the very first call in the process, before any constructor. dlsym itself may allocate
 * while it resolves; such blocks come from a small static buffer and are never given back.
 * Thread-safe and idempotent.
 */
#ifndef LS_SYSTEM_REAL_H
#define LS_SYSTEM_REAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>

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
    int (*dlclose)(void *);
    int (*epoll_wait)(int, struct epoll_event *, int, int);
    int (*epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);
};

extern struct ls_real_functions ls_real;

void ls_real_resolve(void);

/* True when the program's own malloc, or a library before us, answers for malloc: then our hooks
 * see no allocations. Takes the loader's lock; not from inside a hook. */
bool ls_real_malloc_is_foreign(const void *our_malloc);

#endif
