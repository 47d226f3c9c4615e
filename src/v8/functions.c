#include "v8/functions.h"

#include <string.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "system/memory.h"

/* Twice the cap, so that a probe ends soon. */
#define SLOTS (2u * LS_V8_FUNCTIONS_MAX)

/* F1: a slot is filled with release once its function is complete; F2: readers load with acquire.
 */
static const struct ls_js_function *_Atomic slots[SLOTS];
/* Relaxed: a bound, and a figure to show; nothing is read on the strength of it. */
static _Atomic size_t function_count;

/* Functions and their texts, one after the other. Not from jemalloc: a stack that a signal handler
 * takes names its functions too, on a thread that it may have found inside that. Relaxed: the pages
 * are there for all once they are mapped, and what is put into a piece is published by F1. */
static char *_Atomic region;
static _Atomic size_t region_used;

static const struct ls_js_function overflow_function = {
    .key = 1,
    .name = "(functions beyond the table)",
    .script = "",
};

const struct ls_js_function *ls_v8_function_overflow(void)
{
    return &overflow_function;
}

size_t ls_v8_function_count(void)
{
    return ls_load_relaxed(&function_count);
}

static bool starts_with(const char *text, size_t length, const char *prefix)
{
    size_t prefix_length = strlen(prefix);

    return length >= prefix_length && memcmp(text, prefix, prefix_length) == 0;
}

static bool contains(const char *text, size_t length, const char *part)
{
    return memmem(text, length, part, strlen(part)) != NULL;
}

bool ls_v8_script_is_user(const char *script, size_t length)
{
    if (length == 0)
        return false;
    if (starts_with(script, length, "node:") || starts_with(script, length, "native ") ||
        starts_with(script, length, "extensions::") || starts_with(script, length, "v8/"))
        return false;
    /* Electron's own bundles. */
    if (starts_with(script, length, "electron/js2c/"))
        return false;
    return !contains(script, length, "/node_modules/") &&
           !starts_with(script, length, "node_modules/");
}

static bool same_text(const char *stored, struct ls_v8_text text)
{
    return strlen(stored) == text.length && memcmp(stored, text.bytes, text.length) == 0;
}

static bool same_function(const struct ls_js_function *function, uint64_t key,
                          struct ls_v8_text name, struct ls_v8_text script)
{
    return function->key == key && same_text(function->name, name) &&
           same_text(function->script, script);
}

static char *region_start(void)
{
    char *start = ls_load_relaxed(&region);
    char *mapped;

    if (start != NULL)
        return start;
    mapped = ls_memory_own_map(LS_V8_FUNCTIONS_BYTES_MAX, 0);
    if (mapped == NULL)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(&region, &start, mapped, memory_order_relaxed,
                                                memory_order_relaxed))
        return mapped;
    ls_memory_own_unmap(mapped, LS_V8_FUNCTIONS_BYTES_MAX, 0);
    return start;
}

static void *take_piece(size_t size)
{
    size_t used = ls_load_relaxed(&region_used);
    char *start;

    if (!ls_memory_own_charge(size))
        return NULL;
    start = region_start();
    while (start != NULL && size <= LS_V8_FUNCTIONS_BYTES_MAX - used) {
        if (ls_compare_exchange_relaxed(&region_used, &used, used + size))
            return start + used;
    }
    ls_memory_own_discharge(size);
    return NULL;
}

/* The last piece; any other stays taken, as it seldom happens: two threads met the same function.
 */
static void give_back(const void *piece, size_t size)
{
    size_t start = (size_t)((const char *)piece - ls_load_relaxed(&region));
    size_t end = start + size;

    if (atomic_compare_exchange_strong_explicit(&region_used, &end, start, memory_order_relaxed,
                                                memory_order_relaxed))
        ls_memory_own_discharge(size);
}

static struct ls_js_function *make(uint64_t key, struct ls_v8_text name, struct ls_v8_text script,
                                   uint32_t line, uint32_t column, size_t *size)
{
    const size_t alignment = _Alignof(struct ls_js_function);
    struct ls_js_function *function;
    char *text;

    *size = sizeof(*function) + name.length + script.length + 2;
    *size = (*size + alignment - 1) & ~(alignment - 1);
    if (ls_load_relaxed(&function_count) >= LS_V8_FUNCTIONS_MAX)
        return NULL;
    function = take_piece(*size);
    if (!function)
        return NULL;
    text = (char *)(function + 1);
    memcpy(text, name.bytes, name.length);
    text[name.length] = '\0';
    memcpy(text + name.length + 1, script.bytes, script.length);
    text[name.length + 1 + script.length] = '\0';
    *function = (struct ls_js_function){
        .key = key,
        .name = text,
        .script = text + name.length + 1,
        .line = line,
        .column = column,
        .user_code = ls_v8_script_is_user(script.bytes, script.length),
    };
    return function;
}

/* Zero bytes inside a JavaScript name would end it early for every reader. */
static struct ls_v8_text up_to_zero(struct ls_v8_text text)
{
    const char *zero = text.length ? memchr(text.bytes, 0, text.length) : NULL;

    if (zero)
        text.length = (size_t)(zero - text.bytes);
    if (!text.bytes)
        text.bytes = "";
    return text;
}

static struct ls_v8_text without_scheme(struct ls_v8_text script)
{
    static const char scheme[] = "file://";

    if (starts_with(script.bytes, script.length, scheme)) {
        script.bytes += sizeof(scheme) - 1;
        script.length -= sizeof(scheme) - 1;
    }
    return script;
}

const struct ls_js_function *ls_v8_function_intern(struct ls_v8_text name, struct ls_v8_text script,
                                                   uint32_t line, uint32_t column)
{
    static const char anonymous[] = "(anonymous)";
    struct ls_js_function *made = NULL;
    size_t size = 0;
    uint64_t key;

    name = up_to_zero(name);
    script = without_scheme(up_to_zero(script));
    if (name.length == 0)
        name = (struct ls_v8_text){anonymous, sizeof(anonymous) - 1};
    key = ls_hash_bytes(LS_HASH_SEED, script.bytes, script.length);
    key = ls_hash_bytes(key, name.bytes, name.length);
    key = ls_hash_add(key, (uint64_t)line << 32 | column);

    for (size_t probe = 0; probe < SLOTS; probe++) {
        const struct ls_js_function *_Atomic *slot = &slots[(key + probe) % SLOTS];
        const struct ls_js_function *present = ls_load_acquire(slot); /* F2 pairs with F1 */

        if (!present) {
            if (!made)
                made = make(key, name, script, line, column, &size);
            if (!made)
                return &overflow_function;
            /* F1 pairs with F2 */
            if (ls_compare_exchange_acquire_release(slot, &present, made)) {
                ls_add_relaxed(&function_count, 1);
                return made;
            }
        }
        if (same_function(present, key, name, script)) {
            if (made)
                give_back(made, size);
            return present;
        }
    }
    if (made)
        give_back(made, size);
    return &overflow_function;
}
