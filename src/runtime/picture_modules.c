#include "runtime/picture_modules.h"

#include <errno.h>

#include "base/atomic.h"
#include "ledger/ledger.h"
#include "runtime/runtime.h"

/* Sites whose acquires nobody saw, and those that the tables had no room for, are nobody's. */
static bool has_module(const struct ls_site *site)
{
    return !site->overflow && site->origin == 0;
}

static bool comes_before(const struct ls_snapshot_module *first,
                         const struct ls_snapshot_module *second)
{
    bool first_rises = first->rising_sites > 0;
    bool second_rises = second->rising_sites > 0;

    if (first_rises != second_rises)
        return first_rises;
    if (first_rises && first->growth_bytes_per_s != second->growth_bytes_per_s)
        return first->growth_bytes_per_s > second->growth_bytes_per_s;
    return first->live_bytes > second->live_bytes;
}

/* By insertion: a process has some tens of modules with sites, and qsort may allocate. */
static size_t insert(struct ls_snapshot_module *views, size_t used,
                     const struct ls_snapshot_module *view)
{
    struct ls_snapshot_module inserted = *view;
    size_t at = used;

    while (at > 0 && comes_before(&inserted, &views[at - 1])) {
        views[at] = views[at - 1];
        at--;
    }
    views[at] = inserted;
    return used + 1;
}

static void add_sites(struct ls_snapshot_module *views, uint32_t count)
{
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        const struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);
        const struct ls_trend_verdict *verdict = ls_judge_site(site);
        uint32_t at = site->module == NULL ? count : site->module->index;

        if (!has_module(site) || (site->module != NULL && at >= count))
            continue;
        if (site->resource != LS_RESOURCE_CUSTOM) { /* counted where its memory comes from */
            views[at].live_bytes += site->tally.live_bytes;
            views[at].growth_bytes_per_s += verdict->growth_bytes_per_s;
        }
        views[at].rising_sites += verdict->verdict == LS_VERDICT_RISING;
    }
}

int ls_picture_modules(struct ls_arena *arena, struct ls_snapshot *snapshot)
{
    uint32_t count = ls_load_acquire(&ls_ledger.modules.count); /* M2 in ledger/modules.c */
    struct ls_snapshot_module *views = ls_arena_take(arena, (count + 1) * sizeof(*views));
    size_t used = 0;

    if (views == NULL)
        return -ENOMEM;
    add_sites(views, count);
    for (uint32_t i = 0; i <= count; i++) {
        if (views[i].live_bytes <= 0 && views[i].rising_sites == 0)
            continue;
        views[i].path = i < count ? ls_ledger.modules.entries[i]->path : "";
        views[i].build_id = i < count ? ls_ledger.modules.entries[i]->build_id : "";
        used = insert(views, used, &views[i]);
    }
    snapshot->modules = views;
    snapshot->module_count = used;
    return 0;
}
