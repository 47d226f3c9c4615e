#include "runtime/picture_order.h"

#include <stdbool.h>

#include "ledger/ledger.h"
#include "runtime/runtime.h"

/* What one descriptor counts for beside sites that are ordered by bytes: somewhat more than the
 * kernel needs for one. Without it they would come last in every list, and be cut off it. */
#define BYTES_PER_COUNTED 16384.0

/* Sockets that fail and are closed at once hold nothing, and are what is looked for: an attempt
 * that failed counts as one that is open, up to 64 MiB of them. */
#define BYTES_PER_SOCKET_SITE 262144.0
#define FAILED_MAX            4096

static double weight(const struct ls_site *site, double bytes, double count)
{
    return ls_site_is_counted(site) ? count * BYTES_PER_COUNTED : bytes;
}

static double growth(const struct ls_site *site)
{
    const struct ls_trend_verdict *verdict = ls_judge_site(site);

    return weight(site, verdict->growth_bytes_per_s, verdict->growth_count_per_s);
}

static double holding(const struct ls_site *site)
{
    double held = weight(site, site->tally.live_bytes, site->tally.live_count);

    if (site->resource != LS_RESOURCE_SOCKET)
        return held;
    return held + BYTES_PER_SOCKET_SITE +
           BYTES_PER_COUNTED * (site->failed < FAILED_MAX ? site->failed : FAILED_MAX);
}

/* True when `first` is listed before `second`. The id decides between equals, so that the order
 * does not jump from summary to summary. */
static bool comes_before(const struct ls_site *first, const struct ls_site *second)
{
    bool first_rises = ls_judge_site(first)->verdict == LS_VERDICT_RISING;
    bool second_rises = ls_judge_site(second)->verdict == LS_VERDICT_RISING;

    if (first_rises != second_rises)
        return first_rises;
    if (first_rises && growth(first) != growth(second))
        return growth(first) > growth(second);
    if (holding(first) != holding(second))
        return holding(first) > holding(second);
    return first->id < second->id;
}

/* Heap sort, since qsort may allocate: the root is the one listed last. */
static void sift_down(const struct ls_site **order, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        const struct ls_site *held = order[root];

        if (child >= count)
            return;
        if (child + 1 < count && comes_before(order[child], order[child + 1]))
            child++;
        if (!comes_before(held, order[child]))
            return;
        order[root] = order[child];
        order[child] = held;
        root = child;
    }
}

static void make_heap(const struct ls_site **order, size_t count)
{
    for (size_t root = count / 2; root-- > 0;)
        sift_down(order, root, count);
}

static void sort(const struct ls_site **order, size_t count)
{
    make_heap(order, count);
    for (size_t end = count; end-- > 1;) {
        const struct ls_site *last = order[0];

        order[0] = order[end];
        order[end] = last;
        sift_down(order, 0, end);
    }
}

static bool may_be_listed(const struct ls_site *site)
{
    return site->tally.live_count > 0 || site->tally.acquired_count > 0 ||
           ls_judge_site(site)->verdict == LS_VERDICT_RISING;
}

size_t ls_picture_order(const struct ls_site **order, size_t top)
{
    size_t count = 0;

    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        const struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (!may_be_listed(site))
            continue;
        if (count < top) {
            order[count++] = site;
            if (count == top)
                make_heap(order, count);
        } else if (comes_before(site, order[0])) {
            order[0] = site;
            sift_down(order, 0, count);
        }
    }
    sort(order, count);
    return count;
}
