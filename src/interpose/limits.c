/*
 * Limits the host sets on itself, and its wish to keep all its memory resident. Our reserved
 * addresses count against RLIMIT_AS, and for mlockall, like used ones, so they are given back
 * before.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/compiler.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/real.h"

LS_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);
LS_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit);
LS_EXPORT int prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *limit,
                      struct rlimit *old_limit);
LS_EXPORT int prlimit64(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *limit,
                        struct rlimit64 *old_limit);

LS_EXPORT int mlockall(int flags);

_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one layout on 64-bit systems");

static void adapt_to(rlim_t limit_bytes)
{
    struct ls_process_memory memory;
    int saved_errno = errno;

    if (ls_process_read_memory(&memory) == 0)
        ls_memory_limit_addresses(limit_bytes, memory.virtual_bytes);
    errno = saved_errno;
}

static void prepare_for(int resource, const struct rlimit *limit)
{
    if (resource == RLIMIT_AS && limit != NULL && limit->rlim_cur != RLIM_INFINITY)
        adapt_to(limit->rlim_cur);
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    prepare_for((int)resource, limit);
    return LS_REAL(setrlimit)((int)resource, limit);
}

int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    return setrlimit(resource, (const struct rlimit *)(const void *)limit);
}

int prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *limit,
            struct rlimit *old_limit)
{
    if (pid == 0 || pid == getpid())
        prepare_for((int)resource, limit);
    return LS_REAL(prlimit)(pid, (int)resource, limit, old_limit);
}

int prlimit64(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *limit,
              struct rlimit64 *old_limit)
{
    return prlimit(pid, resource, (const struct rlimit *)(const void *)limit,
                   (struct rlimit *)(void *)old_limit);
}

int mlockall(int flags)
{
    /* What is left of the range once memory is dear: some tens of megabytes for blocks to come. */
    const uint64_t as_if_limited_to = UINT64_C(2) << 30;

    if ((flags & MCL_CURRENT) != 0)
        ls_memory_limit_addresses(as_if_limited_to, UINT64_MAX);
    return LS_REAL(mlockall)(flags);
}
