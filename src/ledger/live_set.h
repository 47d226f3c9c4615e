/*
 * The live set: one slot for every tracked resource, from acquire until its release has been
 * accounted. The slot is the truth; the ring only carries word of it. So a full ring loses nothing:
 * the slot keeps its state and the next sweep finds it.
 *
 * A slot's life, all in `word` (state in the low two bits, generation above):
 *
 *   FREE --ls_live_set_acquire--> LIVE --ls_live_set_release--> RELEASED --collector--> FREE
 *
 * The generation changes when the collector frees the slot, so word that arrives late about an
 * earlier tenant is recognised and dropped.
 *
 * Acquire and release: any thread, no lock, no wait; acquire may map a new chunk (one system call)
 * and returns 0 when the set is full. Sweep, account and reclaim: the collector only.
 * A forked child goes on with it as it stands: one exchange moves the free list, so it is whole at
 * every instruction. A slot another thread was filling at the fork stays FILLING: one slot is lost.
 */
#ifndef LS_LEDGER_LIVE_SET_H
#define LS_LEDGER_LIVE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/resource.h"

enum ls_live_state {
    LS_LIVE_FREE,
    LS_LIVE_FILLING,
    LS_LIVE_LIVE,
    LS_LIVE_RELEASED,
};

struct ls_live_slot {
    _Atomic uint32_t word;
    _Atomic uint32_t next_free; /* slot index; valid while FREE */
    uint32_t stack;             /* ordinal in the stack table */
    uint8_t resource;           /* enum ls_resource */
    bool accounted;             /* collector's: its acquire is in the tallies */
    uint64_t size;
    double weight; /* resources it stands for: 1 / its chance of being sampled; negative when these
                      are counted elsewhere, and it is kept for their age only; 0: it is left out */
    uint64_t acquired_ns;
};

/* Resources it stands for, wherever these are counted. */
static inline double ls_live_slot_number(const struct ls_live_slot *slot)
{
    return slot->weight < 0 ? -slot->weight : slot->weight;
}

#define LS_LIVE_CHUNK_SLOTS 1024
#define LS_LIVE_CHUNKS_MAX  65536

struct ls_live_set {
    _Atomic(struct ls_live_slot *) chunks[LS_LIVE_CHUNKS_MAX];
    _Atomic uint32_t chunk_count;
    _Atomic uint64_t free_head; /* slot index in the low half, a tag against ABA in the high half */
    uint32_t chunk_limit;
};

/* What a release found in the slot, copied before anyone can reuse it. */
struct ls_live_handle {
    uint32_t slot; /* 0: none */
    uint32_t generation;
};

void ls_live_set_init(struct ls_live_set *set, size_t slots_max);

struct ls_live_handle ls_live_set_acquire(struct ls_live_set *set, enum ls_resource resource,
                                          uint32_t stack, uint64_t size, double weight,
                                          uint64_t now_ns);
/* Of a slot that is held: nobody releases it meanwhile. LS_STACK_OVERFLOW for none. */
uint32_t ls_live_set_stack(struct ls_live_set *set, uint32_t slot);
/* Marks the slot released. False if it was not live: a double free, or a corrupted tag. */
bool ls_live_set_release(struct ls_live_set *set, uint32_t slot, struct ls_live_handle *handle);
/* Collector: the slot if `handle` still names its tenant, else NULL. */
struct ls_live_slot *ls_live_set_find(struct ls_live_set *set, struct ls_live_handle handle);
/* Collector: the slot of that number, whoever has it; NULL for none. */
struct ls_live_slot *ls_live_set_at(struct ls_live_set *set, uint32_t slot);
enum ls_live_state ls_live_slot_state(const struct ls_live_slot *slot);
/* Collector: gives a released slot back. */
void ls_live_set_reclaim(struct ls_live_set *set, uint32_t slot);
/* Collector: every slot that is live or released; it may reclaim the one it is given. */
typedef void ls_live_set_visit(void *context, uint32_t index, struct ls_live_slot *slot);
void ls_live_set_sweep(struct ls_live_set *set, ls_live_set_visit *visit, void *context);

#endif
