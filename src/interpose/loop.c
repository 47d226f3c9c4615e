/*
 * The event loop's wait. A thread that enters it runs no JavaScript: the one point at which V8 may
 * be read from outside (src/v8/tracker.h).
 */
#include <sys/epoll.h>

#include "base/compiler.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT int epoll_wait(int fd, struct epoll_event *events, int capacity, int timeout);
LS_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int capacity, int timeout,
                          const sigset_t *mask);

LS_INLINE void reach_safe_point(int loop)
{
    void (*safe_point)(int) = ls_hook_targets.safe_point;

    if (safe_point != NULL)
        safe_point(loop);
}

int epoll_wait(int fd, struct epoll_event *events, int capacity, int timeout)
{
    reach_safe_point(fd);
    return LS_REAL(epoll_wait)(fd, events, capacity, timeout);
}

int epoll_pwait(int fd, struct epoll_event *events, int capacity, int timeout, const sigset_t *mask)
{
    reach_safe_point(fd);
    return LS_REAL(epoll_pwait)(fd, events, capacity, timeout, mask);
}
