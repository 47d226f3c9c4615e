#include "capture/frame_probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "system/memory.h"

#if defined(__x86_64__)
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <ucontext.h>

/*
 * The made-up stack. libunwind starts at a place that is no code, so it follows the frame pointer
 * there by guess; and having guessed it checks every address it reads from then on, so that no
 * rule, however strange, makes it crash (Gstep.c of libunwind 1.6, `validate`). The guess leads to
 * the frame that is asked about:
 *
 *   word START      frame pointer for the frame in question = BP
 *   word START + 1  the program counter in question
 *   word START + 2  SP of the frame in question
 *
 * Remainders by 8 tell values apart: SP is a multiple of 8, BP is 4 over, what lies in memory is 2
 * over and what is in other registers 6. A canonical frame address made of SP is therefore a
 * multiple of 8, one made of BP 4 over, and anything else is a rule that is not kept.
 */
#define WORDS            8192
#define START            16
#define BP_DISTANCE      0x804
#define REMAINDER        8
#define BP_REMAINDER     4
#define MEMORY_REMAINDER 2
#define OTHER_REMAINDER  6
#define WORD_BYTES       sizeof(uint64_t)

static int (*init_cursor)(unw_cursor_t *, unw_context_t *);
static int (*step)(unw_cursor_t *);
static int (*get_register)(unw_cursor_t *, unw_regnum_t, unw_word_t *);
static int (*get_save_location)(unw_cursor_t *, unw_regnum_t, unw_save_loc_t *);
static int (*is_signal_frame)(unw_cursor_t *);
static int (*get_proc_info)(unw_cursor_t *, unw_proc_info_t *);
static bool can_ask;
static uint64_t *stack; /* who has set busy makes and uses it */
static _Atomic int busy;

static int find(void *library, void *function, const char *name)
{
    void *found = dlsym(library, name);

    if (found == NULL)
        return -ENOENT;
    memcpy(function, &found, sizeof(found));
    return 0;
}

int ls_frame_probe_start(void *library)
{
    if (find(library, &init_cursor, "_ULx86_64_init_local") != 0 ||
        find(library, &step, "_ULx86_64_step") != 0 ||
        find(library, &get_register, "_ULx86_64_get_reg") != 0 ||
        find(library, &get_save_location, "_ULx86_64_get_save_loc") != 0 ||
        find(library, &is_signal_frame, "_ULx86_64_is_signal_frame") != 0 ||
        find(library, &get_proc_info, "_ULx86_64_get_proc_info") != 0)
        return -ENOENT;
    can_ask = true;
    return 0;
}

/* With the first question: a process that is never sampled asks none. */
static bool make_up_stack(void)
{
    uint64_t *words;

    if (stack != NULL)
        return true;
    words = ls_memory_own_map(WORDS * WORD_BYTES, WORDS * WORD_BYTES);
    if (words == NULL)
        return false;
    for (size_t i = 0; i < WORDS; i++)
        words[i] = (uintptr_t)&words[WORDS / 2 + i % 512] | MEMORY_REMAINDER;
    stack = words;
    return true;
}

void ls_frame_probe_child_after_fork(void)
{
    ls_store_relaxed(&busy, 0);
}

static uintptr_t made_up_sp(void)
{
    return (uintptr_t)&stack[START + 2];
}

static uintptr_t made_up_bp(void)
{
    return made_up_sp() + BP_DISTANCE;
}

/* The guess at code without unwind information follows the frame pointer and wants to find another
 * one there, not far above. */
static void put_frame_in_question(uintptr_t pc)
{
    uintptr_t next_bp = made_up_bp() + 0x100;

    stack[START] = made_up_bp();
    stack[START + 1] = pc;
    memcpy((void *)made_up_bp(), &next_bp, sizeof(next_bp));
}

static void make_up_registers(ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;

    memset(context, 0, sizeof(*context));
    for (int i = 0; i <= REG_RIP; i++)
        registers[i] = (greg_t)((uintptr_t)&stack[WORDS / 4 + i * 16] | OTHER_REMAINDER);
    registers[REG_RIP] = (greg_t)&stack[WORDS / 2];
    registers[REG_RBP] = (greg_t)&stack[START];
    registers[REG_RSP] = (greg_t)&stack[START];
}

static bool is_at_frame_in_question(unw_cursor_t *cursor, uintptr_t pc)
{
    unw_word_t value;

    return get_register(cursor, UNW_X86_64_RIP, &value) == 0 && value == pc &&
           get_register(cursor, UNW_X86_64_RSP, &value) == 0 && value == made_up_sp() &&
           get_register(cursor, UNW_X86_64_RBP, &value) == 0 && value == made_up_bp();
}

/* Where in memory the caller's value of a register is; 0 if it is still in the register, or was
 * found in the made-up context. */
static uintptr_t saved_at(unw_cursor_t *cursor, unw_regnum_t number)
{
    unw_save_loc_t location = {.type = UNW_SLT_NONE};

    if (get_save_location(cursor, number, &location) != 0 || location.type != UNW_SLT_MEMORY)
        return 0;
    return location.u.addr - (uintptr_t)stack < WORDS * WORD_BYTES ? location.u.addr : 0;
}

/* From where the return address and the frame pointer turn out to be saved. */
static struct ls_frame_rule rule_of(uintptr_t return_slot, uintptr_t bp_slot)
{
    const struct ls_frame_rule other = {.kind = LS_FRAME_OTHER};
    struct ls_frame_rule rule = {.kind = LS_FRAME_BY_SP};
    uintptr_t cfa = return_slot + WORD_BYTES;
    uintptr_t base = made_up_sp();

    if (cfa % REMAINDER == BP_REMAINDER) {
        rule.kind = LS_FRAME_BY_BP;
        base = made_up_bp();
    } else if (cfa % REMAINDER != 0) {
        return other;
    }
    if (return_slot < base)
        return other;
    rule.cfa_words = (unsigned)((cfa - base) / WORD_BYTES);
    if (bp_slot == (uintptr_t)&stack[START]) /* where the made-up frame pointer came from */
        return rule;
    if (bp_slot >= cfa || (cfa - bp_slot) % WORD_BYTES != 0)
        return other;
    rule.bp_slot_words = (unsigned)((cfa - bp_slot) / WORD_BYTES);
    return rule;
}

/* libunwind makes up a procedure of one byte for code it knows nothing of (Gget_proc_info.c). Its
 * unwind_info is no sign: it is taken back before the procedure is returned (put_unwind_info in
 * Gparser.c). */
static bool has_unwind_information(unw_cursor_t *cursor)
{
    unw_proc_info_t procedure;

    return get_proc_info(cursor, &procedure) == 0 && procedure.end_ip - procedure.start_ip > 1;
}

static struct ls_frame_rule ask(uintptr_t pc)
{
    const struct ls_frame_rule other = {.kind = LS_FRAME_OTHER};
    struct ls_frame_rule rule;
    unw_cursor_t cursor;
    ucontext_t context;
    uintptr_t return_slot;
    uintptr_t bp_slot;
    bool known;
    int moved;

    put_frame_in_question(pc);
    make_up_registers(&context);
    if (init_cursor(&cursor, (unw_context_t *)&context) != 0 || step(&cursor) <= 0 ||
        !is_at_frame_in_question(&cursor, pc))
        return other;
    if (is_signal_frame(&cursor) > 0)
        return other;
    known = has_unwind_information(&cursor);
    moved = step(&cursor);
    if (moved == 0)
        return (struct ls_frame_rule){.kind = LS_FRAME_OUTERMOST};
    if (moved < 0)
        return other;
    return_slot = saved_at(&cursor, UNW_X86_64_RIP);
    bp_slot = saved_at(&cursor, UNW_X86_64_RBP);
    if (return_slot == 0 || bp_slot == 0)
        return other;
    rule = rule_of(return_slot, bp_slot);
    if (rule.kind == LS_FRAME_BY_BP && !known)
        rule.kind = LS_FRAME_BY_GUESS;
    return rule;
}

struct ls_frame_rule ls_frame_probe(uintptr_t pc)
{
    struct ls_frame_rule rule = {.kind = LS_FRAME_UNKNOWN};

    if (!can_ask || ls_exchange_acquire_release(&busy, 1) != 0) /* B1 pairs with B2 */
        return rule;
    if (make_up_stack())
        rule = ask(pc);
    ls_store_release(&busy, 0); /* B2 pairs with B1 */
    return rule;
}

#else

int ls_frame_probe_start(void *library)
{
    (void)library;
    return -ENOSYS;
}

struct ls_frame_rule ls_frame_probe(uintptr_t pc)
{
    (void)pc;
    return (struct ls_frame_rule){.kind = LS_FRAME_UNKNOWN};
}

void ls_frame_probe_child_after_fork(void)
{
}

#endif
