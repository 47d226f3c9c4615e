#include "ledger/inlining.h"

#include "base/hash.h"
#include "ledger/js_function.h"

#define CALLERS_MAX 4 /* functions of the program that may each have been inlined into the next */
#define PLACE_BITS  12

struct entry {
    uint64_t key;   /* the native frames and a caller */
    uint32_t index; /* of the site in the table, plus one */
};

/* What finds its place taken by a site with more in it is not remembered. */
static struct entry entries[1 << PLACE_BITS];

static uint64_t key_of(uint64_t native, const struct ls_js_function *caller)
{
    return ls_hash_add(native, caller->key);
}

static struct entry *place_of(uint64_t key)
{
    return &entries[key >> (64 - PLACE_BITS)];
}

static bool is_optimised(const struct ls_stack *stack, uint32_t frame)
{
    return (stack->pcs[frame] & LS_JS_FRAME_OPTIMISED) != 0;
}

struct ls_site *ls_inlining_site(const struct ls_site_table *table, enum ls_resource resource,
                                 uint64_t id, const struct ls_stack *stack, uint64_t native,
                                 uint32_t frame)
{
    const struct ls_js_function *function = ls_js_frame_function(stack->pcs[frame]);
    uint64_t key = key_of(native, function);
    const struct entry *entry = place_of(key);

    if (!function->user_code || !is_optimised(stack, frame) || entry->index == 0 ||
        entry->key != key || ls_site_table_find(table, resource, id) != NULL)
        return NULL;
    return ls_site_table_at(table, entry->index - 1);
}

static void remember(const struct ls_site_table *table, const struct ls_site *site, uint64_t key)
{
    struct entry *entry = place_of(key);

    if (entry->index != 0 && entry->index != site->index + 1 &&
        ls_site_table_at(table, entry->index - 1)->peak_live_bytes >= site->peak_live_bytes)
        return;
    *entry = (struct entry){key, site->index + 1};
}

void ls_inlining_note(const struct ls_site_table *table, const struct ls_site *site,
                      const struct ls_stack *stack, uint64_t native, uint32_t frame)
{
    const struct ls_js_function *last = ls_js_frame_function(stack->pcs[frame]);
    unsigned callers = 0;

    if (site->overflow)
        return;
    for (uint32_t i = frame + 1; i < stack->depth && callers < CALLERS_MAX; i++) {
        const struct ls_js_function *caller = ls_js_frame_function(stack->pcs[i]);

        if (caller == NULL || !caller->user_code || caller == last)
            continue;
        remember(table, site, key_of(native, caller));
        last = caller;
        callers++;
    }
}
