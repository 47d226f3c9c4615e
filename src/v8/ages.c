#include "v8/ages.h"

#include <errno.h>
#include <string.h>

#include "system/memory.h"
#include "v8/weights.h"

#define CYCLE_MIN_NS UINT64_C(1000000000)

void ls_v8_ages_reset(struct ls_v8_ages *ages)
{
    memset(ages, 0, sizeof(*ages));
}

/* The first mark that had seen the sample; mark_count when none has. */
static size_t bucket_of(const struct ls_v8_ages *ages, uint64_t id)
{
    size_t low = 0;
    size_t high = ages->mark_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (ages->marks[middle].newest_id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Between two readings the time of allocation is unknown: their middle. */
static double interval_age_s(const struct ls_v8_age_table *table, size_t interval)
{
    uint64_t now = table->end_ns[table->intervals - 1];
    uint64_t end = table->end_ns[interval];
    uint64_t start = interval > 0 ? table->end_ns[interval - 1] : end;

    return ((double)(now - start) + (double)(now - end)) / 2e9;
}

static double median_age_s(const struct ls_v8_age_table *table, size_t site)
{
    const float *bytes = &table->bytes[site * table->intervals];
    double total = 0;
    double older = 0;

    for (size_t i = 0; i < table->intervals; i++)
        total += (double)bytes[i];
    for (size_t i = 0; i < table->intervals; i++) {
        older += (double)bytes[i];
        if (older > 0 && older * 2 >= total)
            return interval_age_s(table, i);
    }
    return 0;
}

static void add_mark(struct ls_v8_ages *ages, uint64_t now_ns)
{
    size_t last = ages->mark_count - 1;

    if (ages->mark_count && now_ns - ages->marks[last].time_ns < ages->step_ns)
        return;
    if (ages->mark_count == LS_V8_AGE_MARKS) {
        for (size_t i = 0; i < LS_V8_AGE_MARKS / 2; i++)
            ages->marks[i] = ages->marks[2 * i + 1];
        ages->mark_count = LS_V8_AGE_MARKS / 2;
        ages->step_ns = (ages->marks[ages->mark_count - 1].time_ns - ages->marks[0].time_ns) /
                        (ages->mark_count - 1);
    }
    ages->marks[ages->mark_count++] = (struct ls_v8_age_mark){ages->newest_id, now_ns};
}

/* Both halves in one block. */
static size_t table_bytes(size_t sites, size_t intervals)
{
    return 2 * (sites ? sites : 1) * intervals * sizeof(float);
}

static int make_table(const struct ls_v8_ages *ages, size_t sites, uint64_t now_ns,
                      struct ls_v8_age_table *table)
{
    size_t intervals = ages->mark_count + 1;

    table->bytes = ls_memory_own_allocate(table_bytes(sites, intervals));
    if (!table->bytes)
        return -ENOMEM;
    table->inclusive = table->bytes + sites * intervals;
    table->sites = sites;
    table->intervals = intervals;
    for (size_t i = 0; i < ages->mark_count; i++)
        table->end_ns[i] = ages->marks[i].time_ns;
    table->end_ns[ages->mark_count] = now_ns;
    return 0;
}

void ls_v8_age_table_clean_up(struct ls_v8_age_table *table)
{
    if (table->bytes)
        ls_memory_own_free(table->bytes, table_bytes(table->sites, table->intervals));
    memset(table, 0, sizeof(*table));
}

static void fill_sites(const struct ls_v8_ages *ages, struct ls_v8_rollup *rollup,
                       const struct ls_v8_sample *samples, size_t count,
                       const struct ls_v8_intervals *intervals, struct ls_v8_age_table *table)
{
    for (size_t i = 0; i < count; i++) {
        const struct ls_v8_node_site *node = ls_v8_rollup_node(rollup, samples[i].node_id);
        size_t bucket;
        double objects =
            intervals ? ls_v8_sample_weight(intervals, &samples[i]) : (double)samples[i].count;
        double bytes = (double)samples[i].size * objects;

        if (!node)
            continue;
        bucket = bucket_of(ages, samples[i].id);
        table->bytes[node->site * table->intervals + bucket] += (float)bytes;
        table->inclusive[node->site * table->intervals + bucket] += (float)bytes;
        for (uint32_t j = 0; j < node->caller_count; j++)
            table->inclusive[rollup->callers[node->first_caller + j] * table->intervals + bucket] +=
                (float)bytes;
        if (samples[i].id <= ages->survivor_id)
            rollup->sites[node->site].survived_bytes += bytes;
    }
    for (size_t i = 0; i < rollup->site_count; i++)
        rollup->sites[i].median_age_s = median_age_s(table, i);
}

int ls_v8_ages_read(struct ls_v8_ages *ages, struct ls_v8_rollup *rollup,
                    const struct ls_v8_sample *samples, size_t count,
                    const struct ls_v8_intervals *intervals, uint64_t now_ns, bool after_major_gc,
                    struct ls_v8_age_table *table)
{
    bool cycle_ends = after_major_gc && now_ns - ages->cycle.time_ns >= CYCLE_MIN_NS;
    int status = make_table(ages, rollup->site_count, now_ns, table);

    if (cycle_ends)
        ages->survivor_id = ages->cycle.newest_id;
    for (size_t i = 0; i < count; i++)
        ages->newest_id = samples[i].id > ages->newest_id ? samples[i].id : ages->newest_id;
    if (status == 0)
        fill_sites(ages, rollup, samples, count, intervals, table);
    add_mark(ages, now_ns);
    if (cycle_ends)
        ages->cycle = (struct ls_v8_age_mark){ages->newest_id, now_ns};
    return status;
}
