/*
 * What V8's live samples stand for, when they were not all taken at one interval.
 *
 * V8 scales every count by the interval it started with, and the counts of a node mix samples of
 * all times. The list of samples has each one's size, node and number, and the number tells its
 * interval (v8/interval.h); summed by node they take the place of V8's own counts.
 *
 * One roll-up, one thread; own memory only. Zero-filled is empty.
 */
#ifndef LS_V8_WEIGHTS_H
#define LS_V8_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "v8/interval.h"
#include "v8/profile.h"

struct ls_v8_node_weight {
    uint32_t node_id; /* 0: empty */
    double bytes;
    double count;
    double variance_bytes;
};

struct ls_v8_weights {
    struct ls_v8_node_weight *nodes; /* by hash of node_id */
    size_t capacity;                 /* a power of two */
};

/* Objects that one sample stands for. */
double ls_v8_sample_weight(const struct ls_v8_intervals *intervals,
                           const struct ls_v8_sample *sample);

/* Sums the samples by node, and marks the epochs that have live ones. 0 or -ENOMEM; the weights are
 * to be cleaned up either way. */
int ls_v8_weights_fill(struct ls_v8_weights *weights, struct ls_v8_intervals *intervals,
                       const struct ls_v8_sample *samples, size_t count);
/* NULL for a node without live samples. */
const struct ls_v8_node_weight *ls_v8_weights_of(const struct ls_v8_weights *weights,
                                                 uint32_t node_id);
void ls_v8_weights_clean_up(struct ls_v8_weights *weights);

#endif
