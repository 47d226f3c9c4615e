/*
 * Interned call stacks: every distinct list of program counters has one ordinal, small and dense.
 *
 * Intern: any thread, lock-free, allocation by bumping a reserved region; the same stack interned
 * by two threads at once yields one ordinal (the loser's copy is wasted). When the table or its
 * share of memory is full, new stacks get LS_STACK_OVERFLOW and are counted. Reading an ordinal's
 * stack: any thread, any time; stacks are never changed or freed. Works on in a forked child as it
 * stands.
 */
#ifndef LS_LEDGER_STACK_TABLE_H
#define LS_LEDGER_STACK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LS_STACK_DEPTH_MAX 128
#define LS_STACK_HASH_BASE UINT64_C(0xd1342543de82ef95)
/* The one stack that stands for all that found the table full. */
#define LS_STACK_OVERFLOW 0
#define LS_STACK_UNKNOWN  UINT32_MAX

/* Stacks of one program counter that no code has: where resources come from whose acquire nobody
 * saw. */
#define LS_STACK_EARLIER 1 /* there when tracking began */
#define LS_STACK_UNSEEN  2 /* came since, past the hooks */
#define LS_STACK_MADE_UP 3 /* one past the last of them */

struct ls_stack {
    uint64_t hash;
    uint64_t first_seen_ns;
    uint32_t depth;
    uint32_t ordinal;
    uintptr_t pcs[]; /* return addresses, innermost first */
};

struct ls_stack_table {
    _Atomic uint32_t *buckets;   /* ordinal plus one; 0 is empty */
    _Atomic uint64_t *directory; /* ordinal to address of struct ls_stack; 0 while being filled */
    char *region;
    size_t region_bytes;
    uint32_t bucket_mask;
    uint32_t capacity;
    _Atomic uint64_t region_used;
    _Atomic uint32_t count;
    _Atomic uint64_t overflowed; /* interns that got LS_STACK_OVERFLOW */
};

/*
 * A polynomial over the program counters, from the outermost frame inward, so that the hash of a
 * stack follows from that of its outer frames and, by a difference, that of its inner ones.
 */
static inline uint64_t ls_stack_hash_frame(uint64_t outer, uintptr_t pc)
{
    return outer * LS_STACK_HASH_BASE + (pc ^ pc >> 17) * UINT64_C(0x9fb21c651e98df25);
}
uint64_t ls_stack_hash(const uintptr_t *pcs, size_t depth);
uint64_t ls_stack_power(size_t exponent);
/* Of the `depth` inner frames of a stack: `all` is the hash of all, `outer` that of the others. */
static inline uint64_t ls_stack_hash_inner(uint64_t all, uint64_t outer, size_t depth)
{
    return outer == 0 ? all : all - outer * ls_stack_power(depth);
}

/* `capacity` stacks at most, a power of two. 0 or -ENOMEM. */
int ls_stack_table_init(struct ls_stack_table *table, uint32_t capacity);
/* `depth` is cut to LS_STACK_DEPTH_MAX. */
uint32_t ls_stack_table_intern(struct ls_stack_table *table, const uintptr_t *pcs, size_t depth,
                               uint64_t now_ns);
/* The same for a stack seen before, whose ls_stack_hash is known; LS_STACK_UNKNOWN if it was not.
 */
uint32_t ls_stack_table_find(struct ls_stack_table *table, const uintptr_t *pcs, size_t depth,
                             uint64_t hash);
/* NULL when the ordinal is not (yet) in use. */
const struct ls_stack *ls_stack_table_get(const struct ls_stack_table *table, uint32_t ordinal);
/* All ordinals below this are or will soon be filled. */
uint32_t ls_stack_table_count(const struct ls_stack_table *table);

#endif
