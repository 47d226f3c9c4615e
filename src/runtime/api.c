/*
 * The public functions, thin: each asks the runtime and keeps to what leakshim.h promises.
 */
#include "leakshim/leakshim.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "capture/exact.h"
#include "capture/heap.h"
#include "capture/mappings.h"
#include "capture/resource.h"
#include "ledger/ledger.h"
#include "runtime/runtime.h"
#include "system/clock.h"
#include "system/memory.h"

#define FLUSH_NS (10 * LS_NS_PER_S)
#define LOCK_NS  LS_NS_PER_S

LEAKSHIM_API int leakshim_start(void)
{
    return ls_runtime_activate();
}

LEAKSHIM_API int leakshim_stop(void)
{
    if (!ls_runtime_owns_process())
        return -ENOTSUP;
    ls_heap_set_mode(LS_HEAP_WAITING);
    ls_resource_set_tracked(0);
    if (ls_mappings_active())
        ls_mappings_set_mode(LS_MAPPINGS_STOPPED);
    return 0;
}

LEAKSHIM_API int leakshim_flush(void)
{
    if (!ls_runtime_owns_process())
        return -ENOTSUP;
    return ls_collector_request(LS_REQUEST_FLUSH, FLUSH_NS);
}

static int64_t rounded(double value)
{
    return (int64_t)(value + (value < 0 ? -0.5 : 0.5));
}

/* With all that was acquired and released until now counted, also since the last summary. -ENOTSUP
 * when the library is not active; else ls_collector_unlock ends it. */
static int begin_counting(void)
{
    if (!ls_runtime_owns_process() || !ls_collector_lock(LOCK_NS))
        return -ENOTSUP;
    ls_ledger_drain();
    ls_exact_settle();
    return 0;
}

static void sum_heap(struct leakshim_stats *stats)
{
    struct ls_tally sum;

    ls_ledger_sum(LS_RESOURCE_HEAP, &sum);
    stats->live_bytes = (uint64_t)rounded(sum.live_bytes);
    stats->live_count = (uint64_t)rounded(sum.live_count);
    stats->acquired_bytes = (uint64_t)rounded(sum.acquired_bytes);
    stats->acquired_count = (uint64_t)rounded(sum.acquired_count);
}

static void count_sites(struct leakshim_stats *stats)
{
    stats->sites = ls_ledger.sites.count;
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        const struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        stats->rising_sites += ls_judge_site(site)->verdict == LS_VERDICT_RISING;
    }
}

LEAKSHIM_API int leakshim_stats(struct leakshim_stats *stats)
{
    struct leakshim_stats full = {0};
    size_t size = stats->size;
    int status;

    if (size == 0)
        return -EINVAL;
    if (size > sizeof(full))
        size = sizeof(full);
    status = begin_counting();
    if (status == 0) {
        sum_heap(&full);
        count_sites(&full);
        ls_collector_unlock();
        full.lost_acquires = ls_load_relaxed(&ls_ledger.lost_acquires) + ls_heap_missed_blocks() +
                             ls_resource_missed();
        full.lost_releases = ls_load_relaxed(&ls_ledger.lost_releases);
        full.own_bytes = ls_memory_own_bytes();
    }
    full.size = stats->size;
    memcpy(stats, &full, size);
    return status;
}

/* Inactive, all do nothing: without a table there is no tracked kind, and no slot but 0. */
LEAKSHIM_API uint64_t leakshim_acquire(size_t bytes)
{
    if (!ls_resource_is_tracked(LS_RESOURCE_CUSTOM))
        return 0;
    return ls_resource_acquire(LS_RESOURCE_CUSTOM, bytes);
}

LEAKSHIM_API uint64_t leakshim_acquire_named(const char *kind, size_t bytes)
{
    if (!ls_resource_is_tracked(LS_RESOURCE_CUSTOM))
        return 0;
    return ls_resource_acquire_named(LS_RESOURCE_CUSTOM, kind, bytes);
}

LEAKSHIM_API void leakshim_release(uint64_t handle)
{
    if (handle != 0 && handle <= UINT32_MAX && ls_resource_is_own_process())
        ls_resource_release((uint32_t)handle);
}

static int64_t count_of(enum ls_resource resource)
{
    struct ls_tally sum;

    ls_ledger_sum(resource, &sum);
    return rounded(sum.live_count);
}

static void sum_live(struct leakshim_live *live)
{
    struct ls_tally heap;
    struct ls_tally custom;

    ls_ledger_sum(LS_RESOURCE_HEAP, &heap);
    ls_ledger_sum(LS_RESOURCE_CUSTOM, &custom);
    live->taken_ns = (int64_t)ls_clock_monotonic_ns();
    live->heap_bytes = rounded(heap.live_bytes);
    live->heap_count = rounded(heap.live_count);
    live->thread_count = count_of(LS_RESOURCE_THREAD);
    live->socket_count = count_of(LS_RESOURCE_SOCKET);
    live->file_count = count_of(LS_RESOURCE_FILE);
    live->custom_bytes = rounded(custom.live_bytes);
    live->custom_count = rounded(custom.live_count);
}

static int take_live(struct leakshim_live *live)
{
    int status = begin_counting();

    if (status == 0) {
        sum_live(live);
        ls_collector_unlock();
    }
    return status;
}

/* As much of `full` as the caller's struct has room for. */
static void hand_over(struct leakshim_live *live, const struct leakshim_live *full)
{
    size_t size = live->size;

    memcpy(live, full, size < sizeof(*full) ? size : sizeof(*full));
    live->size = size;
}

LEAKSHIM_API int leakshim_mark(struct leakshim_live *mark)
{
    struct leakshim_live full = {0};
    int status;

    if (mark->size < sizeof(mark->size))
        return -EINVAL;
    status = take_live(&full);
    hand_over(mark, &full);
    return status;
}

LEAKSHIM_API int leakshim_growth_since(const struct leakshim_live *mark,
                                       struct leakshim_live *growth)
{
    struct leakshim_live full = {0};
    struct leakshim_live before = {0};
    int status;

    if (mark->size < sizeof(mark->size) || growth->size < sizeof(growth->size))
        return -EINVAL;
    memcpy(&before, mark, mark->size < sizeof(before) ? mark->size : sizeof(before));
    status = take_live(&full);
    if (status == 0) {
        full.taken_ns -= before.taken_ns;
        full.heap_bytes -= before.heap_bytes;
        full.heap_count -= before.heap_count;
        full.thread_count -= before.thread_count;
        full.socket_count -= before.socket_count;
        full.file_count -= before.file_count;
        full.custom_bytes -= before.custom_bytes;
        full.custom_count -= before.custom_count;
    }
    hand_over(growth, &full);
    return status;
}
