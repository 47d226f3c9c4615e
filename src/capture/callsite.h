/*
 * The ordinal of the stack a hook was called with: captured, and interned or found among those this
 * thread was at lately. Inlined into its caller, whose frame `record` must be: it asks for it by
 * __builtin_frame_address(0). Between ls_thread_enter and ls_thread_leave only.
 */
#ifndef LS_CAPTURE_CALLSITE_H
#define LS_CAPTURE_CALLSITE_H

#include "base/compiler.h"
#include "base/hash.h"
#include "capture/thread.h"
#include "capture/unwind.h"
#include "ledger/ledger.h"
#include "system/clock.h"

LS_INLINE uint32_t ls_callsite_stack(struct ls_thread *thread, const struct ls_frame_record *record)
{
    struct ls_captured captured;
    struct ls_recent_stack *recent;

    ls_unwind_capture(thread, record, &captured);
    recent = &thread->recent[captured.hash * LS_HASH_SEED >> (64 - LS_RECENT_STACKS_BITS)];
    if (LS_LIKELY(recent->hash == captured.hash && recent->depth_plus_one == captured.depth + 1))
        return recent->stack;
    recent->stack =
        ls_stack_table_find(&ls_ledger.stacks, captured.pcs, captured.depth, captured.hash);
    if (recent->stack == LS_STACK_UNKNOWN)
        recent->stack = ls_stack_table_intern(&ls_ledger.stacks, captured.pcs, captured.depth,
                                              ls_clock_coarse_ns());
    recent->hash = captured.hash;
    recent->depth_plus_one = recent->stack == LS_STACK_OVERFLOW ? 0 : (uint32_t)captured.depth + 1;
    return recent->stack;
}

#endif
