/*
 * How one frame leads to its caller's: for a return address, where the canonical frame address
 * (CFA) lies and whether the frame pointer was saved. The return address itself is always the word
 * below the CFA (System V ABI for AMD64, section 3.2.2).
 *
 * The table is shared by all threads and never blocks: an entry is one word, and a newer one may
 * take an older one's place. What is not in it is asked of libunwind, once (frame_probe.h).
 */
#ifndef LS_CAPTURE_FRAME_RULE_H
#define LS_CAPTURE_FRAME_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

enum ls_frame_kind {
    LS_FRAME_UNKNOWN,  /* not in the table */
    LS_FRAME_BY_SP,    /* CFA = stack pointer + cfa_words */
    LS_FRAME_BY_BP,    /* CFA = frame pointer + cfa_words */
    LS_FRAME_BY_GUESS, /* the same, for code without unwind information, which a compiler at run
                          time made, or its runtime brought along */
    LS_FRAME_OUTERMOST,
    LS_FRAME_OTHER, /* a signal frame, a realigned stack: libunwind's business */
};

struct ls_frame_rule {
    enum ls_frame_kind kind;
    unsigned cfa_words;     /* of 8 bytes */
    unsigned bp_slot_words; /* the caller's frame pointer is saved this far below the CFA; 0: still
                               in the register */
};

/*
 * An entry, from the low bit: kind 3, frame pointer's slot 6, CFA 14, generation 8, key 32. The key
 * and the place together are all 47 bits of an address, so that a match is never a coincidence. An
 * address has two places, side by side; its key says which is the first. Relaxed everywhere: an
 * entry says all by itself.
 */
#define LS_FRAME_KIND_BITS       3
#define LS_FRAME_SLOT_BITS       6
#define LS_FRAME_CFA_BITS        14
#define LS_FRAME_GENERATION_BITS 8
#define LS_FRAME_RULE_BITS       (LS_FRAME_KIND_BITS + LS_FRAME_SLOT_BITS + LS_FRAME_CFA_BITS)
#define LS_FRAME_PLACE_BITS      16
#define LS_FRAME_PLACES          ((size_t)1 << LS_FRAME_PLACE_BITS)
#define LS_FRAME_ADDRESS_BITS    47

struct ls_frame_rules {
    _Atomic uint64_t *entries;   /* of LS_FRAME_PLACES; NULL: none */
    _Atomic unsigned generation; /* changes whenever rules were forgotten */
};

extern struct ls_frame_rules ls_frame_rules;

/* The place in the low bits. Return addresses differ enough in theirs; to mix them more would
 * lengthen the walk from one frame to the next. A bijection. */
LS_INLINE uint64_t ls_frame_scramble(uintptr_t pc)
{
    return pc ^ (pc >> LS_FRAME_PLACE_BITS & LS_BITS(LS_FRAME_PLACE_BITS));
}

LS_INLINE uint64_t ls_frame_key(uint64_t scrambled, unsigned generation)
{
    return (scrambled >> LS_FRAME_PLACE_BITS << 1 | (scrambled & 1)) << LS_FRAME_GENERATION_BITS |
           (generation & LS_BITS(LS_FRAME_GENERATION_BITS));
}

/* Unknown when `pc` is no address of a program. */
LS_INLINE struct ls_frame_rule ls_frame_rule_find(uintptr_t pc)
{
    const _Atomic uint64_t *entries = ls_frame_rules.entries;
    uint64_t scrambled;
    uint64_t key;
    uint64_t entry;

    if (LS_UNLIKELY(entries == NULL || pc >> LS_FRAME_ADDRESS_BITS != 0))
        return (struct ls_frame_rule){.kind = LS_FRAME_UNKNOWN};
    scrambled = ls_frame_scramble(pc);
    key = ls_frame_key(scrambled, ls_load_relaxed(&ls_frame_rules.generation));
    entry = ls_load_relaxed(&entries[scrambled & (LS_FRAME_PLACES - 1)]);
    if (LS_UNLIKELY(entry >> LS_FRAME_RULE_BITS != key)) {
        entry = ls_load_relaxed(&entries[(scrambled & (LS_FRAME_PLACES - 1)) ^ 1]);
        if (entry >> LS_FRAME_RULE_BITS != key)
            return (struct ls_frame_rule){.kind = LS_FRAME_UNKNOWN};
    }
    return (struct ls_frame_rule){
        .kind = (enum ls_frame_kind)(entry & LS_BITS(LS_FRAME_KIND_BITS)),
        .bp_slot_words = (unsigned)(entry >> LS_FRAME_KIND_BITS & LS_BITS(LS_FRAME_SLOT_BITS)),
        .cfa_words = (unsigned)(entry >> (LS_FRAME_KIND_BITS + LS_FRAME_SLOT_BITS) &
                                LS_BITS(LS_FRAME_CFA_BITS)),
    };
}

/* 0 or -ENOMEM: then every rule is unknown and none can be kept. Once, before threads. */
int ls_frame_rules_start(void);
/* A rule out of range is kept as LS_FRAME_OTHER. */
void ls_frame_rule_keep(uintptr_t pc, struct ls_frame_rule rule);
/* Code was unloaded, and other code may take its place. */
void ls_frame_rules_forget(void);

#endif
