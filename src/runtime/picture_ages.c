#include "runtime/picture_ages.h"

#include <errno.h>

#include "ledger/ledger.h"
#include "system/clock.h"

/* Two classes to an octave of milliseconds, from 1 ms to 2^31 ms. */
#define CLASSES 64

struct age_counts {
    float weights[CLASSES];
    float total;
};

struct ages {
    struct age_counts *counts; /* by listed place */
    uint32_t *place_of_site;   /* by site index: listed place plus one */
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

static void count_age(void *context, uint32_t index, struct ls_live_slot *slot)
{
    struct ages *ages = context;
    const struct ls_site *site = ls_ledger_slot_site(slot);
    struct age_counts *counts;
    uint64_t age_ns;
    float weight;

    (void)index;
    if (site == NULL || ages->place_of_site[site->index] == 0)
        return;
    counts = &ages->counts[ages->place_of_site[site->index] - 1];
    age_ns = ages->now_ns > slot->acquired_ns ? ages->now_ns - slot->acquired_ns : 0;
    weight = slot->weight > 0 ? (float)slot->weight : 1.0f;
    counts->weights[class_of(age_ns / 1000000)] += weight;
    counts->total += weight;
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

int ls_picture_ages(struct ls_arena *arena, const struct ls_site *const *sites,
                    struct ls_snapshot_site *views, size_t count, uint64_t now_ns)
{
    struct ages ages = {
        .counts = ls_arena_take(arena, count * sizeof(*ages.counts)),
        .place_of_site = ls_arena_take(arena, ls_ledger.sites.count * sizeof(uint32_t)),
        .now_ns = now_ns,
    };

    if (count == 0)
        return 0;
    if (ages.counts == NULL || ages.place_of_site == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        ages.place_of_site[sites[i]->index] = (uint32_t)i + 1;
    ls_live_set_sweep(&ls_ledger.live, count_age, &ages);
    for (size_t i = 0; i < count; i++)
        views[i].median_age_s = median_of(&ages.counts[i]);
    return 0;
}
