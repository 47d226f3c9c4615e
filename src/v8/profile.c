#include "v8/profile.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/math.h"
#include "system/memory.h"
#include "v8/functions.h"
#include "v8/weights.h"

#define FIRST_SITES      64
#define FIRST_NODE_SITES 256
#define FIRST_CALLERS    256

/* One level of the walk: a node, and what holds for everything allocated in it. */
struct level {
    const struct ls_v8_node *node;
    const struct ls_js_function *function;
    const struct ls_js_function *owner; /* nearest user function, else innermost named one */
    size_t next_child;
    double subtree_bytes; /* of the node and of what was walked below it */
};

struct walk {
    const struct ls_v8_profile_source *source;
    struct ls_v8_rollup *rollup;
    size_t depth;
    struct level levels[LS_V8_TREE_DEPTH];
};

static bool plausible_pointer(const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;

    /* Above the pages no process maps, below the kernel's half. */
    return address >= 65536 && address < UINT64_C(1) << 56 && address % sizeof(void *) == 0;
}

static bool readable(const struct ls_v8_profile_source *source, const void *address, size_t size)
{
    return plausible_pointer(address) &&
           (!source->readable || source->readable(source->data, address, size));
}

int64_t ls_v8_vector_length(const struct ls_v8_profile_source *source,
                            const struct ls_v8_vector *vector, size_t element)
{
    uintptr_t begin = (uintptr_t)vector->begin;
    uintptr_t end = (uintptr_t)vector->end;

    if (!vector->begin && !vector->end && !vector->capacity)
        return 0;
    if (!plausible_pointer(vector->begin) || end < begin || (uintptr_t)vector->capacity < end ||
        (end - begin) % element != 0 || (end - begin) / element > LS_V8_VECTOR_MAX)
        return -EFAULT;
    if (end != begin && !readable(source, vector->begin, end - begin))
        return -EFAULT;
    return (int64_t)((end - begin) / element);
}

static void free_site_tables(struct ls_v8_rollup *rollup)
{
    if (rollup->sites)
        ls_memory_own_free(rollup->sites, rollup->site_capacity * sizeof(*rollup->sites));
    if (rollup->heaviest)
        ls_memory_own_free(rollup->heaviest, rollup->site_capacity * sizeof(*rollup->heaviest));
    if (rollup->inner_lead)
        ls_memory_own_free(rollup->inner_lead, rollup->site_capacity * sizeof(*rollup->inner_lead));
    if (rollup->slots)
        ls_memory_own_free(rollup->slots, rollup->slot_count * sizeof(*rollup->slots));
}

static int grow_sites(struct ls_v8_rollup *rollup)
{
    size_t old = rollup->site_capacity;
    size_t capacity = old ? old * 2 : FIRST_SITES;
    size_t slot_count = capacity * 2;
    struct ls_js_site *sites = ls_memory_own_allocate(capacity * sizeof(*sites));
    double *heaviest = ls_memory_own_allocate(capacity * sizeof(*heaviest));
    double *inner_lead = ls_memory_own_allocate(capacity * sizeof(*inner_lead));
    uint16_t *slots = ls_memory_own_allocate(slot_count * sizeof(*slots));
    struct ls_v8_rollup grown = *rollup;

    grown.sites = sites;
    grown.heaviest = heaviest;
    grown.inner_lead = inner_lead;
    grown.slots = slots;
    grown.site_capacity = capacity;
    grown.slot_count = slot_count;
    if (!sites || !heaviest || !inner_lead || !slots) {
        free_site_tables(&grown);
        return -ENOMEM;
    }
    if (old) {
        memcpy(sites, rollup->sites, rollup->site_count * sizeof(*sites));
        memcpy(heaviest, rollup->heaviest, rollup->site_count * sizeof(*heaviest));
        memcpy(inner_lead, rollup->inner_lead, rollup->site_count * sizeof(*inner_lead));
    }
    for (size_t i = 0; i < rollup->site_count; i++) {
        size_t slot = sites[i].function->key % slot_count;

        while (slots[slot])
            slot = (slot + 1) % slot_count;
        slots[slot] = (uint16_t)(i + 1);
    }
    free_site_tables(rollup);
    *rollup = grown;
    return 0;
}

void ls_v8_rollup_clean_up(struct ls_v8_rollup *rollup)
{
    free_site_tables(rollup);
    if (rollup->node_sites)
        ls_memory_own_free(rollup->node_sites,
                           rollup->node_site_capacity * sizeof(*rollup->node_sites));
    if (rollup->callers)
        ls_memory_own_free(rollup->callers, rollup->caller_capacity * sizeof(*rollup->callers));
    memset(rollup, 0, sizeof(*rollup));
}

static struct ls_v8_node_site *node_slot(struct ls_v8_node_site *table, size_t capacity,
                                         uint32_t node_id)
{
    size_t slot = ls_hash_mix(node_id) & (capacity - 1);

    while (table[slot].node_id && table[slot].node_id != node_id)
        slot = (slot + 1) & (capacity - 1);
    return &table[slot];
}

const struct ls_v8_node_site *ls_v8_rollup_node(const struct ls_v8_rollup *rollup, uint32_t node_id)
{
    const struct ls_v8_node_site *entry;

    if (!rollup->node_sites || node_id == 0)
        return NULL;
    entry = node_slot(rollup->node_sites, rollup->node_site_capacity, node_id);
    return entry->node_id ? entry : NULL;
}

int64_t ls_v8_rollup_site_of(const struct ls_v8_rollup *rollup, uint32_t node_id)
{
    const struct ls_v8_node_site *entry = ls_v8_rollup_node(rollup, node_id);

    return entry ? (int64_t)entry->site : -1;
}

static int grow_node_sites(struct ls_v8_rollup *rollup)
{
    size_t old = rollup->node_site_capacity;
    size_t capacity = old ? old * 2 : FIRST_NODE_SITES;
    struct ls_v8_node_site *table = ls_memory_own_allocate(capacity * sizeof(*table));

    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < old; i++) {
        const struct ls_v8_node_site *entry = &rollup->node_sites[i];

        if (entry->node_id)
            *node_slot(table, capacity, entry->node_id) = *entry;
    }
    if (old)
        ls_memory_own_free(rollup->node_sites, old * sizeof(*table));
    rollup->node_sites = table;
    rollup->node_site_capacity = capacity;
    return 0;
}

static int remember_node(struct ls_v8_rollup *rollup, const struct ls_v8_node_site *node)
{
    if (node->node_id == 0)
        return 0;
    if (rollup->node_site_count * 4 >= rollup->node_site_capacity * 3) {
        int status = grow_node_sites(rollup);

        if (status < 0)
            return status;
    }
    *node_slot(rollup->node_sites, rollup->node_site_capacity, node->node_id) = *node;
    rollup->node_site_count++;
    return 0;
}

/* The slot that holds the function's site, or the empty one where it belongs. */
static size_t find_slot(const struct ls_v8_rollup *rollup, const struct ls_js_function *function)
{
    size_t slot = function->key % rollup->slot_count; /* NOLINT: there are slots by now */

    while (rollup->slots[slot] && rollup->sites[rollup->slots[slot] - 1].function != function)
        slot = (slot + 1) % rollup->slot_count;
    return slot;
}

/* The index of the function's site, made when new; -ENOMEM, or -ENOSPC at the bound. */
static int64_t find_site(struct ls_v8_rollup *rollup, const struct ls_js_function *function)
{
    size_t slot;

    if (rollup->slot_count) {
        slot = find_slot(rollup, function);
        if (rollup->slots[slot])
            return rollup->slots[slot] - 1;
    }
    if (rollup->site_count >= LS_V8_SITES_MAX)
        return -ENOSPC;
    if (rollup->site_count == rollup->site_capacity) {
        int status = grow_sites(rollup);

        if (status < 0)
            return status;
    }
    slot = find_slot(rollup, function);
    rollup->sites[rollup->site_count].function = function;
    rollup->slots[slot] = (uint16_t)(rollup->site_count + 1);
    return (int64_t)rollup->site_count++;
}

/* Innermost first. The owner is kept even when it lies further out than the stack reaches: a site
 * whose stack does not show it could not be read. */
static void keep_stack(const struct walk *walk, struct ls_js_site *site)
{
    bool owner_shown = false;
    uint32_t length = 0;

    /* The root is not a function. */
    for (size_t depth = walk->depth; depth > 1 && length < LS_JS_STACK_MAX; depth--) {
        const struct ls_js_function *function = walk->levels[depth - 1].function;

        owner_shown |= function == site->function;
        site->stack[length++] = function;
    }
    if (!owner_shown) {
        if (length == LS_JS_STACK_MAX)
            length--;
        site->stack[length++] = site->function;
    }
    site->stack_length = length;
}

/*
 * V8 counts n = k / p for k samples of size s, each taken with p = 1 - exp(-s / mean). k is
 * binomial, so the variance of k * s / p is k * s^2 * (1 - p) / p^2 = n * s^2 * (1 - p) / p
 * (docs/v8.md).
 */
static double allocation_variance(const struct ls_v8_allocation *allocation, double sample_bytes)
{
    double size = (double)allocation->size;
    double missed_over_taken;

    if (size <= 0 || sample_bytes <= 0)
        return 0;
    /* (1 - p) / p = 1 / (exp(s / mean) - 1) */
    if (size / sample_bytes > 700)
        return 0;
    missed_over_taken = 1 / ls_math_expm1(size / sample_bytes);
    return (double)allocation->count * size * size * missed_over_taken;
}

/* What the node allocated itself and still lives. 0, or -EFAULT. */
static int weigh_node(const struct ls_v8_profile_source *source, const struct ls_v8_node *node,
                      struct ls_v8_node_weight *sum)
{
    const struct ls_v8_allocation *allocations = node->allocations.begin;
    int64_t length = ls_v8_vector_length(source, &node->allocations, sizeof(*allocations));

    if (length < 0)
        return (int)length;
    if (source->weights) {
        const struct ls_v8_node_weight *weight = ls_v8_weights_of(source->weights, node->id);

        if (weight)
            *sum = *weight;
        return 0;
    }
    for (int64_t i = 0; i < length; i++) {
        sum->bytes += (double)allocations[i].size * allocations[i].count;
        sum->count += allocations[i].count;
        sum->variance_bytes += allocation_variance(&allocations[i], source->sample_bytes);
    }
    return 0;
}

static int grow_callers(struct ls_v8_rollup *rollup)
{
    size_t old = rollup->caller_capacity;
    size_t capacity = old ? old * 2 : FIRST_CALLERS;
    uint32_t *callers = ls_memory_own_allocate(capacity * sizeof(*callers));

    if (!callers)
        return -ENOMEM;
    if (old) {
        memcpy(callers, rollup->callers, rollup->caller_count * sizeof(*callers));
        ls_memory_own_free(rollup->callers, old * sizeof(*callers));
    }
    rollup->callers = callers;
    rollup->caller_capacity = capacity;
    return 0;
}

static bool is_noted(const struct ls_v8_rollup *rollup, const struct ls_v8_node_site *node,
                     uint32_t site)
{
    for (uint32_t i = 0; i < node->caller_count; i++) {
        if (rollup->callers[node->first_caller + i] == site)
            return true;
    }
    return site == node->site;
}

/* A vote with the weight of its bytes for the inner function that has the most. */
static void vote(struct ls_v8_rollup *rollup, uint32_t site, const struct ls_js_function *inner,
                 double bytes)
{
    if (rollup->sites[site].inner == inner) {
        rollup->inner_lead[site] += bytes;
        return;
    }
    rollup->inner_lead[site] -= bytes;
    if (rollup->inner_lead[site] < 0) {
        rollup->sites[site].inner = inner;
        rollup->inner_lead[site] = -rollup->inner_lead[site];
    }
}

/* Sites of the user functions that the owner was called by, each once. */
static int note_callers(struct walk *walk, struct ls_v8_node_site *node,
                        const struct ls_js_function *owner, double bytes)
{
    struct ls_v8_rollup *rollup = walk->rollup;

    node->first_caller = (uint32_t)rollup->caller_count;
    for (size_t depth = walk->depth; depth-- > 1;) {
        const struct ls_js_function *function = walk->levels[depth].function;
        int64_t site;

        if (!function->user_code || function == owner)
            continue;
        site = find_site(rollup, function);
        if (site == -ENOMEM)
            return -ENOMEM;
        if (site < 0 || is_noted(rollup, node, (uint32_t)site))
            continue;
        if (rollup->caller_count == rollup->caller_capacity && grow_callers(rollup) != 0)
            return -ENOMEM;
        rollup->callers[rollup->caller_count++] = (uint32_t)site;
        node->caller_count++;
        vote(rollup, (uint32_t)site, owner, bytes);
    }
    return 0;
}

static int add_node(struct walk *walk)
{
    struct level *level = &walk->levels[walk->depth - 1];
    struct ls_v8_node_weight sum = {0};
    struct ls_v8_node_site node;
    int status = weigh_node(walk->source, level->node, &sum);

    if (status < 0)
        return status;
    level->subtree_bytes = sum.bytes;
    if (sum.count <= 0)
        return 0;
    walk->rollup->bytes += sum.bytes;
    walk->rollup->frame_bytes += sum.bytes * (double)(walk->depth - 1);

    int64_t index = find_site(walk->rollup, level->owner);

    if (index == -ENOSPC) {
        walk->rollup->truncated = true;
        return 0;
    }
    if (index < 0)
        return (int)index;

    struct ls_js_site *site = &walk->rollup->sites[index];

    site->live_bytes += sum.bytes;
    site->live_count += sum.count;
    site->variance_bytes += sum.variance_bytes;
    if (sum.bytes > walk->rollup->heaviest[index] || site->stack_length == 0) {
        walk->rollup->heaviest[index] = sum.bytes;
        keep_stack(walk, site);
    }
    node = (struct ls_v8_node_site){.node_id = level->node->id, .site = (uint32_t)index};
    status = note_callers(walk, &node, level->owner, sum.bytes);
    return status < 0 ? status : remember_node(walk->rollup, &node);
}

/* "(deopt)", "(V8 API)" and the like say how, not who: a function that encloses them names the site
 * better. */
static bool is_named(const struct ls_js_function *function)
{
    return function->name[0] != '(' || function->script[0];
}

static int enter(struct walk *walk, const struct ls_v8_node *node)
{
    const struct level *parent = walk->depth ? &walk->levels[walk->depth - 1] : NULL;
    struct level *level = &walk->levels[walk->depth];

    if (!readable(walk->source, node, sizeof(*node)))
        return -EFAULT;
    level->node = node;
    level->next_child = 0;
    level->function = walk->source->function(walk->source->data, node);
    if (level->function->user_code || !parent)
        level->owner = level->function;
    else if (parent->owner->user_code)
        level->owner = parent->owner;
    else
        level->owner =
            is_named(level->function) || walk->depth == 1 ? level->function : parent->owner;
    walk->depth++;
    walk->rollup->nodes++;
    return add_node(walk);
}

static bool recursive(const struct walk *walk)
{
    const struct ls_js_function *function = walk->levels[walk->depth - 1].function;

    for (size_t depth = walk->depth - 1; depth > 0; depth--) {
        if (walk->levels[depth - 1].function == function)
            return true;
    }
    return false;
}

/* Adds what the innermost level's subtree holds to its function, once for each stack. */
static int leave(struct walk *walk)
{
    const struct level *level = &walk->levels[walk->depth - 1];
    int64_t index = -ENOSPC;

    if (level->function->user_code && level->subtree_bytes > 0 && !recursive(walk))
        index = find_site(walk->rollup, level->function);
    if (index == -ENOMEM)
        return -ENOMEM;
    if (index >= 0)
        walk->rollup->sites[index].inclusive_bytes += level->subtree_bytes;
    walk->depth--;
    if (walk->depth)
        walk->levels[walk->depth - 1].subtree_bytes += level->subtree_bytes;
    return 0;
}

static int step(struct walk *walk)
{
    struct level *level = &walk->levels[walk->depth - 1];
    int64_t children = ls_v8_vector_length(walk->source, &level->node->children, sizeof(void *));

    if (children < 0)
        return (int)children;
    if (level->next_child >= (size_t)children)
        return leave(walk);

    const struct ls_v8_node *const *list = level->node->children.begin;
    const struct ls_v8_node *child = list[level->next_child++];

    if (walk->depth == LS_V8_TREE_DEPTH || walk->rollup->nodes >= LS_V8_TREE_NODES) {
        walk->rollup->truncated = true;
        return 0;
    }
    return enter(walk, child);
}

int ls_v8_profile_roll_up(struct ls_v8_rollup *rollup, const struct ls_v8_node *root,
                          const struct ls_v8_profile_source *source)
{
    struct walk walk = {.source = source, .rollup = rollup};
    int status = enter(&walk, root);

    while (status == 0 && walk.depth > 0)
        status = step(&walk);
    return status;
}
