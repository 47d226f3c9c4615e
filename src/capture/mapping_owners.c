#include "capture/mapping_owners.h"

#include <errno.h>

#include "base/hash.h"
#include "ledger/ledger.h"
#include "system/memory.h"

#define BUCKETS (2 * LS_MAPPING_OWNERS_MAX)

static struct ls_mapping_owner *owners; /* the first is that of LS_STACK_OVERFLOW, the second
                                           of LS_MAPPING_STACK_ALLOCATOR */
static uint16_t *buckets;               /* index plus one */
static uint32_t owner_count;

int ls_mapping_owners_start(void)
{
    size_t owner_bytes = LS_MAPPING_OWNERS_MAX * sizeof(*owners);
    size_t bucket_bytes = BUCKETS * sizeof(*buckets);

    owners = ls_memory_own_map(owner_bytes, owner_bytes / 4);
    buckets = ls_memory_own_map(bucket_bytes, bucket_bytes);
    if (owners == NULL || buckets == NULL)
        return -ENOMEM;
    owners[0].stack = LS_STACK_OVERFLOW;
    owners[0].class = LS_MAPPING_PROGRAM;
    owners[1].stack = LS_MAPPING_STACK_ALLOCATOR;
    owners[1].class = LS_MAPPING_ALLOCATOR;
    owner_count = 2;
    return 0;
}

uint32_t ls_mapping_owner_of(uint32_t stack)
{
    uint32_t bucket = (uint32_t)ls_hash_mix(stack) % BUCKETS;

    if (stack == LS_STACK_OVERFLOW)
        return 0;
    if (stack == LS_MAPPING_STACK_ALLOCATOR)
        return 1;
    for (; buckets[bucket] != 0; bucket = (bucket + 1) % BUCKETS) {
        if (owners[buckets[bucket] - 1].stack == stack)
            return buckets[bucket] - 1u;
    }
    if (owner_count == LS_MAPPING_OWNERS_MAX) {
        ls_ledger.sites.overflowed++;
        return 0;
    }
    owners[owner_count].stack = stack;
    buckets[bucket] = (uint16_t)(owner_count + 1);
    return owner_count++;
}

struct ls_mapping_owner *ls_mapping_owner_at(uint32_t index)
{
    return &owners[index];
}

static void learn_class(struct ls_mapping_owner *owner, uint32_t stacks_known,
                        ls_mapping_classify *classify)
{
    if (owner->class == LS_MAPPING_UNKNOWN && owner->stack < stacks_known)
        owner->class = classify(ls_stack_table_get(&ls_ledger.stacks, owner->stack));
}

static void add_to(struct ls_tally *tally, const struct ls_mapping_owner *owner)
{
    tally->acquired_count += (double)owner->acquired_count;
    tally->acquired_bytes += (double)owner->acquired_bytes;
    tally->released_count += (double)owner->released_count;
    tally->live_count += (double)(owner->acquired_count - owner->released_count);
    tally->live_bytes += (double)owner->committed_bytes;
    tally->reserved_bytes += (double)owner->reserved_bytes;
}

/* Twice over, because a tally may stand for several owners. */
void ls_mapping_owners_settle(uint32_t stacks_known, ls_mapping_classify *classify)
{
    for (uint32_t i = 0; i < owner_count; i++) {
        struct ls_tally *tally;

        learn_class(&owners[i], stacks_known, classify);
        if (owners[i].class != LS_MAPPING_PROGRAM || owners[i].acquired_count == 0)
            continue;
        tally = ls_ledger_stack_tally(LS_RESOURCE_MAP, owners[i].stack);
        if (tally != NULL)
            *tally = (struct ls_tally){0};
    }
    for (uint32_t i = 0; i < owner_count; i++) {
        struct ls_tally *tally;

        if (owners[i].class != LS_MAPPING_PROGRAM || owners[i].acquired_count == 0)
            continue;
        tally = ls_ledger_stack_tally(LS_RESOURCE_MAP, owners[i].stack);
        if (tally != NULL)
            add_to(tally, &owners[i]);
    }
}

void ls_mappings_totals(enum ls_mapping_class class, struct ls_mapping_totals *totals)
{
    *totals = (struct ls_mapping_totals){0};
    for (uint32_t i = 0; i < owner_count; i++) {
        if (owners[i].class != class)
            continue;
        totals->committed_bytes += owners[i].committed_bytes;
        totals->reserved_bytes += owners[i].reserved_bytes;
        totals->pieces += owners[i].pieces;
    }
}
