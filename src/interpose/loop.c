/*
 * The event loop's wait. A thread that enters it runs no JavaScript: the one point at which V8 may
 * be read from outside (src/v8/tracker.h). What lies between two waits is a turn of the loop, which
 * is timed (src/capture/loop_clock.h).
 */
#include <sys/epoll.h>
#include <time.h>

#include "base/compiler.h"
#include "capture/connections.h"
#include "capture/loop_clock.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT int epoll_wait(int fd, struct epoll_event *events, int capacity, int timeout);
LS_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int capacity, int timeout,
                          const sigset_t *mask);
LS_EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int capacity,
                           const struct timespec *timeout, const sigset_t *mask);

/* Reading V8 comes first: it keeps the loop's events waiting and so is part of the turn. */
LS_INLINE struct ls_loop_clock *enter_wait(int loop, bool sleeps)
{
    void (*safe_point)(int) = ls_hook_targets.safe_point;

    if (safe_point != NULL)
        safe_point(loop);
    ls_connections_ask();
    return ls_loop_clock_enter(loop, sleeps);
}

int epoll_wait(int fd, struct epoll_event *events, int capacity, int timeout)
{
    struct ls_loop_clock *clock = enter_wait(fd, timeout != 0);
    int count = LS_REAL(epoll_wait)(fd, events, capacity, timeout);

    ls_loop_clock_leave(clock);
    return count;
}

int epoll_pwait(int fd, struct epoll_event *events, int capacity, int timeout, const sigset_t *mask)
{
    struct ls_loop_clock *clock = enter_wait(fd, timeout != 0);
    int count = LS_REAL(epoll_pwait)(fd, events, capacity, timeout, mask);

    ls_loop_clock_leave(clock);
    return count;
}

/* The timeout is the host's memory and may be anything: who looks at it is the kernel. */
int epoll_pwait2(int fd, struct epoll_event *events, int capacity, const struct timespec *timeout,
                 const sigset_t *mask)
{
    struct ls_loop_clock *clock = enter_wait(fd, true);
    int count = LS_REAL(epoll_pwait2)(fd, events, capacity, timeout, mask);

    ls_loop_clock_leave(clock);
    return count;
}
