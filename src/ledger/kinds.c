#include "ledger/kinds.h"

#include <stddef.h>
#include <string.h>

#include "base/atomic.h"
#include "ledger/ledger.h"

struct name {
    char text[LS_KIND_NAME_MAX + 1];
};

/* A name is written before its number is published, and never again after. Where two threads come
 * with one name at once, the number of the one that comes too late stays empty. */
static struct name names[LS_KINDS_MAX];
static _Atomic uint32_t taken; /* relaxed: hands out numbers */
/* In the order of arrival, so that a short walk finds the first few. 0: the end. */
static _Atomic uint8_t published[LS_KINDS_MAX];

static const char other_name[] = "other";

/* Of what is cut, no part of a character is left: a byte 10xxxxxx goes on with the one before. */
static size_t length_of(const char *name)
{
    size_t length = strnlen(name, LS_KIND_NAME_MAX + 1);

    if (length <= LS_KIND_NAME_MAX)
        return length;
    length = LS_KIND_NAME_MAX;
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static bool is_name(uint8_t number, const char *name, size_t length)
{
    const char *text = names[number - 1].text;

    return memcmp(text, name, length) == 0 && text[length] == '\0';
}

static uint8_t add(const char *name, size_t length)
{
    uint32_t before = ls_load_relaxed(&taken);

    do {
        if (before == LS_KINDS_MAX)
            return 0;
    } while (!ls_compare_exchange_relaxed(&taken, &before, before + 1));
    memcpy(names[before].text, name, length);
    return (uint8_t)(before + 1);
}

uint32_t ls_kind_obtain(const char *name)
{
    size_t length = name == NULL ? 0 : length_of(name);
    uint8_t added = 0;

    if (length == 0)
        return 0;
    for (uint32_t i = 0; i < LS_KINDS_MAX; i++) {
        uint8_t number = ls_load_acquire(&published[i]); /* Z1 pairs with Z2 */

        if (number == 0) {
            if (added == 0)
                added = add(name, length);
            if (added == 0)
                return LS_KIND_OTHER;
            /* Z2 pairs with Z1: the name is written. */
            if (ls_compare_exchange_acquire_release(&published[i], &number, added))
                return added;
        }
        if (is_name(number, name, length))
            return number;
    }
    return LS_KIND_OTHER;
}

const char *ls_kind_name(uint32_t kind)
{
    if (kind == LS_KIND_OTHER)
        return other_name;
    return kind == 0 || kind > LS_KINDS_MAX ? "" : names[kind - 1].text;
}

uint32_t ls_kind_stack(uint32_t stack, uint32_t kind, uint64_t now_ns)
{
    const struct ls_stack *plain = ls_stack_table_get(&ls_ledger.stacks, stack);
    uintptr_t pcs[LS_STACK_DEPTH_MAX];
    size_t depth = 1;

    if (kind == 0 || stack == LS_STACK_OVERFLOW || plain == NULL)
        return stack;
    pcs[0] = LS_STACK_KINDS + kind;
    while (depth <= plain->depth && depth < LS_STACK_DEPTH_MAX) {
        pcs[depth] = plain->pcs[depth - 1];
        depth++;
    }
    return ls_stack_table_intern(&ls_ledger.stacks, pcs, depth, now_ns);
}
