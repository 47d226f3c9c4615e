#include "ledger/ledger.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "ledger/js_function.h"
#include "system/memory.h"
#include "system/syscall.h"

struct ls_ledger ls_ledger;

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

static void wake_collector(void)
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
            wake_collector();
        return;
    }
    if (LS_UNLIKELY(ls_ring_waiting(&ls_ledger.ring) == ls_ledger.wake_level))
        wake_collector();
}

uint32_t ls_ledger_acquire(enum ls_resource resource, uint32_t stack, uint64_t size, double weight,
                           uint64_t now_ns)
{
    struct ls_live_handle handle =
        ls_live_set_acquire(&ls_ledger.live, resource, stack, size, weight, now_ns);

    if (handle.slot == 0) {
        if (weight != 0) /* else only its age is lost */
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
    if (slot->weight == 0)
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
}

static void account_release(const struct ls_live_slot *slot)
{
    struct ls_tally *tally = ls_ledger_stack_tally((enum ls_resource)slot->resource, slot->stack);

    if (tally == NULL || slot->weight == 0)
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

static const struct ls_module *module_of(const struct ls_stack *stack, uint32_t frame)
{
    return ls_modules_find(&ls_ledger.modules, stack->pcs[frame], stack->first_seen_ns);
}

uint32_t ls_ledger_first_jit_frame(const struct ls_stack *stack)
{
    uint32_t frame = 0;

    while (frame < stack->depth && module_of(stack, frame) != NULL)
        frame++;
    return frame;
}

/*
 * Frames that identify the site: up to the first that no module owns. JIT code moves whenever it is
 * compiled again, and what lies outside of it is the way into it. Just inside of it lie the
 * engine's own frames of a call into native code, which come and go with each tier of compilation.
 * JavaScript functions that were named have no module either.
 */
static uint32_t identifying_frames(const struct ls_stack *stack, uint32_t first_jit,
                                   ls_ledger_is_dispatch *is_dispatch)
{
    uint32_t end = first_jit;

    if (first_jit == stack->depth)
        return end;
    while (end > 1 && is_dispatch != NULL &&
           is_dispatch(module_of(stack, end - 1), stack->pcs[end - 1]))
        end--;
    return end;
}

/* The program's own JavaScript function nearest to the call. The runtime's functions inside of it
 * are left out, for which of them have frames depends on what the compiler has inlined. Where none
 * is the program's, the innermost stands for all. */
static const struct ls_js_function *identifying_function(const struct ls_stack *stack,
                                                         uint32_t first_jit)
{
    const struct ls_js_function *innermost = NULL;

    for (uint32_t i = first_jit; i < stack->depth; i++) {
        const struct ls_js_function *function = ls_js_frame_function(stack->pcs[i]);

        if (function == NULL)
            continue;
        if (function->user_code)
            return function;
        if (innermost == NULL)
            innermost = function;
    }
    return innermost;
}

/* Identity of a stack across runs: modules and offsets, and keys of JavaScript functions; never
 * addresses. Direct recursion counts once, whatever its depth. */
static uint64_t identify(enum ls_resource resource, const struct ls_stack *stack,
                         ls_ledger_is_dispatch *is_dispatch)
{
    uint64_t hash = ls_hash_mix(LS_HASH_SEED + resource);
    uint32_t first_jit = ls_ledger_first_jit_frame(stack);
    uint32_t end = identifying_frames(stack, first_jit, is_dispatch);
    const struct ls_js_function *function;
    uint64_t last = 0;
    bool inside = false;

    for (uint32_t i = 0; i < end; i++) {
        const struct ls_module *module = module_of(stack, i);
        uint64_t frame = ls_hash_add(module->identity, stack->pcs[i] - module->bias);

        if (module->is_own && !inside)
            continue;
        inside = true;
        if (frame != last)
            hash = ls_hash_add(hash, frame);
        last = frame;
    }
    function = identifying_function(stack, first_jit);
    hash = ls_hash_add(hash, first_jit < stack->depth);
    return function != NULL ? ls_hash_add(hash, function->key) : hash;
}

/* The innermost module that is neither ours nor a runtime library; failing that, the innermost. */
static const struct ls_module *responsible_module(const struct ls_stack *stack)
{
    const struct ls_module *innermost = NULL;

    for (uint32_t i = 0; i < stack->depth; i++) {
        const struct ls_module *module = module_of(stack, i);

        if (module == NULL || module->is_own)
            continue;
        if (!module->is_runtime)
            return module;
        if (innermost == NULL)
            innermost = module;
    }
    return innermost;
}

static struct ls_site *site_of_stack(enum ls_resource resource, uint32_t ordinal,
                                     ls_ledger_is_dispatch *is_dispatch)
{
    const struct ls_stack *stack = ls_stack_table_get(&ls_ledger.stacks, ordinal);
    struct ls_site *site;

    if (stack == NULL)
        return NULL;
    if (ordinal == LS_STACK_OVERFLOW) {
        site = ls_site_table_obtain(&ls_ledger.sites, resource, (uint64_t)resource + 1);
        if (site != NULL)
            site->overflow = true;
        return site;
    }
    if (stack->depth == 1 && stack->pcs[0] < LS_STACK_MADE_UP) {
        site = ls_site_table_obtain(&ls_ledger.sites, resource,
                                    stack->pcs[0] * LS_RESOURCE_COUNT + (uint64_t)resource + 1);
        if (site != NULL && !site->overflow)
            site->origin = (uint8_t)stack->pcs[0];
        return site;
    }
    site = ls_site_table_obtain(&ls_ledger.sites, resource, identify(resource, stack, is_dispatch));
    if (site != NULL && site->stack == 0 && !site->overflow) {
        site->stack = ordinal;
        site->module = responsible_module(stack);
    }
    return site;
}

static void settle_resource(enum ls_resource resource, uint32_t stacks_known,
                            ls_ledger_is_dispatch *is_dispatch)
{
    const struct ls_tally *tallies = ls_ledger.stack_tallies[resource];
    struct ls_site **sites = ls_ledger.stack_sites[resource];

    if (tallies == NULL || sites == NULL)
        return;
    for (uint32_t i = 0; i < stacks_known; i++) {
        if (tallies[i].acquired_count == 0)
            continue;
        if (sites[i] == NULL)
            sites[i] = site_of_stack(resource, i, is_dispatch);
        if (sites[i] != NULL)
            ls_tally_add(&sites[i]->tally, &tallies[i]);
    }
}

void ls_ledger_settle_sites(uint32_t stacks_known, ls_ledger_is_dispatch *is_dispatch)
{
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->resource != LS_RESOURCE_JS)
            site->tally = (struct ls_tally){0};
    }
    for (int resource = 0; resource < LS_RESOURCE_COUNT; resource++)
        settle_resource((enum ls_resource)resource, stacks_known, is_dispatch);
}

struct ls_site *ls_ledger_slot_site(const struct ls_live_slot *slot)
{
    struct ls_site **sites = ls_ledger.stack_sites[slot->resource];

    if (sites == NULL)
        return NULL;
    return sites[counted_under((enum ls_resource)slot->resource, slot->stack)];
}

void ls_ledger_after_fork(void)
{
    /* Cells that other threads had claimed will never be filled here; the sweep finds what the
     * ring carried. */
    ls_ring_clear(&ls_ledger.ring);
    ls_store_relaxed(&ls_ledger.sweep_wanted, 1);
    ls_store_relaxed(&ls_ledger.modules.updating, 0);
}
