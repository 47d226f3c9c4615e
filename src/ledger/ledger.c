#include "ledger/ledger.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/syscall.h"

struct ls_ledger ls_ledger;

/* When the drain under way began: what it finds released was, about then. */
static uint64_t drained_ns;

/* The tables by stack ordinal are reserved whole and charged as groups of stacks come into use. */
#define GROUP_BYTES (LS_LEDGER_GROUP_STACKS * (sizeof(struct ls_tally) + sizeof(struct ls_site *)))

enum group {
    GROUP_UNTOUCHED,
    GROUP_CHARGED,
    GROUP_REFUSED, /* for good: what was counted in one tally must not leave another */
};

static size_t ring_bytes(size_t events)
{
    return events * sizeof(struct ls_ring_cell);
}

int ls_ledger_start(const struct ls_ledger_limits *limits)
{
    struct ls_ring_cell *cells;
    int status;

    if (limits->stacks > LS_LEDGER_STACKS_MAX)
        return -EINVAL;
    status = ls_stack_table_init(&ls_ledger.stacks, limits->stacks);
    if (status == 0)
        status = ls_site_table_start(&ls_ledger.sites);
    if (status != 0)
        return status;
    /* There whatever is used up later: what finds the tables full is counted. */
    if (ls_ledger_stack_tally(LS_RESOURCE_HEAP, LS_STACK_OVERFLOW) == NULL ||
        ls_ledger_stack_tally(LS_RESOURCE_SOCKET, LS_STACK_OVERFLOW) == NULL ||
        ls_ledger_stack_tally(LS_RESOURCE_FILE, LS_STACK_OVERFLOW) == NULL)
        return -ENOMEM;
    cells = ls_memory_own_map(ring_bytes(limits->ring_events), ring_bytes(limits->ring_events));
    if (cells == NULL)
        return -ENOMEM;
    ls_ring_init(&ls_ledger.ring, cells, limits->ring_events);
    ls_live_set_init(&ls_ledger.live, limits->slots);
    ls_ledger.wake_level = limits->ring_events / 2;
    return 0;
}

static uint64_t event_of(struct ls_live_handle handle)
{
    return (uint64_t)handle.generation << 32 | handle.slot;
}

static struct ls_live_handle handle_of(uint64_t event)
{
    return (struct ls_live_handle){(uint32_t)event, (uint32_t)(event >> 32)};
}

void ls_ledger_wake_collector(void)
{
    ls_add_release(&ls_ledger.wake_word, 1); /* W1 pairs with W2 in the collector */
    ls_sys_futex_wake((const void *)&ls_ledger.wake_word, 1);
}

static void notify(struct ls_live_handle handle)
{
    if (!ls_ring_push(&ls_ledger.ring, event_of(handle))) {
        /* Who asks for the sweep sees to it that it comes: of two producers that pass the wake
         * level at once, neither may have seen just that number waiting. E1 pairs with E2: the
         * sweep sees the state the slot has now. Otherwise it could miss the slot and take the wish
         * with it. */
        if (ls_exchange_acquire_release(&ls_ledger.sweep_wanted, 1) == 0)
            ls_ledger_wake_collector();
        return;
    }
    if (LS_UNLIKELY(ls_ring_waiting(&ls_ledger.ring) == ls_ledger.wake_level))
        ls_ledger_wake_collector();
}

uint32_t ls_ledger_acquire(enum ls_resource resource, uint32_t stack, uint64_t size, double weight,
                           uint64_t now_ns)
{
    struct ls_live_handle handle =
        ls_live_set_acquire(&ls_ledger.live, resource, stack, size, weight, now_ns);

    if (handle.slot == 0) {
        if (weight > 0) /* else only its age is lost */
            ls_add_relaxed(&ls_ledger.lost_acquires, 1);
        return 0;
    }
    notify(handle);
    return handle.slot;
}

void ls_ledger_release(uint32_t slot)
{
    struct ls_live_handle handle;

    if (ls_live_set_release(&ls_ledger.live, slot, &handle))
        notify(handle);
    else
        ls_add_relaxed(&ls_ledger.lost_releases, 1);
}

/* The stack under which the stack is counted. */
static uint32_t counted_under(enum ls_resource resource, uint32_t stack)
{
    uint8_t *group = &ls_ledger.stack_groups[resource][stack / LS_LEDGER_GROUP_STACKS];

    if (*group == GROUP_UNTOUCHED) {
        *group = ls_memory_own_charge(GROUP_BYTES) ? GROUP_CHARGED : GROUP_REFUSED;
        ls_ledger.sites.overflowed += *group == GROUP_REFUSED;
    }
    return *group == GROUP_CHARGED ? stack : LS_STACK_OVERFLOW;
}

struct ls_tally *ls_ledger_stack_tally(enum ls_resource resource, uint32_t stack)
{
    struct ls_tally **tallies = &ls_ledger.stack_tallies[resource];
    struct ls_site ***sites = &ls_ledger.stack_sites[resource];
    uint32_t capacity = ls_ledger.stacks.capacity;

    if (stack >= capacity)
        return NULL;
    if (*tallies == NULL)
        *tallies = ls_memory_own_map(capacity * sizeof(**tallies), 0);
    if (*sites == NULL)
        *sites = ls_memory_own_map(capacity * sizeof(**sites), 0);
    if (*tallies == NULL || *sites == NULL)
        return NULL;
    return &(*tallies)[counted_under(resource, stack)];
}

void ls_ledger_sum(enum ls_resource resource, struct ls_tally *sum)
{
    const struct ls_tally *tallies = ls_ledger.stack_tallies[resource];
    uint32_t count = tallies == NULL ? 0 : ls_stack_table_count(&ls_ledger.stacks);

    *sum = (struct ls_tally){0};
    for (uint32_t i = 0; i < count; i++)
        ls_tally_add(sum, &tallies[i]);
}

/* Poisson sampling, Horvitz-Thompson: a resource of size s seen with chance p adds s/p to the
 * estimate and s^2 (1-p)/p^2 to the estimate of its variance; with w = 1/p that is s^2 w (w-1). */
static double variance_of(const struct ls_live_slot *slot)
{
    double size = (double)slot->size;

    return size * size * slot->weight * (slot->weight - 1.0);
}

static void account_acquire(struct ls_live_slot *slot)
{
    struct ls_tally *tally = ls_ledger_stack_tally((enum ls_resource)slot->resource, slot->stack);

    slot->accounted = true;
    if (!(slot->weight > 0))
        return;
    if (tally == NULL) { /* its release must not be taken off a tally that comes later */
        slot->weight = 0;
        ls_add_relaxed(&ls_ledger.lost_acquires, 1);
        return;
    }
    tally->acquired_count += slot->weight;
    tally->acquired_bytes += slot->weight * (double)slot->size;
    tally->live_count += slot->weight;
    tally->live_bytes += slot->weight * (double)slot->size;
    tally->variance_bytes += variance_of(slot);
    if (tally->live_count > tally->peak_live_count)
        tally->peak_live_count = tally->live_count;
}

double ls_ledger_slot_amount(const struct ls_live_slot *slot, const struct ls_site *site)
{
    double number = ls_live_slot_number(slot);

    return ls_site_is_counted(site) ? number : number * (double)slot->size;
}

/* A site that is not settled yet misses what it releases before that: the youngest. */
static void date_release(const struct ls_live_slot *slot)
{
    struct ls_site *site = ls_ledger_slot_site(slot);
    uint64_t age_ns = drained_ns > slot->acquired_ns ? drained_ns - slot->acquired_ns : 0;

    if (site != NULL && ls_ledger.age_unit_ns > 0)
        ls_release_ages_add(&site->released, (double)age_ns / (double)ls_ledger.age_unit_ns,
                            ls_ledger_slot_amount(slot, site));
}

static void account_release(const struct ls_live_slot *slot)
{
    struct ls_tally *tally = ls_ledger_stack_tally((enum ls_resource)slot->resource, slot->stack);

    if (tally == NULL || slot->weight == 0)
        return;
    date_release(slot);
    if (slot->weight < 0)
        return;
    tally->released_count += slot->weight;
    tally->live_count -= slot->weight;
    tally->live_bytes -= slot->weight * (double)slot->size;
    tally->variance_bytes -= variance_of(slot);
    /* Sums of fractions leave a residue where nothing is left, of either sign. */
    if (tally->variance_bytes < 0)
        tally->variance_bytes = 0;
    if (tally->live_count < 1e-6) {
        tally->live_count = 0;
        tally->live_bytes = 0;
        tally->variance_bytes = 0;
    }
}

static void account(void *context, uint32_t index, struct ls_live_slot *slot)
{
    enum ls_live_state state = ls_live_slot_state(slot);

    (void)context;
    if (!slot->accounted)
        account_acquire(slot);
    if (state == LS_LIVE_RELEASED) {
        account_release(slot);
        ls_live_set_reclaim(&ls_ledger.live, index);
    }
}

void ls_ledger_drain(void)
{
    /* As many events as were waiting at the start: producers cannot keep the collector here. */
    uint64_t left = ls_ring_waiting(&ls_ledger.ring);
    uint64_t event;

    drained_ns = ls_clock_coarse_ns();
    for (; left > 0 && ls_ring_pop(&ls_ledger.ring, &event); left--) {
        struct ls_live_handle handle = handle_of(event);
        struct ls_live_slot *slot = ls_live_set_find(&ls_ledger.live, handle);

        if (slot != NULL)
            account(NULL, handle.slot, slot);
    }
    /* Events left behind a cell that its producer has claimed and not filled are found in the
     * slots. */
    if (ls_exchange_acquire_release(&ls_ledger.sweep_wanted, 0) != 0 || left > 0) /* E2 */
        ls_live_set_sweep(&ls_ledger.live, account, NULL);
}

struct ls_site *ls_ledger_site_of(enum ls_resource resource, uint32_t stack)
{
    struct ls_site **sites = ls_ledger.stack_sites[resource];

    return sites == NULL ? NULL : sites[counted_under(resource, stack)];
}

struct ls_site *ls_ledger_slot_site(const struct ls_live_slot *slot)
{
    return ls_ledger_site_of((enum ls_resource)slot->resource, slot->stack);
}

void ls_ledger_after_fork(void)
{
    /* Cells that other threads had claimed will never be filled here; the sweep finds what the
     * ring carried. */
    ls_ring_clear(&ls_ledger.ring);
    ls_store_relaxed(&ls_ledger.sweep_wanted, 1);
    ls_store_relaxed(&ls_ledger.modules.updating, 0);
}
