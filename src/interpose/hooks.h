/*
 * Every symbol this library puts in front of the host's own, by family, with its file. The export
 * map (src/leakshim.map) lists the same names; tests/unit/test_hooks.sh holds the two together.
 *
 * A hook is thin: it decides whether the call concerns us, keeps errno, orders our record and the
 * real call, and forwards. It returns exactly what the real call returned.
 *
 *   malloc.c   malloc calloc realloc reallocarray free posix_memalign aligned_alloc memalign valloc
 *              pvalloc malloc_usable_size free_sized free_aligned_sized
 *   process.c  _exit _Exit execve execv execvp execvpe execl execlp execle fexecve execveat
 *   load.c     dlopen dlclose
 *   limits.c   setrlimit setrlimit64 prlimit prlimit64 mlockall
 *   alone.c    unshare setns
 *   loop.c     epoll_wait epoll_pwait epoll_pwait2
 *   environment.c readlink
 *   descriptor.c close close_range closefrom dup dup2 dup3 fcntl fcntl64
 *   raw.c      syscall
 *   socket.c   socket socketpair accept accept4 connect getsockopt recvmsg recvmmsg
 *   file.c     open open64 openat openat64 creat creat64 __open_2 __open64_2 __openat_2
 *              __openat64_2 pipe pipe2 epoll_create epoll_create1 eventfd timerfd_create signalfd
 *              inotify_init inotify_init1 memfd_create mkstemp mkstemp64 mkostemp mkostemp64
 *              mkstemps mkstemps64 mkostemps mkostemps64
 *   stream.c   fopen fopen64 freopen freopen64 fclose popen pclose tmpfile tmpfile64 opendir
 *              closedir
 *
 * Left alone, and why:
 *   operator new and delete   reach malloc by themselves; taking over some forms breaks programs
 *                             that replace others
 *   fork                      pthread_atfork also sees the forks libc makes itself
 *   vfork, posix_spawn, clone the child shares our memory and must not change it; what it allocates
 *                             there is its parent's. _exit and exec ask whether the caller is such
 *                             a child before they touch anything
 *   quick_exit                at_quick_exit sees every caller
 */
#ifndef LS_INTERPOSE_HOOKS_H
#define LS_INTERPOSE_HOOKS_H

/*
 * What the hooks call upwards, set by the runtime when it starts; until then they only forward.
 * The functions themselves keep errno.
 */
struct ls_hook_targets {
    /* The process is about to end, or to become another program unless exec fails, on this thread.
     */
    void (*before_end)(void);
    /* Around a call that the kernel refuses to a process with more than one thread. */
    void (*before_alone)(void);
    void (*after_alone)(void);
    /* A module is about to be unloaded. */
    void (*before_unload)(void);
    /* An event-loop thread is about to wait: no JavaScript is running. */
    void (*safe_point)(int loop);
    /* A thread may be about to run JavaScript. */
    void (*environment_begins)(void);
};

/* Not atomic: written once by the constructor, before the host has threads, or under start=off by
 * leakshim_start with each pointer written whole. */
extern struct ls_hook_targets ls_hook_targets;

/* descriptor.c: before a close_range, however it is called. */
void ls_hook_closing_range(unsigned first, unsigned last, unsigned flags);

#endif
