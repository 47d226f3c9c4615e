/*
 * Names that a program gives to resources of its own: "listeners", "cache entries".
 *
 * A name stands in the stack of what was acquired under it, as a made-up program counter inside of
 * all others: what is acquired under another name is another stack, and so another site. Names are
 * bounded in number and length; those that come later are one, LS_KIND_OTHER.
 *
 * Any thread; lock-free, no memory is taken. Names are never forgotten; a forked child goes on with
 * them.
 */
#ifndef LS_LEDGER_KINDS_H
#define LS_LEDGER_KINDS_H

#include <stdint.h>

#include "ledger/stack_table.h"

#define LS_KINDS_MAX       64
#define LS_KIND_NAME_MAX   31 /* bytes; what is longer is cut */
#define LS_KIND_OTHER      (LS_KINDS_MAX + 1)
#define LS_STACK_KINDS     16 /* the program counter of a kind is this and its number */
#define LS_STACK_KINDS_END (LS_STACK_KINDS + LS_KIND_OTHER + 1)

_Static_assert(LS_STACK_KINDS >= LS_STACK_MADE_UP, "they are told apart");

/* The number of a name, counted from 1. 0 for NULL and for "". */
uint32_t ls_kind_obtain(const char *name);
/* "" for 0. */
const char *ls_kind_name(uint32_t kind);

/* The stack of what is acquired under a name at that stack; the stack itself for kind 0. */
uint32_t ls_kind_stack(uint32_t stack, uint32_t kind, uint64_t now_ns);

/* The kind that a stack was acquired under; 0: none. Its frames begin behind that. */
static inline uint32_t ls_stack_kind(const struct ls_stack *stack)
{
    return stack->depth > 0 && stack->pcs[0] > LS_STACK_KINDS && stack->pcs[0] < LS_STACK_KINDS_END
               ? (uint32_t)(stack->pcs[0] - LS_STACK_KINDS)
               : 0;
}

#endif
