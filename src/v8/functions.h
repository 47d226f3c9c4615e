/*
 * JavaScript functions, interned for the life of the process: one struct ls_js_function for all
 * isolates, so that two readings of the same function hold the same pointer.
 *
 * Append-only and lock-free: any isolate's thread may intern while others do and while the
 * collector reads. Bounded in functions and in bytes; what comes after the cap is the overflow
 * function. Entries are never freed. The child of a fork goes on with what it inherited.
 */
#ifndef LS_V8_FUNCTIONS_H
#define LS_V8_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "v8/reading.h"

#define LS_V8_FUNCTIONS_MAX       16384
#define LS_V8_FUNCTIONS_BYTES_MAX (4u << 20)
#define LS_V8_FUNCTION_TEXT_MAX   1024

/* A stretch of UTF-8 without a terminator. */
struct ls_v8_text {
    const char *bytes;
    size_t length;
};

/*
 * The function of that name, script and place; made when it is new. Never NULL: an empty name reads
 * "(anonymous)", "file://" is taken off the script, and when the table is full or own memory has
 * run out it is the overflow function.
 */
const struct ls_js_function *ls_v8_function_intern(struct ls_v8_text name, struct ls_v8_text script,
                                                   uint32_t line, uint32_t column);

/* Stands for every function that no longer fitted. Not user code. */
const struct ls_js_function *ls_v8_function_overflow(void);

size_t ls_v8_function_count(void);

/* Whether a script is the user's own: not Node's (node:, and what V8 itself carries, such as
 * "native " and "extensions::"), not in a node_modules folder, not a builtin without a script. */
bool ls_v8_script_is_user(const char *script, size_t length);

#endif
