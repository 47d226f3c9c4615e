#include "runtime/site_ages.h"

#include "capture/mappings.h"
#include "ledger/ledger.h"
#include "runtime/runtime.h"
#include "system/clock.h"
#include "system/memory.h"

/* Fewer resources with an age say nothing. */
#define DATED_LEAST 6

struct aged_site {
    double amount;
    uint32_t dated;
    float kept[LS_HISTORY_POINTS];
};

static struct aged_site *aged;
static uint32_t aged_count;

static size_t aged_bytes(void)
{
    return aged_count * sizeof(*aged);
}

static void count_one(struct ls_site *site)
{
    if (site != NULL)
        site->listed++;
}

static void count_slot(void *context, uint32_t index, struct ls_live_slot *slot)
{
    (void)context;
    (void)index;
    if (slot->accounted && slot->weight != 0)
        count_one(ls_ledger_slot_site(slot));
}

static void count_mapping(void *context, uint32_t stack, uint64_t bytes, uint64_t acquired_ns)
{
    (void)context;
    (void)bytes;
    (void)acquired_ns;
    count_one(ls_ledger_site_of(LS_RESOURCE_MAP, stack));
}

/* The first point at or after the moment: what came before it was there then. */
static uint32_t point_at(const struct ls_history *history, double time_s)
{
    uint32_t first = 0;
    uint32_t end = history->count;

    while (first < end) {
        uint32_t middle = (first + end) / 2;

        if (time_s <= ls_history_time(&history->points[middle]))
            end = middle;
        else
            first = middle + 1;
    }
    return first;
}

static void date(const struct ls_site *site, double amount, uint64_t acquired_ns)
{
    struct aged_site *place;
    uint32_t point;

    if (site == NULL || site->listed == 0)
        return;
    place = &aged[site->listed - 1];
    point = point_at(&site->history, ls_seconds_watched(acquired_ns));
    place->amount += amount;
    place->dated++;
    if (point < site->history.count)
        place->kept[point] += (float)amount;
}

static void date_slot(void *context, uint32_t index, struct ls_live_slot *slot)
{
    const struct ls_site *site = ls_ledger_slot_site(slot);

    (void)context;
    (void)index;
    if (site != NULL && slot->accounted && slot->weight != 0 &&
        ls_live_slot_state(slot) == LS_LIVE_LIVE)
        date(site, ls_ledger_slot_amount(slot, site), slot->acquired_ns);
}

static void date_mapping(void *context, uint32_t stack, uint64_t bytes, uint64_t acquired_ns)
{
    (void)context;
    date(ls_ledger_site_of(LS_RESOURCE_MAP, stack), (double)bytes, acquired_ns);
}

/* From the counts in `listed` to places. */
static void give_places(void)
{
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->listed >= DATED_LEAST && aged_count < LS_SITE_AGES_MAX)
            site->listed = ++aged_count;
        else
            site->listed = 0;
    }
}

static void sum_up(struct aged_site *place, uint32_t points)
{
    for (uint32_t i = 1; i < points; i++)
        place->kept[i] += place->kept[i - 1];
}

void ls_site_ages_take(void)
{
    ls_live_set_sweep(&ls_ledger.live, count_slot, NULL);
    ls_mappings_for_each(count_mapping, NULL);
    give_places();
    if (aged_count == 0)
        return;
    aged = ls_memory_own_allocate(aged_bytes());
    if (aged == NULL) {
        aged_count = 0;
        ls_site_ages_drop();
        return;
    }
    ls_live_set_sweep(&ls_ledger.live, date_slot, NULL);
    ls_mappings_for_each(date_mapping, NULL);
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        const struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->listed > 0)
            sum_up(&aged[site->listed - 1], site->history.count);
    }
}

void ls_site_ages_drop(void)
{
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++)
        ls_site_table_at(&ls_ledger.sites, i)->listed = 0;
    if (aged != NULL)
        ls_memory_own_free(aged, aged_bytes());
    aged = NULL;
    aged_count = 0;
}

bool ls_site_ages_of(const struct ls_site *site, struct ls_trend_ages *ages)
{
    const struct aged_site *place;

    if (site->listed == 0)
        return false;
    place = &aged[site->listed - 1];
    *ages = (struct ls_trend_ages){
        .kept = place->kept,
        .kept_weight = place->dated > 0 ? place->amount / place->dated : 0,
        .released = site->resource == LS_RESOURCE_MAP ? NULL : &site->released,
    };
    return ages->kept_weight > 0;
}
