/*
 * Calls that the kernel refuses to a process with more than one thread: a new user namespace, and
 * joining some. Ours ends before and starts anew after.
 */
#include <errno.h>
#include <sched.h>

#include "base/compiler.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT int unshare(int flags);
LS_EXPORT int setns(int fd, int type);

static void before(void)
{
    if (ls_hook_targets.before_alone != NULL)
        ls_hook_targets.before_alone();
}

static int after(int result)
{
    int saved_errno = errno;

    if (ls_hook_targets.after_alone != NULL)
        ls_hook_targets.after_alone();
    errno = saved_errno;
    return result;
}

int unshare(int flags)
{
    before();
    return after(LS_REAL(unshare)(flags));
}

int setns(int fd, int type)
{
    before();
    return after(LS_REAL(setns)(fd, type));
}
