/*
 * The ledger: what has been acquired and not yet released, by stack and by site.
 *
 * Producers (any thread, lock-free, never waiting): intern, acquire, release.
 * The collector (one thread): drain, which brings the stacks' tallies up to date, and
 * ls_ledger_settle_sites, which rolls stacks up to sites.
 * After fork the child calls ls_ledger_after_fork before anything else.
 */
#ifndef LS_LEDGER_LEDGER_H
#define LS_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/live_set.h"
#include "ledger/modules.h"
#include "ledger/ring.h"
#include "ledger/site_table.h"
#include "ledger/stack_table.h"

#define LS_LEDGER_STACKS_MAX 262144
/* Stacks that what is kept beside the stack table is paid for at once. */
#define LS_LEDGER_GROUP_STACKS 512
/* What one more stack takes of own memory at a usual depth: frames, two buckets and an entry of the
 * directory in the stack table, a tally and the address of a site. */
#define LS_LEDGER_STACK_BYTES (256 + 8 + 8 + sizeof(struct ls_tally) + sizeof(struct ls_site *))

struct ls_ledger_limits {
    uint32_t stacks;    /* distinct stacks, a power of two, at most LS_LEDGER_STACKS_MAX */
    size_t slots;       /* tracked resources alive at once */
    size_t ring_events; /* a power of two */
};

struct ls_ledger {
    struct ls_stack_table stacks;
    struct ls_live_set live;
    struct ls_ring ring;
    /* Set by a producer that found the ring full; the next drain sweeps the live set. */
    _Atomic uint32_t sweep_wanted;
    _Atomic uint64_t lost_acquires; /* resources that could not be given a slot */
    _Atomic uint64_t lost_releases; /* releases of blocks whose tag was not ours any more */
    /* Woken when the ring is half full; a futex word. */
    _Atomic uint32_t wake_word;
    size_t wake_level;

    /* The collector's. */
    uint64_t age_unit_ns; /* of the ages of what is released; 0: those are not counted */
    struct ls_modules modules;
    struct ls_site_table sites;
    struct ls_tally *stack_tallies[LS_RESOURCE_COUNT]; /* by stack ordinal; mapped on first use */
    struct ls_site **stack_sites[LS_RESOURCE_COUNT];   /* by stack ordinal; NULL: not settled yet */
    /* enum group in ledger.c: whether there is memory for a group of stacks in these two. */
    uint8_t stack_groups[LS_RESOURCE_COUNT][LS_LEDGER_STACKS_MAX / LS_LEDGER_GROUP_STACKS];
};

/* The one ledger of the process. */
extern struct ls_ledger ls_ledger;

int ls_ledger_start(const struct ls_ledger_limits *limits);

/* --- producers --- */

/* Returns the slot, 0 when there is none to be had (counted). `weight` as in struct ls_live_slot.
 */
uint32_t ls_ledger_acquire(enum ls_resource resource, uint32_t stack, uint64_t size, double weight,
                           uint64_t now_ns);
/* Before the real release. */
void ls_ledger_release(uint32_t slot);
/* There is more to do than should wait for the next interval. */
void ls_ledger_wake_collector(void);

/* --- the collector --- */

/* Accounts everything that happened before the call. */
void ls_ledger_drain(void);
/* Where what the stack holds is counted: its own tally, or that of LS_STACK_OVERFLOW for good when
 * the memory cap leaves none for it. NULL when not even that can be had. */
struct ls_tally *ls_ledger_stack_tally(enum ls_resource resource, uint32_t stack);
/* The sum over all stacks. */
void ls_ledger_sum(enum ls_resource resource, struct ls_tally *sum);
/* Whether a frame is one of those by which a JIT engine calls native code. */
enum ls_dispatch {
    LS_DISPATCH_NOT,
    LS_DISPATCH_MAYBE, /* the engine's, whose name is not known */
    LS_DISPATCH_YES,
};

/* What frames are, as those know who know the engine. */
struct ls_ledger_code {
    enum ls_dispatch (*dispatch_of)(const struct ls_module *module, uintptr_t pc);
    /* Whether the engine took it for itself. */
    enum ls_site_engine (*engine_of)(const struct ls_stack *stack);
};
/* Recomputes every native site's tally from its stacks. Stacks at or above `stacks_known` were
 * first seen after the last ls_modules_refresh and wait for the next one. NULL: no frames are told
 * apart. */
void ls_ledger_settle_sites(uint32_t stacks_known, const struct ls_ledger_code *code);
/* Index of the innermost frame that no module owns; the depth when there is none. */
uint32_t ls_ledger_first_jit_frame(const struct ls_stack *stack);
/* The site of a stack, and of a live slot; NULL before it has been settled. */
struct ls_site *ls_ledger_site_of(enum ls_resource resource, uint32_t stack);
struct ls_site *ls_ledger_slot_site(const struct ls_live_slot *slot);
/* What the slot stands for, in the unit its site is judged by: bytes, or resources. */
double ls_ledger_slot_amount(const struct ls_live_slot *slot, const struct ls_site *site);

void ls_ledger_after_fork(void);

#endif
