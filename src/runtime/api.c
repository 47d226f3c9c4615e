/*
 * The public functions, thin: each asks the runtime and keeps to what leakshim.h promises.
 */
#include "leakshim/leakshim.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "capture/exact.h"
#include "capture/heap.h"
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
    return 0;
}

LEAKSHIM_API int leakshim_flush(void)
{
    if (!ls_runtime_owns_process())
        return -ENOTSUP;
    return ls_collector_request(LS_REQUEST_FLUSH, FLUSH_NS);
}

/* From the stacks and not from the sites: what was acquired since the last summary counts too. */
static void sum_heap(struct leakshim_stats *stats)
{
    struct ls_tally sum;

    ls_ledger_sum(LS_RESOURCE_HEAP, &sum);
    stats->live_bytes = (uint64_t)(sum.live_bytes + 0.5);
    stats->live_count = (uint64_t)(sum.live_count + 0.5);
    stats->acquired_bytes = (uint64_t)(sum.acquired_bytes + 0.5);
    stats->acquired_count = (uint64_t)(sum.acquired_count + 0.5);
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
    int status = 0;

    if (size == 0)
        return -EINVAL;
    if (size > sizeof(full))
        size = sizeof(full);
    if (!ls_runtime_owns_process() || !ls_collector_lock(LOCK_NS)) {
        status = -ENOTSUP;
    } else {
        ls_ledger_drain();
        ls_exact_settle();
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
