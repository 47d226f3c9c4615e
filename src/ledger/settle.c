/*
 * Stacks to sites: what of a stack says which site it belongs to.
 *
 * Of native frames modules and offsets count, of JavaScript functions their names and places; never
 * addresses, so that a site is the same in every run of the same binaries.
 */
#include "ledger/ledger.h"

#include <string.h>

#include "base/hash.h"
#include "ledger/inlining.h"
#include "ledger/js_function.h"
#include "ledger/kinds.h"

static const struct ls_module *module_of(const struct ls_stack *stack, uint32_t frame)
{
    return ls_modules_find(&ls_ledger.modules, stack->pcs[frame], stack->first_seen_ns);
}

/* Behind the name of what was acquired. */
static uint32_t first_frame(const struct ls_stack *stack)
{
    return ls_stack_kind(stack) != 0;
}

uint32_t ls_ledger_first_jit_frame(const struct ls_stack *stack)
{
    uint32_t frame = first_frame(stack);

    while (frame < stack->depth && module_of(stack, frame) != NULL)
        frame++;
    return frame;
}

/* JavaScript calls native code by way of a stub of the engine's, and that may call the next. An
 * engine without its symbols does not tell the names of all of them. */
static bool is_dispatch(const struct ls_stack *stack, uint32_t frame, uint32_t first_jit,
                        const struct ls_ledger_code *code)
{
    enum ls_dispatch found = code->dispatch_of(module_of(stack, frame), stack->pcs[frame]);

    if (found != LS_DISPATCH_MAYBE)
        return found == LS_DISPATCH_YES;
    return frame + 1 == first_jit ||
           code->dispatch_of(module_of(stack, frame - 1), stack->pcs[frame - 1]) == LS_DISPATCH_YES;
}

/*
 * Frames that identify the site: up to the first that no module owns. JIT code moves whenever it is
 * compiled again, and what lies outside of it is the way into it. Just inside of it lie the
 * engine's own frames of a call into native code, which come and go with each tier of compilation.
 * JavaScript functions that were named have no module either.
 */
static uint32_t identifying_frames(const struct ls_stack *stack, uint32_t first_jit,
                                   const struct ls_ledger_code *code)
{
    uint32_t end = first_jit;

    if (first_jit == stack->depth)
        return end;
    while (end > 1 && code != NULL && is_dispatch(stack, end - 1, first_jit, code))
        end--;
    return end;
}

/* What identifies a stack. */
struct identity {
    uint64_t native; /* the native frames down to a call out of JavaScript */
    /* The program's own JavaScript function nearest to that. The runtime's functions inside of it
     * are left out, for which of them have frames depends on what the compiler has inlined. Where
     * none is the program's, the innermost stands for all. NULL: no JavaScript. */
    const struct ls_js_function *function;
    uint32_t frame; /* its index */
};

static void find_function(const struct ls_stack *stack, uint32_t first_jit,
                          struct identity *identity)
{
    for (uint32_t i = first_jit; i < stack->depth; i++) {
        const struct ls_js_function *function = ls_js_frame_function(stack->pcs[i]);

        if (function == NULL || (identity->function != NULL && !function->user_code))
            continue;
        identity->function = function;
        identity->frame = i;
        if (function->user_code)
            return;
    }
}

/* Direct recursion counts once, whatever its depth. */
static struct identity identify(enum ls_resource resource, const struct ls_stack *stack,
                                const struct ls_ledger_code *code)
{
    struct identity identity = {.native = ls_hash_mix(LS_HASH_SEED + resource)};
    uint32_t first_jit = ls_ledger_first_jit_frame(stack);
    uint32_t end = identifying_frames(stack, first_jit, code);
    uint64_t last = 0;
    const char *kind = ls_kind_name(ls_stack_kind(stack));

    if (*kind != '\0')
        identity.native = ls_hash_bytes(identity.native, kind, strlen(kind));
    for (uint32_t i = first_frame(stack); i < end; i++) {
        const struct ls_module *module = module_of(stack, i);
        uint64_t frame = ls_hash_add(module->identity, stack->pcs[i] - module->bias);

        if (module->is_own) /* threads may begin in one */
            continue;
        if (frame != last)
            identity.native = ls_hash_add(identity.native, frame);
        last = frame;
    }
    identity.native = ls_hash_add(identity.native, first_jit < stack->depth);
    find_function(stack, first_jit, &identity);
    return identity;
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

static struct ls_site *overflow_site(enum ls_resource resource)
{
    struct ls_site *site = ls_site_table_obtain(&ls_ledger.sites, resource, (uint64_t)resource + 1);

    if (site != NULL)
        site->overflow = true;
    return site;
}

/* For resources whose acquire nobody saw: the stack is one made-up program counter. And for what an
 * engine keeps for itself, whatever the stack. */
static struct ls_site *made_up_site(enum ls_resource resource, uintptr_t origin)
{
    struct ls_site *site = ls_site_table_obtain(
        &ls_ledger.sites, resource, origin * LS_RESOURCE_COUNT + (uint64_t)resource + 1);

    if (site != NULL && !site->overflow)
        site->origin = (uint8_t)origin;
    return site;
}

static struct ls_site *site_of_identity(enum ls_resource resource, const struct ls_stack *stack,
                                        const struct identity *identity)
{
    uint64_t id = identity->native;
    struct ls_site *site;

    if (identity->function == NULL)
        return ls_site_table_obtain(&ls_ledger.sites, resource, id);
    id = ls_hash_add(id, identity->function->key);
    site =
        ls_inlining_site(&ls_ledger.sites, resource, id, stack, identity->native, identity->frame);
    if (site == NULL)
        site = ls_site_table_obtain(&ls_ledger.sites, resource, id);
    if (site != NULL)
        ls_inlining_note(&ls_ledger.sites, site, stack, identity->native, identity->frame);
    return site;
}

static struct ls_site *site_of_stack(enum ls_resource resource, uint32_t ordinal,
                                     const struct ls_ledger_code *code)
{
    const struct ls_stack *stack = ls_stack_table_get(&ls_ledger.stacks, ordinal);
    enum ls_site_engine engine;
    struct identity identity;
    struct ls_site *site;

    if (stack == NULL)
        return NULL;
    if (ordinal == LS_STACK_OVERFLOW)
        return overflow_site(resource);
    if (stack->depth == 1 && stack->pcs[0] < LS_STACK_MADE_UP)
        return made_up_site(resource, stack->pcs[0]);
    engine = code == NULL ? LS_SITE_OF_PROGRAM : code->engine_of(stack);
    if (engine != LS_SITE_OF_PROGRAM)
        return made_up_site(resource, engine);
    identity = identify(resource, stack, code);
    site = site_of_identity(resource, stack, &identity);
    if (site != NULL && site->stack == 0 && !site->overflow) {
        site->stack = ordinal;
        site->module = responsible_module(stack);
    }
    if (site != NULL && identity.function != NULL)
        site->in_js = true;
    return site;
}

static void settle_resource(enum ls_resource resource, uint32_t stacks_known,
                            const struct ls_ledger_code *code)
{
    const struct ls_tally *tallies = ls_ledger.stack_tallies[resource];
    struct ls_site **sites = ls_ledger.stack_sites[resource];

    if (tallies == NULL || sites == NULL)
        return;
    for (uint32_t i = 0; i < stacks_known; i++) {
        if (tallies[i].acquired_count == 0)
            continue;
        if (sites[i] == NULL)
            sites[i] = site_of_stack(resource, i, code);
        if (sites[i] != NULL)
            ls_tally_add(&sites[i]->tally, &tallies[i]);
    }
}

void ls_ledger_settle_sites(uint32_t stacks_known, const struct ls_ledger_code *code)
{
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->resource != LS_RESOURCE_JS)
            site->tally = (struct ls_tally){0};
    }
    for (int resource = 0; resource < LS_RESOURCE_COUNT; resource++)
        settle_resource((enum ls_resource)resource, stacks_known, code);
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++)
        ls_site_note_peak_count(ls_site_table_at(&ls_ledger.sites, i));
}
