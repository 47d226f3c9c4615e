#include "capture/walk.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/frame_probe.h"
#include "capture/frame_rule.h"
#include "ledger/js_function.h"
#include "ledger/stack_table.h"
#include "system/syscall.h"

#define PAGE_BYTES    ((uintptr_t)4096)
#define WORD_BYTES    sizeof(uintptr_t)
#define REACH_MAX     ((uintptr_t)64 << 20) /* no further below a known stack is one looked for */
#define MAIN_REACH    ((uintptr_t)1 << 30)
#define ROOM_FOR_NEXT 32 /* frames, so that not every deeper walk has to move all */
#define ASK_AGAIN_MAX 100
#define NO_FRAME      LS_WALK_FRAMES
#define NO_FUNCTION   3 /* differs from all words that tell functions: the frame is named anew */

/* Words of stacks are read behind the sanitizer's back: they are no variables. */
#define READS_STACKS __attribute__((no_sanitize("address", "thread", "undefined")))

static uintptr_t main_stack_top;
static const struct ls_managed *_Atomic managed_side; /* NULL: no runtime's frames are named */

void ls_walk_start(const void *stack_top)
{
    main_stack_top = (uintptr_t)stack_top;
}

void ls_walk_set_managed(const struct ls_managed *managed)
{
    ls_store_release(&managed_side, managed); /* N1 pairs with N2 in ls_walk_update */
}

LS_INLINE READS_STACKS uintptr_t word_at(uintptr_t address)
{
    uintptr_t word;

    __builtin_memcpy(&word, (const void *)address, sizeof(word));
    return word;
}

/* glibc puts a thread's control block at the top of its stack
 * (nptl/allocatestack.c, https://sourceware.org/git/glibc.git). */
static uintptr_t top_of_stack(uintptr_t sp)
{
    uintptr_t thread_top = (uintptr_t)__builtin_thread_pointer();

    if (sp < main_stack_top && main_stack_top - sp < MAIN_REACH)
        return main_stack_top;
    return thread_top;
}

/* Pages below what is known, down to the one of `sp`, are the same stack if all can be read. */
static LS_COLD bool reach_down(struct ls_walk *walk, uintptr_t sp)
{
    uintptr_t page = sp & ~(PAGE_BYTES - 1);

    if (walk->high == 0) {
        walk->high = top_of_stack(sp) & ~(WORD_BYTES - 1);
        walk->low = (walk->high & ~(PAGE_BYTES - 1)) + PAGE_BYTES;
    }
    if (sp >= walk->high || sp <= walk->barrier || walk->low - page > REACH_MAX)
        return false;
    while (walk->low > page) {
        if (!ls_sys_is_readable(walk->low - PAGE_BYTES)) {
            walk->barrier = walk->low - 1;
            return false;
        }
        walk->low -= PAGE_BYTES;
    }
    return true;
}

LS_INLINE bool is_on_stack(struct ls_walk *walk, uintptr_t sp)
{
    return LS_LIKELY(sp >= walk->low && sp < walk->high) || reach_down(walk, sp);
}

/* One thread asks at a time, for some microseconds; who finds it busy waits about as long, and at
 * most that. */
static LS_COLD struct ls_frame_rule learn(uintptr_t pc)
{
    int saved_errno = errno;
    struct ls_frame_rule rule;

    errno = 0; /* see unwind_imports.c */
    rule = ls_frame_probe(pc);
    for (int i = 0; i < ASK_AGAIN_MAX && rule.kind == LS_FRAME_UNKNOWN; i++) {
        ls_sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
        rule = ls_frame_probe(pc);
    }
    errno = saved_errno;
    if (rule.kind != LS_FRAME_UNKNOWN)
        ls_frame_rule_keep(pc, rule);
    return rule;
}

enum step { STEPPED, ENDED, LOST };

LS_INLINE READS_STACKS uintptr_t function_word(uintptr_t bp)
{
    return word_at(bp - LS_MANAGED_FUNCTION_WORDS * WORD_BYTES);
}

/* A frame that code without unwind information has made: whose, is to be found out. */
static READS_STACKS void note_managed(const struct ls_walk *walk, struct ls_walk_frame *frame)
{
    uintptr_t function;

    if (frame->bp % WORD_BYTES != 0 || frame->bp >= walk->high ||
        frame->bp - frame->sp < LS_MANAGED_FUNCTION_WORDS * WORD_BYTES)
        return;
    function = function_word(frame->bp);
    if (function == frame->function) /* named before, or none */
        return;
    frame->function = function;
    frame->identity = 0;
}

/* From a frame to its caller's. `this_frame` is completed by what the step shows of it. */
LS_INLINE READS_STACKS enum step step(const struct ls_walk *walk, struct ls_walk_frame *this_frame,
                                      struct ls_walk_frame *frame, bool names)
{
    struct ls_frame_rule rule;
    bool by_bp;
    uintptr_t cfa;
    uintptr_t pc;

    if (LS_UNLIKELY(frame->pc == 0))
        return ENDED;
    rule = ls_frame_rule_find(frame->pc);
    if (LS_UNLIKELY(rule.kind == LS_FRAME_UNKNOWN))
        rule = learn(frame->pc);
    by_bp = rule.kind == LS_FRAME_BY_BP || rule.kind == LS_FRAME_BY_GUESS;
    if (LS_UNLIKELY(rule.kind != LS_FRAME_BY_SP && !by_bp))
        return rule.kind == LS_FRAME_OUTERMOST ? ENDED : LOST;
    this_frame->goes_by_bp = by_bp;
    if (names && rule.kind == LS_FRAME_BY_GUESS)
        note_managed(walk, this_frame);
    cfa = (by_bp ? frame->bp : frame->sp) + rule.cfa_words * WORD_BYTES;
    /* A frame pointer may hold anything in code that uses it for something else. */
    if (LS_UNLIKELY(cfa <= frame->sp || cfa > walk->high || cfa % WORD_BYTES != 0))
        return ENDED;
    pc = word_at(cfa - WORD_BYTES);
    /* Read where no return address is: it would pass for a function. */
    if (LS_UNLIKELY(ls_js_frame_function(pc) != NULL))
        return ENDED;
    frame->pc = pc;
    frame->identity = pc;
    frame->bp_slot = 0;
    if (rule.bp_slot_words != 0) {
        frame->bp_slot = cfa - rule.bp_slot_words * WORD_BYTES;
        if (LS_UNLIKELY(frame->bp_slot < frame->sp))
            return LOST;
        frame->bp = word_at(frame->bp_slot);
    }
    frame->sp = cfa;
    return STEPPED;
}

/*
 * Compares the words that lead outward from frame `from`, which is right; returns the outermost
 * frame they still lead to, at most `enough`. A frame pointer may have changed where nothing goes
 * by it: then it is put right.
 */
LS_INLINE READS_STACKS uint32_t verify(struct ls_walk *walk, uint32_t from, uint32_t enough,
                                       bool names)
{
    uintptr_t bp = walk->bp[from];

    for (uint32_t next = from + 1; next <= enough; next++) {
        if (LS_UNLIKELY(word_at(walk->sp[next] - WORD_BYTES) != walk->pc[next]))
            return next - 1;
        if (walk->bp_slot[next] != 0)
            bp = word_at(walk->bp_slot[next]);
        if (LS_UNLIKELY(bp != walk->bp[next])) {
            if (walk->goes_by_bp[next])
                return next - 1;
            walk->bp[next] = bp;
        }
        if (names && walk->function[next] != 0 && function_word(bp) != walk->function[next])
            return next - 1;
    }
    return enough;
}

static uint64_t hash_from(const struct ls_walk *walk, uint32_t frame)
{
    return frame < NO_FRAME ? walk->hash[frame] : 0;
}

/* Frames from `kept` on move outward until `wanted` fit inside; the outermost may fall off. Returns
 * where `kept` is then. */
static LS_COLD uint32_t make_room(struct ls_walk *walk, uint32_t kept, uint32_t wanted)
{
    uint32_t count = NO_FRAME - kept;
    uint32_t most = NO_FRAME - wanted;
    uint32_t moved;

    most = most > ROOM_FOR_NEXT ? most - ROOM_FOR_NEXT : 0;
    if (count > most) {
        count = most;
        walk->cut = true;
    }
    moved = NO_FRAME - count;
#define MOVE(array) memmove(&walk->array[moved], &walk->array[kept], count * sizeof(walk->array[0]))
    MOVE(pc);
    MOVE(sp);
    MOVE(bp);
    MOVE(bp_slot);
    MOVE(function);
    MOVE(identity);
    MOVE(goes_by_bp);
#undef MOVE
    for (uint32_t frame = NO_FRAME; frame-- > moved;)
        walk->hash[frame] = ls_stack_hash_frame(hash_from(walk, frame + 1), walk->identity[frame]);
    return moved;
}

/* The fresh frames take the place of all inside of `kept`. */
LS_INLINE void adopt(struct ls_walk *walk, uint32_t kept, uint32_t fresh)
{
    uint64_t hash;

    if (LS_UNLIKELY(fresh > kept))
        kept = make_room(walk, kept, fresh);
    hash = hash_from(walk, kept);
    walk->first = kept - fresh;
    for (uint32_t i = fresh; i-- > 0;) {
        const struct ls_walk_frame *frame = &walk->fresh[i];
        uint32_t at = walk->first + i;

        hash = ls_stack_hash_frame(hash, frame->identity);
        walk->pc[at] = frame->pc;
        walk->sp[at] = frame->sp;
        walk->bp[at] = frame->bp;
        walk->bp_slot[at] = frame->bp_slot;
        walk->function[at] = frame->function;
        walk->identity[at] = frame->identity;
        walk->goes_by_bp[at] = frame->goes_by_bp;
        walk->hash[at] = hash;
    }
}

static struct ls_walk_frame frame_at(const struct ls_walk *walk, uint32_t at)
{
    return (struct ls_walk_frame){.pc = walk->pc[at],
                                  .sp = walk->sp[at],
                                  .bp = walk->bp[at],
                                  .bp_slot = walk->bp_slot[at],
                                  .function = walk->function[at],
                                  .identity = walk->identity[at],
                                  .goes_by_bp = walk->goes_by_bp[at]};
}

LS_INLINE READS_STACKS bool is_same_frame(const struct ls_walk *walk, uint32_t at,
                                          const struct ls_walk_frame *frame, bool names)
{
    return walk->sp[at] == frame->sp && walk->pc[at] == frame->pc &&
           (walk->bp[at] == frame->bp || !walk->goes_by_bp[at]) &&
           (!names || walk->function[at] == 0 || function_word(frame->bp) == walk->function[at]);
}

/* Fresh frames that have no identity get their function's, or else keep their program counter. */
static LS_COLD void name_fresh(struct ls_walk *walk, const struct ls_managed *managed,
                               uint32_t fresh)
{
    size_t count = 0;

    for (uint32_t i = 0; i < fresh; i++) {
        const struct ls_walk_frame *frame = &walk->fresh[i];

        if (frame->identity == 0 && frame->function != 0)
            walk->unnamed[count++] =
                (struct ls_managed_frame){.frame_pointer = frame->bp, .function = frame->function};
    }
    if (count == 0)
        return;
    walk->has_managed = true;
    managed->name(&walk->managed_memory, walk->unnamed, count);
    count = 0;
    for (uint32_t i = 0; i < fresh; i++) {
        struct ls_walk_frame *frame = &walk->fresh[i];

        if (frame->identity != 0 || frame->function == 0)
            continue;
        frame->identity = walk->unnamed[count].identity;
        if (frame->identity == 0)
            frame->identity = frame->pc;
        if (walk->unnamed[count++].unsure)
            frame->function = NO_FUNCTION;
    }
}

void ls_walk_init(struct ls_walk *walk)
{
    walk->first = NO_FRAME;
    walk->low = 0;
    walk->high = 0;
    walk->barrier = 0;
}

/* Nothing of the last stack is believed where rules were forgotten, or functions have moved. */
LS_INLINE void forget_outdated(struct ls_walk *walk, const struct ls_managed *managed)
{
    unsigned generation = ls_load_relaxed(&ls_frame_rules.generation);
    uint64_t epoch;

    if (LS_UNLIKELY(walk->generation != generation)) {
        walk->generation = generation;
        walk->first = NO_FRAME;
    }
    if (managed == NULL || !walk->has_managed)
        return;
    epoch = managed->epoch();
    if (walk->epoch != epoch) {
        walk->first = NO_FRAME;
        walk->has_managed = false;
    }
    walk->epoch = epoch;
}

/* `managed` is NULL, and known to be, in the copy for programs without such a runtime. */
LS_INLINE bool update(struct ls_walk *walk, const struct ls_frame_record *record, size_t depth,
                      const struct ls_managed *managed)
{
    struct ls_walk_frame frame = {.pc = record->return_address,
                                  .sp = (uintptr_t)(record + 1),
                                  .bp = record->caller_bp,
                                  .identity = record->return_address};
    bool names = managed != NULL;
    enum step status = STEPPED;
    uint32_t fresh = 0;
    uint32_t at;

    forget_outdated(walk, managed);
    for (at = walk->first; status == STEPPED && fresh < depth;) {
        struct ls_walk_frame *entry;

        while (at < NO_FRAME && walk->sp[at] < frame.sp)
            at++;
        if (at < NO_FRAME && is_same_frame(walk, at, &frame, names)) {
            uint32_t enough = at + (uint32_t)depth - fresh - 1;
            uint32_t right;

            walk->bp[at] = frame.bp;
            walk->bp_slot[at] = frame.bp_slot;
            right = verify(walk, at, enough < NO_FRAME ? enough : NO_FRAME - 1, names);
            if (LS_LIKELY(right == enough || (right == NO_FRAME - 1 && !walk->cut))) {
                if (names)
                    name_fresh(walk, managed, fresh);
                adopt(walk, at, fresh);
                return true;
            }
            for (; at < right; at++)
                walk->fresh[fresh++] = frame_at(walk, at);
            frame = frame_at(walk, at++);
        }
        entry = &walk->fresh[fresh++];
        *entry = frame;
        entry->goes_by_bp = false;
        frame.function = 0;
        status = step(walk, entry, &frame, names);
    }
    if (LS_UNLIKELY(status == LOST)) {
        walk->first = at;
        return false;
    }
    walk->cut = status == STEPPED;
    if (names)
        name_fresh(walk, managed, fresh);
    adopt(walk, NO_FRAME, fresh);
    return true;
}

bool ls_walk_update(struct ls_walk *walk, const struct ls_frame_record *record, size_t depth)
{
    const struct ls_managed *managed = ls_load_acquire(&managed_side); /* N2 pairs with N1 */

    if (LS_UNLIKELY(!is_on_stack(walk, (uintptr_t)record)))
        return false;
    return LS_LIKELY(managed == NULL) ? update(walk, record, depth, NULL)
                                      : update(walk, record, depth, managed);
}
