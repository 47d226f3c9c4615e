#include "runtime/picture_ages.h"

#include <errno.h>
#include <stdbool.h>

#include "capture/mappings.h"
#include "ledger/ledger.h"
#include "system/clock.h"

/* Two classes to an octave of milliseconds, from 1 ms to 2^31 ms. */
#define CLASSES 64

struct age_counts {
    float weights[CLASSES];
    float total;
};

_Static_assert(sizeof(struct age_counts) <= LS_PICTURE_AGES_BYTES, "the picture counts on it");

struct ages {
    struct age_counts *counts; /* by listed place */
    uint64_t now_ns;
};

static unsigned class_of(uint64_t age_ms)
{
    unsigned octave;
    unsigned class;

    if (age_ms < 1)
        return 0;
    octave = 63u - (unsigned)__builtin_clzll(age_ms);
    /* The upper half of an octave starts at 1.5 times its power of two, near enough to sqrt 2. */
    class = 2 * octave + (octave > 0 && (age_ms >> (octave - 1) & 1) != 0);
    return class < CLASSES ? class : CLASSES - 1;
}

static double middle_of(unsigned class)
{
    double low = (double)(UINT64_C(1) << (class / 2)) * (class % 2 == 0 ? 1.0 : 1.5);
    double high = (double)(UINT64_C(1) << (class / 2)) * (class % 2 == 0 ? 1.5 : 2.0);

    return (low + high) / 2 * 1e-3;
}

static void count_age(const struct ages *ages, const struct ls_site *site, uint64_t acquired_ns,
                      float weight)
{
    struct age_counts *counts;
    uint64_t age_ns;

    if (site == NULL || site->listed == 0)
        return;
    counts = &ages->counts[site->listed - 1];
    age_ns = ages->now_ns > acquired_ns ? ages->now_ns - acquired_ns : 0;
    counts->weights[class_of(age_ns / 1000000)] += weight;
    counts->total += weight;
}

static void count_slot(void *context, uint32_t index, struct ls_live_slot *slot)
{
    (void)index;
    count_age(context, ls_ledger_slot_site(slot), slot->acquired_ns,
              (float)ls_live_slot_number(slot));
}

static void count_mapping(void *context, uint32_t stack, uint64_t bytes, uint64_t acquired_ns)
{
    (void)bytes;
    count_age(context, ls_ledger_site_of(LS_RESOURCE_MAP, stack), acquired_ns, 1.0f);
}

static double median_of(const struct age_counts *counts)
{
    float below = 0;

    if (counts->total <= 0)
        return -1;
    for (unsigned i = 0; i < CLASSES; i++) {
        below += counts->weights[i];
        if (below >= counts->total / 2)
            return middle_of(i);
    }
    return middle_of(CLASSES - 1);
}

static void list(struct ls_site_table *table, const struct ls_site *const *sites, size_t count,
                 bool listed)
{
    for (size_t i = 0; i < count; i++)
        ls_site_table_at(table, sites[i]->index)->listed = listed ? (uint32_t)i + 1 : 0;
}

int ls_picture_ages(struct ls_arena *arena, const struct ls_site *const *sites,
                    struct ls_snapshot_site *views, size_t count, uint64_t now_ns)
{
    struct ages ages = {
        .counts = ls_arena_take(arena, count * sizeof(*ages.counts)),
        .now_ns = now_ns,
    };

    if (count == 0)
        return 0;
    if (ages.counts == NULL)
        return -ENOMEM;
    list(&ls_ledger.sites, sites, count, true);
    ls_live_set_sweep(&ls_ledger.live, count_slot, &ages);
    ls_mappings_for_each(count_mapping, &ages);
    list(&ls_ledger.sites, sites, count, false);
    for (size_t i = 0; i < count; i++)
        views[i].median_age_s = median_of(&ages.counts[i]);
    return 0;
}
