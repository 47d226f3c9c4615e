#include "ledger/stack_table.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "system/memory.h"

/* The region is charged against the memory cap in steps as it is used. */
#define CHARGE_STEP ((size_t)64 << 10)
/* Room for every stack at a usual depth; deeper ones make the table full earlier. */
#define BYTES_PER_STACK 256
#define PROBES_MAX      64

static const struct ls_stack overflow_stack = {.ordinal = LS_STACK_OVERFLOW};

int ls_stack_table_init(struct ls_stack_table *table, uint32_t capacity)
{
    size_t bucket_bytes = (size_t)capacity * 2 * sizeof(*table->buckets);
    size_t directory_bytes = (size_t)capacity * sizeof(*table->directory);

    table->capacity = capacity;
    table->bucket_mask = capacity * 2 - 1;
    table->region_bytes = (size_t)capacity * BYTES_PER_STACK;
    table->buckets = ls_memory_own_map(bucket_bytes, bucket_bytes);
    table->directory = ls_memory_own_map(directory_bytes, directory_bytes);
    table->region = ls_memory_own_map(table->region_bytes, 0);
    if (table->buckets == NULL || table->directory == NULL || table->region == NULL) {
        ls_memory_own_unmap(table->buckets, bucket_bytes, bucket_bytes);
        ls_memory_own_unmap(table->directory, directory_bytes, directory_bytes);
        ls_memory_own_unmap(table->region, table->region_bytes, 0);
        table->capacity = 0;
        return -ENOMEM;
    }
    ls_store_relaxed(&table->directory[LS_STACK_OVERFLOW], (uint64_t)(uintptr_t)&overflow_stack);
    ls_store_release(&table->count, 1);
    return 0;
}

uint64_t ls_stack_power(size_t exponent)
{
    uint64_t base = LS_STACK_HASH_BASE;
    uint64_t result = 1;

    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0)
            result *= base;
        base *= base;
    }
    return result;
}

uint64_t ls_stack_hash(const uintptr_t *pcs, size_t depth)
{
    uint64_t hash = 0;

    for (size_t i = depth; i-- > 0;)
        hash = ls_stack_hash_frame(hash, pcs[i]);
    return hash;
}

/* The low bits of a polynomial hang on the low bits of what went in. */
static uint32_t first_bucket(const struct ls_stack_table *table, uint64_t hash)
{
    return (uint32_t)ls_hash_mix(hash) & table->bucket_mask;
}

static bool same_stack(const struct ls_stack *stack, uint64_t hash, const uintptr_t *pcs,
                       size_t depth)
{
    return stack->hash == hash && stack->depth == depth &&
           memcmp(stack->pcs, pcs, depth * sizeof(*pcs)) == 0;
}

static void *take_region(struct ls_stack_table *table, size_t bytes)
{
    /* Relaxed: the counter only hands out disjoint stretches. */
    uint64_t start = ls_load_relaxed(&table->region_used);

    for (;;) {
        bool enters_step = start == 0 || start / CHARGE_STEP != (start + bytes) / CHARGE_STEP;

        if (start + bytes > table->region_bytes)
            return NULL;
        /* Before the step is entered: else only the first stack of every step would meet the cap.
         */
        if (enters_step && !ls_memory_own_charge(CHARGE_STEP))
            return NULL;
        if (ls_compare_exchange_relaxed(&table->region_used, &start, start + bytes))
            return table->region + start;
        if (enters_step)
            ls_memory_own_discharge(CHARGE_STEP);
    }
}

static struct ls_stack *add_stack(struct ls_stack_table *table, uint64_t hash, const uintptr_t *pcs,
                                  size_t depth, uint64_t now_ns)
{
    struct ls_stack *stack;
    uint32_t ordinal = ls_load_relaxed(&table->count);

    if (ordinal >= table->capacity)
        return NULL;
    /* Memory first: an ordinal stays taken for ever, the memory cap may be met for a moment only.
     */
    stack = take_region(table, sizeof(*stack) + depth * sizeof(*pcs));
    if (stack == NULL)
        return NULL;
    do {
        if (ordinal >= table->capacity)
            return NULL;
    } while (!ls_compare_exchange_relaxed(&table->count, &ordinal, ordinal + 1));
    stack->hash = hash;
    stack->first_seen_ns = now_ns;
    stack->depth = (uint32_t)depth;
    stack->ordinal = ordinal;
    memcpy(stack->pcs, pcs, depth * sizeof(*pcs));
    ls_store_release(&table->directory[ordinal], (uint64_t)(uintptr_t)stack); /* T1 pairs with T2 */
    return stack;
}

/* `first_seen_ns` NULL: a stack that is not there is not added. */
static uint32_t obtain(struct ls_stack_table *table, const uintptr_t *pcs, size_t depth,
                       uint64_t hash, const uint64_t *first_seen_ns)
{
    struct ls_stack *added = NULL;
    uint32_t bucket;

    if (table->capacity == 0)
        return LS_STACK_OVERFLOW;
    bucket = first_bucket(table, hash);
    for (unsigned probe = 0; probe < PROBES_MAX; probe++) {
        _Atomic uint32_t *place = &table->buckets[(bucket + probe) & table->bucket_mask];
        uint32_t entry = ls_load_acquire(place); /* T3 pairs with T4 */

        if (entry == 0) {
            if (first_seen_ns == NULL)
                return LS_STACK_UNKNOWN;
            if (added == NULL)
                added = add_stack(table, hash, pcs, depth, *first_seen_ns);
            if (added == NULL)
                break;
            if (ls_compare_exchange_acquire_release(place, &entry, added->ordinal + 1)) /* T4 */
                return added->ordinal;
        }
        if (same_stack(ls_stack_table_get(table, entry - 1), hash, pcs, depth))
            return entry - 1;
    }
    if (first_seen_ns == NULL)
        return LS_STACK_UNKNOWN;
    ls_add_relaxed(&table->overflowed, 1);
    return LS_STACK_OVERFLOW;
}

uint32_t ls_stack_table_intern(struct ls_stack_table *table, const uintptr_t *pcs, size_t depth,
                               uint64_t now_ns)
{
    if (depth > LS_STACK_DEPTH_MAX)
        depth = LS_STACK_DEPTH_MAX;
    return obtain(table, pcs, depth, ls_stack_hash(pcs, depth), &now_ns);
}

uint32_t ls_stack_table_find(struct ls_stack_table *table, const uintptr_t *pcs, size_t depth,
                             uint64_t hash)
{
    return obtain(table, pcs, depth, hash, NULL);
}

const struct ls_stack *ls_stack_table_get(const struct ls_stack_table *table, uint32_t ordinal)
{
    if (ordinal >= table->capacity)
        return NULL;
    return (const struct ls_stack *)(uintptr_t)ls_load_acquire(
        &table->directory[ordinal]); /* T2 pairs with T1 */
}

uint32_t ls_stack_table_count(const struct ls_stack_table *table)
{
    return ls_load_relaxed(&table->count);
}
