#include "capture/resource.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/callsite.h"
#include "capture/thread.h"
#include "ledger/kinds.h"
#include "ledger/ledger.h"
#include "system/clock.h"
#include "system/syscall.h"

static _Atomic uint32_t tracked;
/* Relaxed: written before the process has other threads that look at it, or by a forked child. */
static _Atomic int owner;
static _Atomic uint64_t missed;

void ls_resource_set_tracked(uint32_t kinds)
{
    ls_store_release(&tracked, kinds); /* D1 pairs with D2 */
}

void ls_resource_adopt_process(void)
{
    ls_store_relaxed(&owner, ls_sys_getpid());
}

bool ls_resource_is_own_process(void)
{
    return ls_load_relaxed(&owner) == ls_sys_getpid();
}

bool ls_resource_is_tracked(enum ls_resource resource)
{
    return (ls_load_acquire(&tracked) >> resource & 1) != 0 && /* D2 pairs with D1 */
           ls_resource_is_own_process();
}

/* Inlined into the function that the hook calls, whose frame `record` is. */
LS_INLINE uint32_t acquire(enum ls_resource resource, const char *name, uint64_t size,
                           const void *record)
{
    int saved_errno = errno;
    uint64_t now_ns = ls_clock_coarse_ns();
    struct ls_thread *thread;
    uint32_t stack;
    uint32_t slot;

    if (!ls_resource_is_tracked(resource))
        return 0;
    thread = ls_thread_enter();
    if (thread == NULL) {
        if (!ls_thread_is_own_work())
            ls_resource_miss();
        return 0;
    }
    stack = ls_callsite_stack(thread, record);
    if (name != NULL)
        stack = ls_kind_stack(stack, ls_kind_obtain(name), now_ns);
    slot = ls_ledger_acquire(resource, stack, size, 1, now_ns);
    ls_thread_leave();
    errno = saved_errno;
    return slot;
}

uint32_t ls_resource_acquire(enum ls_resource resource, uint64_t size)
{
    return acquire(resource, NULL, size, __builtin_frame_address(0));
}

uint32_t ls_resource_acquire_named(enum ls_resource resource, const char *name, uint64_t size)
{
    return acquire(resource, name, size, __builtin_frame_address(0));
}

uint32_t ls_resource_adopt(enum ls_resource resource, enum ls_resource_origin origin)
{
    uint64_t now_ns = ls_clock_coarse_ns();
    const uintptr_t made_up = (uintptr_t)origin;

    if (!ls_resource_is_tracked(resource))
        return 0;
    return ls_ledger_acquire(
        resource, ls_stack_table_intern(&ls_ledger.stacks, &made_up, 1, now_ns), 0, 1, now_ns);
}

void ls_resource_release(uint32_t slot)
{
    if (slot != 0)
        ls_ledger_release(slot);
}

void ls_resource_miss(void)
{
    /* Relaxed: a statistic. */
    ls_add_relaxed(&missed, 1);
}

uint64_t ls_resource_missed(void)
{
    return ls_load_relaxed(&missed);
}
