#include "v8/weights.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "system/memory.h"

#define NODES_MIN 256

double ls_v8_sample_weight(const struct ls_v8_intervals *intervals,
                           const struct ls_v8_sample *sample)
{
    size_t epoch = ls_v8_intervals_find(intervals, sample->id);

    return 1 / ls_v8_interval_chance(sample->size, intervals->epochs[epoch].bytes);
}

static struct ls_v8_node_weight *find(const struct ls_v8_weights *weights, uint32_t node_id)
{
    size_t slot = ls_hash_mix(node_id) & (weights->capacity - 1);

    while (weights->nodes[slot].node_id && weights->nodes[slot].node_id != node_id)
        slot = (slot + 1) & (weights->capacity - 1);
    return &weights->nodes[slot];
}

int ls_v8_weights_fill(struct ls_v8_weights *weights, struct ls_v8_intervals *intervals,
                       const struct ls_v8_sample *samples, size_t count)
{
    /* At most one node a sample. */
    size_t nodes = count < LS_V8_TREE_NODES ? count : LS_V8_TREE_NODES;
    size_t used = 0;

    weights->capacity = NODES_MIN;
    while (weights->capacity < nodes * 2)
        weights->capacity *= 2;
    weights->nodes = ls_memory_own_allocate(weights->capacity * sizeof(*weights->nodes));
    if (!weights->nodes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct ls_v8_sample *sample = &samples[i];
        struct ls_v8_node_weight *node = find(weights, sample->node_id);
        double size = (double)sample->size;
        double weight;

        /* Beyond the nodes that a roll-up walks anyway. */
        if (sample->node_id == 0 || (node->node_id == 0 && used == nodes))
            continue;
        used += node->node_id == 0;
        weight = ls_v8_sample_weight(intervals, sample);
        intervals->epochs[ls_v8_intervals_find(intervals, sample->id)].live = true;
        node->node_id = sample->node_id;
        node->bytes += size * weight;
        node->count += weight;
        /* s^2 (1 - p) / p^2, as profile.c has it for k samples. */
        node->variance_bytes += size * size * (weight - 1) * weight;
    }
    return 0;
}

const struct ls_v8_node_weight *ls_v8_weights_of(const struct ls_v8_weights *weights,
                                                 uint32_t node_id)
{
    const struct ls_v8_node_weight *node = find(weights, node_id);

    return node_id && node->node_id ? node : NULL;
}

void ls_v8_weights_clean_up(struct ls_v8_weights *weights)
{
    if (weights->nodes)
        ls_memory_own_free(weights->nodes, weights->capacity * sizeof(*weights->nodes));
    memset(weights, 0, sizeof(*weights));
}
