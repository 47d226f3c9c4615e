#include "capture/frame_rule.h"

#include <errno.h>

#include "system/memory.h"

struct ls_frame_rules ls_frame_rules;

int ls_frame_rules_start(void)
{
    const size_t bytes = LS_FRAME_PLACES * sizeof(*ls_frame_rules.entries);

    /* Touched where code is; charged as a quarter. */
    if (ls_frame_rules.entries == NULL)
        ls_frame_rules.entries = ls_memory_own_map(bytes, bytes / 4);
    return ls_frame_rules.entries != NULL ? 0 : -ENOMEM;
}

static bool is_current(uint64_t entry, unsigned generation)
{
    return entry != 0 &&
           ((entry >> LS_FRAME_RULE_BITS ^ generation) & LS_BITS(LS_FRAME_GENERATION_BITS)) == 0;
}

void ls_frame_rule_keep(uintptr_t pc, struct ls_frame_rule rule)
{
    _Atomic uint64_t *entries = ls_frame_rules.entries;
    unsigned generation = ls_load_relaxed(&ls_frame_rules.generation);
    uint64_t scrambled = ls_frame_scramble(pc);
    size_t place = scrambled & (LS_FRAME_PLACES - 1);

    if (entries == NULL || pc >> LS_FRAME_ADDRESS_BITS != 0)
        return;
    if (rule.cfa_words > LS_BITS(LS_FRAME_CFA_BITS) ||
        rule.bp_slot_words > LS_BITS(LS_FRAME_SLOT_BITS))
        rule = (struct ls_frame_rule){.kind = LS_FRAME_OTHER};
    /* The first place if it is free, else the second, whatever it holds. */
    if (is_current(ls_load_relaxed(&entries[place]), generation))
        place ^= 1;
    ls_store_relaxed(&entries[place],
                     ls_frame_key(scrambled, generation) << LS_FRAME_RULE_BITS |
                         (uint64_t)rule.cfa_words << (LS_FRAME_KIND_BITS + LS_FRAME_SLOT_BITS) |
                         (uint64_t)rule.bp_slot_words << LS_FRAME_KIND_BITS | (uint64_t)rule.kind);
}

void ls_frame_rules_forget(void)
{
    unsigned next = ls_add_relaxed(&ls_frame_rules.generation, 1) + 1;

    /* Only the low bits are in the entries: before they come round, all entries go. */
    if (ls_frame_rules.entries == NULL || (next & LS_BITS(LS_FRAME_GENERATION_BITS)) != 0)
        return;
    for (size_t i = 0; i < LS_FRAME_PLACES; i++)
        ls_store_relaxed(&ls_frame_rules.entries[i], 0);
}
