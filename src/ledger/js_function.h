/*
 * JavaScript functions as the ledger knows them: what a reading of V8's heap attributes bytes to,
 * and frames of native stacks.
 *
 * Functions are interned for the life of the process (src/v8/functions.h), so a pointer to one
 * stands for it everywhere. In a stack it takes the place of the frame's program counter: machine
 * code of one function lies in many places and moves, and interpreted functions share theirs.
 */
#ifndef LS_LEDGER_JS_FUNCTION_H
#define LS_LEDGER_JS_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ls_js_function {
    uint64_t key;       /* hash of script, name, line and column: stable across runs */
    const char *name;   /* "(anonymous)" when it has none; UTF-8 */
    const char *script; /* path or URL as V8 has it, "file://" removed; "" for builtins */
    uint32_t line;      /* where the function starts, 1-based; 0 when unknown */
    uint32_t column;
    bool user_code; /* outside node: and node_modules, and not a builtin */
};

/* No program counter and no pointer has this bit: such addresses are the kernel's. */
#define LS_JS_FRAME_BIT ((uintptr_t)1 << 63)

/* The frame runs optimised code, into which other functions may have been inlined. */
#define LS_JS_FRAME_OPTIMISED ((uintptr_t)1)

static inline uintptr_t ls_js_frame(const struct ls_js_function *function)
{
    return (uintptr_t)function | LS_JS_FRAME_BIT;
}

/* The function of a frame; NULL for a program counter. */
static inline const struct ls_js_function *ls_js_frame_function(uintptr_t frame)
{
    if ((frame & LS_JS_FRAME_BIT) == 0)
        return NULL;
    return (const struct ls_js_function *)(frame & ~(LS_JS_FRAME_BIT | LS_JS_FRAME_OPTIMISED));
}

#endif
