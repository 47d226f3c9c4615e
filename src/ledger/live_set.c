#include "ledger/live_set.h"

#include "base/atomic.h"
#include "system/memory.h"

#define STATE_BITS 2
#define STATE_MASK ((1u << STATE_BITS) - 1)

#define INDEX_OF(head)      ((uint32_t)(head))
#define HEAD(index, former) ((((former) >> 32) + 1) << 32 | (index))

static uint32_t state_of(uint32_t word)
{
    return word & STATE_MASK;
}

static uint32_t generation_of(uint32_t word)
{
    return word >> STATE_BITS;
}

static uint32_t with_state(uint32_t word, enum ls_live_state state)
{
    return (word & ~STATE_MASK) | state;
}

static size_t chunk_bytes(void)
{
    return LS_LIVE_CHUNK_SLOTS * sizeof(struct ls_live_slot);
}

/* NULL for an index no chunk holds: a tag that the host overwrote may hold any number. */
static struct ls_live_slot *slot_at(struct ls_live_set *set, uint32_t index)
{
    uint32_t chunk = index / LS_LIVE_CHUNK_SLOTS;
    struct ls_live_slot *slots;

    if (index == 0 || chunk >= LS_LIVE_CHUNKS_MAX)
        return NULL;
    slots = ls_load_acquire(&set->chunks[chunk]); /* L1 pairs with L2 */
    return slots == NULL ? NULL : &slots[index % LS_LIVE_CHUNK_SLOTS];
}

void ls_live_set_init(struct ls_live_set *set, size_t slots_max)
{
    size_t limit = slots_max / LS_LIVE_CHUNK_SLOTS;

    set->chunk_limit = limit > LS_LIVE_CHUNKS_MAX ? LS_LIVE_CHUNKS_MAX : (uint32_t)limit;
    if (set->chunk_limit == 0)
        set->chunk_limit = 1;
}

static void push_free(struct ls_live_set *set, uint32_t first, struct ls_live_slot *last)
{
    uint64_t head = ls_load_relaxed(&set->free_head);

    do {
        ls_store_relaxed(&last->next_free, INDEX_OF(head));
        /* L3 pairs with L4: who pops the slot sees next_free and the FREE word. */
    } while (!atomic_compare_exchange_weak_explicit(&set->free_head, &head, HEAD(first, head),
                                                    memory_order_release, memory_order_relaxed));
}

static struct ls_live_slot *pop_free(struct ls_live_set *set, uint32_t *index)
{
    uint64_t head = ls_load_acquire(&set->free_head); /* L4 pairs with L3 */

    while (INDEX_OF(head) != 0) {
        struct ls_live_slot *slot = slot_at(set, INDEX_OF(head));
        /* May be stale if another thread popped it first; the tag in the head then fails the
         * exchange, and slots are never unmapped, so the read itself is safe. */
        uint32_t next = ls_load_relaxed(&slot->next_free);

        if (atomic_compare_exchange_weak_explicit(&set->free_head, &head, HEAD(next, head),
                                                  memory_order_acquire, memory_order_acquire)) {
            *index = INDEX_OF(head);
            return slot;
        }
    }
    return NULL;
}

/* Maps one more chunk, keeps its first slot and frees the others. */
static struct ls_live_slot *grow(struct ls_live_set *set, uint32_t *index)
{
    uint32_t chunk = ls_load_relaxed(&set->chunk_count);
    struct ls_live_slot *slots;
    uint32_t first;

    if (chunk >= set->chunk_limit)
        return NULL;
    /* Memory first: a number claimed and then left empty would make the set smaller for ever, each
     * time the cap is met. */
    slots = ls_memory_own_map(chunk_bytes(), chunk_bytes());
    if (slots == NULL)
        return NULL;
    do {
        if (chunk >= set->chunk_limit) {
            ls_memory_own_unmap(slots, chunk_bytes(), chunk_bytes());
            return NULL;
        }
    } while (!ls_compare_exchange_relaxed(&set->chunk_count, &chunk, chunk + 1));
    first = chunk * LS_LIVE_CHUNK_SLOTS;
    if (chunk == 0) { /* index 0 means none */
        first = 1;
        slots++;
    }
    for (uint32_t i = 1; i < LS_LIVE_CHUNK_SLOTS - (chunk == 0) - 1; i++)
        ls_store_relaxed(&slots[i].next_free, first + i + 1);
    ls_store_release(&set->chunks[chunk], chunk == 0 ? slots - 1 : slots); /* L2 pairs with L1 */
    push_free(set, first + 1, &slots[LS_LIVE_CHUNK_SLOTS - (chunk == 0) - 1]);
    *index = first;
    return slots;
}

struct ls_live_handle ls_live_set_acquire(struct ls_live_set *set, enum ls_resource resource,
                                          uint32_t stack, uint64_t size, double weight,
                                          uint64_t now_ns)
{
    struct ls_live_handle handle = {0, 0};
    struct ls_live_slot *slot = pop_free(set, &handle.slot);
    uint32_t word;

    if (slot == NULL)
        slot = grow(set, &handle.slot);
    if (slot == NULL)
        return (struct ls_live_handle){0, 0};
    word = ls_load_relaxed(&slot->word);
    ls_store_relaxed(&slot->word, with_state(word, LS_LIVE_FILLING));
    slot->stack = stack;
    slot->resource = (uint8_t)resource;
    slot->accounted = false;
    slot->size = size;
    slot->weight = weight;
    slot->acquired_ns = now_ns;
    ls_store_release(&slot->word, with_state(word, LS_LIVE_LIVE)); /* L5 pairs with L6 */
    handle.generation = generation_of(word);
    return handle;
}

uint32_t ls_live_set_stack(struct ls_live_set *set, uint32_t index)
{
    const struct ls_live_slot *slot = slot_at(set, index);

    return slot == NULL ? 0 : slot->stack;
}

bool ls_live_set_release(struct ls_live_set *set, uint32_t index, struct ls_live_handle *handle)
{
    struct ls_live_slot *slot = slot_at(set, index);
    uint32_t word;

    if (slot == NULL)
        return false;
    word = ls_load_relaxed(&slot->word);
    do {
        if (state_of(word) != LS_LIVE_LIVE)
            return false;
        /* Release so that the collector's reclaim comes after all this thread did with the slot;
         * L7 pairs with L6. */
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word,
                                                    with_state(word, LS_LIVE_RELEASED),
                                                    memory_order_release, memory_order_relaxed));
    handle->slot = index;
    handle->generation = generation_of(word);
    return true;
}

struct ls_live_slot *ls_live_set_find(struct ls_live_set *set, struct ls_live_handle handle)
{
    struct ls_live_slot *slot = slot_at(set, handle.slot);
    uint32_t word;

    if (slot == NULL)
        return NULL;
    word = ls_load_acquire(&slot->word); /* L6 pairs with L5 and L7 */
    if (generation_of(word) != handle.generation || state_of(word) < LS_LIVE_LIVE)
        return NULL;
    return slot;
}

enum ls_live_state ls_live_slot_state(const struct ls_live_slot *slot)
{
    return (enum ls_live_state)state_of(ls_load_acquire(&slot->word)); /* L6 */
}

void ls_live_set_reclaim(struct ls_live_set *set, uint32_t index)
{
    struct ls_live_slot *slot = slot_at(set, index);
    uint32_t next_generation = generation_of(ls_load_relaxed(&slot->word)) + 1;

    ls_store_relaxed(&slot->word, next_generation << STATE_BITS | LS_LIVE_FREE);
    push_free(set, index, slot);
}

void ls_live_set_sweep(struct ls_live_set *set, ls_live_set_visit *visit, void *context)
{
    uint32_t count = ls_load_relaxed(&set->chunk_count);

    for (uint32_t chunk = 0; chunk < count; chunk++) {
        struct ls_live_slot *slots = ls_load_acquire(&set->chunks[chunk]); /* L1 */

        for (uint32_t i = chunk == 0 ? 1 : 0; slots != NULL && i < LS_LIVE_CHUNK_SLOTS; i++) {
            if (ls_live_slot_state(&slots[i]) >= LS_LIVE_LIVE)
                visit(context, chunk * LS_LIVE_CHUNK_SLOTS + i, &slots[i]);
        }
    }
}
