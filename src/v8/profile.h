/*
 * V8's allocation profile as it lies in memory, and its reduction to sites.
 *
 * The layouts are those of v8::AllocationProfile in v8-profiler.h, the same from V8 10.2 to 13.6
 * (https://github.com/nodejs/node/blob/v24.x/deps/v8/include/v8-profiler.h), with std::vector as
 * three pointers, which both libstdc++ and libc++ use.
 *
 * Pure: reads the tree it is given, calls back for the function of a node, allocates own memory
 * only. Bounded in depth, nodes and sites; a pointer or vector that cannot be right ends the walk
 * with -EFAULT and nothing is kept. Not thread-safe: one roll-up, one thread.
 */
#ifndef LS_V8_PROFILE_H
#define LS_V8_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "v8/reading.h"

/* V8 keeps at most the stack depth it was asked for, plus the root and "(deopt)". */
#define LS_V8_STACK_DEPTH 64
#define LS_V8_TREE_DEPTH  (LS_V8_STACK_DEPTH + 8)
#define LS_V8_TREE_NODES  200000
#define LS_V8_SITES_MAX   2048
/* Elements of a vector. 2^22 samples at 512 KiB stand for 2 TiB of heap. */
#define LS_V8_VECTOR_MAX (1 << 22)

struct ls_v8_vector {
    const void *begin;
    const void *end;
    const void *capacity;
};

struct ls_v8_allocation {
    size_t size;
    unsigned count; /* unbiased by V8: samples / probability, rounded */
};

struct ls_v8_node {
    const void *name;        /* v8::Local<v8::String> */
    const void *script_name; /* the same; may be null */
    int script_id;
    int start_position;
    int line;
    int column;
    uint32_t id;
    struct ls_v8_vector children;    /* of struct ls_v8_node * */
    struct ls_v8_vector allocations; /* of struct ls_v8_allocation */
};

_Static_assert(sizeof(struct ls_v8_node) == 88, "v8::AllocationProfile::Node");
_Static_assert(offsetof(struct ls_v8_node, children) == 40, "v8::AllocationProfile::Node");
_Static_assert(sizeof(struct ls_v8_allocation) == 16, "v8::AllocationProfile::Allocation");

/* One live sample, as AllocationProfile::GetSamples lists it. */
struct ls_v8_sample {
    uint32_t node_id;
    size_t size;
    unsigned count; /* objects it stands for at the interval V8 started with, rounded */
    uint64_t id;    /* in order of time */
};

_Static_assert(sizeof(struct ls_v8_sample) == 32, "v8::AllocationProfile::Sample");

struct ls_v8_weights;

/* What the walk asks of its caller. */
struct ls_v8_profile_source {
    /* The function of a node, never NULL. */
    const struct ls_js_function *(*function)(void *data, const struct ls_v8_node *node);
    /* False when `size` bytes at `address` cannot be read; NULL: all can. */
    bool (*readable)(void *data, const void *address, size_t size);
    void *data;
    double sample_bytes; /* the mean V8 samples at */
    /* What each node's samples stand for, when they were taken at more than one interval; NULL:
     * V8's counts are right. */
    const struct ls_v8_weights *weights;
};

/* Which site a node's own allocations went to. */
struct ls_v8_node_site {
    uint32_t node_id; /* 0: empty; V8 numbers nodes from 1 */
    uint32_t site;
    /* In the roll-up's `callers`: sites of the user functions further out on the node's stack. */
    uint32_t first_caller;
    uint32_t caller_count;
};

/* Zero-filled is empty. */
struct ls_v8_rollup {
    struct ls_js_site *sites;
    size_t site_count;
    size_t site_capacity;
    double *heaviest; /* by site: bytes of the node whose stack it keeps */
    uint16_t *slots;  /* function -> site index + 1 */
    size_t slot_count;
    struct ls_v8_node_site *node_sites; /* by hash of node_id */
    size_t node_site_capacity;          /* a power of two */
    size_t node_site_count;
    uint32_t *callers;
    size_t caller_count;
    size_t caller_capacity;
    double *inner_lead; /* by site: how far `inner` is ahead of the others (Boyer and Moore) */
    double bytes;       /* all that was found */
    double frame_bytes; /* the same times the depth of its stack: their ratio is the mean depth */
    size_t nodes;       /* nodes walked */
    bool truncated;     /* a bound was reached: the rest is not in the sites */
};

/* Length of a C++ vector in elements, or -EFAULT when it cannot be one. */
int64_t ls_v8_vector_length(const struct ls_v8_profile_source *source,
                            const struct ls_v8_vector *vector, size_t element);

/* 0, -EFAULT when the tree is not what it should be, -ENOMEM. Whatever it returns, the roll-up is
 * to be cleaned up. */
int ls_v8_profile_roll_up(struct ls_v8_rollup *rollup, const struct ls_v8_node *root,
                          const struct ls_v8_profile_source *source);
/* What is known of a node that allocated something itself; NULL of others. */
const struct ls_v8_node_site *ls_v8_rollup_node(const struct ls_v8_rollup *rollup,
                                                uint32_t node_id);
/* The site that holds what this node allocated itself; -1 when none does. */
int64_t ls_v8_rollup_site_of(const struct ls_v8_rollup *rollup, uint32_t node_id);
void ls_v8_rollup_clean_up(struct ls_v8_rollup *rollup);

#endif
