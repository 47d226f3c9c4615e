#include "ledger/site_table.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "system/memory.h"

/* Ids of overflow sites are small numbers no hash is likely to give. */
static uint64_t overflow_id(enum ls_resource resource)
{
    return (uint64_t)resource + 1;
}

struct ls_site *ls_site_table_at(const struct ls_site_table *table, uint32_t index)
{
    return &table->chunks[index / LS_SITES_PER_CHUNK][index % LS_SITES_PER_CHUNK];
}

static size_t bucket_of(uint64_t id)
{
    return ls_hash_mix(id) % LS_SITE_BUCKETS;
}

struct ls_site *ls_site_table_find(const struct ls_site_table *table, enum ls_resource resource,
                                   uint64_t id)
{
    uint32_t at = table->buckets[bucket_of(id)];

    while (at != 0) {
        struct ls_site *site = ls_site_table_at(table, at - 1);

        if (site->id == id && site->resource == resource)
            return site;
        at = site->next_in_bucket;
    }
    return NULL;
}

/* True when there is memory for this many more sites. */
static bool make_room(struct ls_site_table *table, uint32_t sites)
{
    uint32_t last = (table->count + sites - 1) / LS_SITES_PER_CHUNK;

    if (last >= LS_SITE_CHUNKS_MAX)
        return false;
    for (uint32_t chunk = table->count / LS_SITES_PER_CHUNK; chunk <= last; chunk++) {
        if (table->chunks[chunk] == NULL)
            table->chunks[chunk] =
                ls_memory_own_allocate(LS_SITES_PER_CHUNK * sizeof(struct ls_site));
        if (table->chunks[chunk] == NULL)
            return false;
    }
    return true;
}

int ls_site_table_start(struct ls_site_table *table)
{
    return make_room(table, 1 + LS_RESOURCE_COUNT) ? 0 : -ENOMEM;
}

static struct ls_site *add(struct ls_site_table *table, enum ls_resource resource, uint64_t id)
{
    uint32_t *bucket = &table->buckets[bucket_of(id)];
    struct ls_site *site;

    site = ls_site_table_at(table, table->count);
    site->id = id;
    site->resource = resource;
    site->index = table->count;
    site->next_in_bucket = *bucket;
    *bucket = ++table->count;
    return site;
}

struct ls_site *ls_site_table_obtain(struct ls_site_table *table, enum ls_resource resource,
                                     uint64_t id)
{
    struct ls_site *site = ls_site_table_find(table, resource, id);

    if (site != NULL)
        return site;
    /* The last places are kept for the overflow sites: they are needed when there are no others. */
    if (make_room(table, 1 + LS_RESOURCE_COUNT))
        return add(table, resource, id);
    table->overflowed++;
    id = overflow_id(resource);
    site = ls_site_table_find(table, resource, id);
    if (site == NULL && make_room(table, 1)) {
        site = add(table, resource, id);
        site->overflow = true;
    }
    return site;
}

void ls_tally_add(struct ls_tally *sum, const struct ls_tally *part)
{
    sum->acquired_count += part->acquired_count;
    sum->acquired_bytes += part->acquired_bytes;
    sum->released_count += part->released_count;
    sum->live_count += part->live_count;
    sum->live_bytes += part->live_bytes;
    sum->variance_bytes += part->variance_bytes;
    sum->reserved_bytes += part->reserved_bytes;
    if (part->peak_live_count > sum->peak_live_count)
        sum->peak_live_count = part->peak_live_count;
}

bool ls_site_is_counted(const struct ls_site *site)
{
    return ls_resource_is_counted_at(site->resource, site->tally.acquired_bytes);
}

void ls_site_note_peak_count(struct ls_site *site)
{
    const struct ls_tally *tally = &site->tally;
    double most =
        tally->live_count > tally->peak_live_count ? tally->live_count : tally->peak_live_count;

    if (most > site->peak_live_count)
        site->peak_live_count = most;
}
