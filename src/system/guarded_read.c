#include "system/guarded_read.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "system/syscall.h"

#define AT_ONCE 64

/* Does reads from the first on, until one fails. Returns how many were passed over, the failing one
 * and empty ones included; or -errno. */
static long do_some(struct ls_guarded_read *reads, size_t count)
{
    struct iovec from[AT_ONCE];
    struct iovec into[AT_ONCE];
    size_t taken = 0;
    size_t used = 0;
    long left;

    for (; taken < count && used < AT_ONCE; taken++) {
        if (reads[taken].size == 0)
            continue;
        from[used] = (struct iovec){(void *)reads[taken].address, reads[taken].size};
        into[used++] = (struct iovec){reads[taken].into, reads[taken].size};
    }
    if (used == 0)
        return (long)taken;
    left = ls_sys_call6(SYS_process_vm_readv, ls_sys_getpid(), (long)into, (long)used, (long)from,
                        (long)used, 0);
    if (left == -EFAULT || left == -EINVAL) /* already the first of them; EINVAL: past all memory */
        left = 0;
    if (left < 0)
        return left;
    for (size_t i = 0; i < taken; i++) {
        if (reads[i].size == 0)
            continue;
        if ((size_t)left < reads[i].size)
            return (long)i + 1;
        left -= (long)reads[i].size;
        reads[i].done = true;
    }
    return (long)taken;
}

int ls_guarded_read(struct ls_guarded_read *reads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        reads[i].done = false;
    for (size_t i = 0; i < count;) {
        long passed = do_some(&reads[i], count - i);

        if (passed < 0)
            return (int)passed;
        i += (size_t)passed;
    }
    return 0;
}
