/*
 * The stack of this thread, walked by frame rules, with the last walk for a guide.
 *
 * Two captures of one thread share most of their outer frames. What a step from a frame to its
 * caller depends on is known: the frame's program counter, stack pointer and frame pointer, and one
 * or two words of the stack. Where the walk comes to a frame of the last stack with the same three,
 * the outer frames are the same for as long as those words hold what they held, and to compare them
 * takes a fraction of the time of following them. So the result is that of a full walk
 * (docs/decisions/0007-stack-walk.md).
 *
 * A record belongs to one thread. Only words of that thread's own stack are read, between the
 * frame it starts at and the stack's top, pages that were found readable: no value in them can lead
 * astray. A walk stops, with nothing, at what rules cannot follow: a signal frame, a fiber's stack;
 * libunwind is asked then.
 */
#ifndef LS_CAPTURE_WALK_H
#define LS_CAPTURE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/managed.h"
#include "ledger/stack_table.h"

/* Kept of the last stack; and found anew in one walk, at most. */
#define LS_WALK_FRAMES 192
#define LS_WALK_FRESH  136

struct ls_walk_frame {
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t bp;
    uintptr_t bp_slot;  /* where bp was loaded from; 0: it was still in the register */
    uintptr_t function; /* of a managed frame: its word that tells the function; else 0 */
    uintptr_t identity; /* what stands for the frame in a stack: pc, or what the function's name is
                           known by; 0: not looked for yet */
    bool goes_by_bp;    /* its caller is found by its frame pointer */
};

struct ls_walk {
    /* Pages from `low` to `high` are this thread's stack; none is looked for below `barrier`. Zero:
     * not looked at yet. */
    uintptr_t low;
    uintptr_t high;
    uintptr_t barrier;
    unsigned generation; /* of the frame rules that the frames were found by */
    uint32_t first;      /* innermost frame; the outermost is LS_WALK_FRAMES - 1 */
    bool cut;            /* the outermost frame has a caller that was not looked for */
    bool has_managed;    /* some frames may be managed; they were named at `epoch` */
    uint64_t epoch;
    void *managed_memory; /* the namer's */
    /* Of each frame; `hash` covers the identities from the outermost frame to this one. */
    uintptr_t pc[LS_WALK_FRAMES];
    uintptr_t sp[LS_WALK_FRAMES];
    uintptr_t bp[LS_WALK_FRAMES];
    uintptr_t bp_slot[LS_WALK_FRAMES];
    uintptr_t function[LS_WALK_FRAMES];
    uintptr_t identity[LS_WALK_FRAMES];
    uint64_t hash[LS_WALK_FRAMES];
    bool goes_by_bp[LS_WALK_FRAMES];
    struct ls_walk_frame fresh[LS_WALK_FRESH];
    struct ls_managed_frame unnamed[LS_WALK_FRESH];
};

/* What a function's prologue lays down where it keeps a frame pointer. */
struct ls_frame_record {
    uintptr_t caller_bp;
    uintptr_t return_address;
};

/* `stack_top`: an address above the main thread's frames. Once. */
void ls_walk_start(const void *stack_top);

/* A record as it must be before the first update. */
void ls_walk_init(struct ls_walk *walk);

/*
 * Brings the record up to the stack as the caller of the function that `record` belongs to sees it.
 * True: the frames from `first` on are right, `depth` of them or all there are; the last may have
 * an identity of 0, which is none. `depth` is at most LS_WALK_FRESH.
 */
bool ls_walk_update(struct ls_walk *walk, const struct ls_frame_record *record, size_t depth);

/* Of `depth` frames from the one at `from`: ls_stack_hash of them. */
static inline uint64_t ls_walk_hash(const struct ls_walk *walk, uint32_t from, size_t depth)
{
    uint64_t outer = from + depth < LS_WALK_FRAMES ? walk->hash[from + depth] : 0;

    return ls_stack_hash_inner(walk->hash[from], outer, depth);
}

#endif
