/*
 * Builds and destroys binary trees by recursion, splitting the nodes between the two sides at
 * random: blocks are allocated at every stack depth, and the deepest is some forty frames down.
 *
 *   --nodes N    of a tree
 *   --rounds N   trees, one after another
 */
#include "workload.h"

struct node {
    struct node *left;
    struct node *right;
    uint64_t key;
    char name[];
};

static uint64_t random_state;

static NOINLINE struct node *build(long count)
{
    uint64_t random = workload_random(&random_state);
    size_t name_size = 8 + random % 25;
    long left_count;
    struct node *node;

    if (count == 0)
        return NULL;
    node = workload_allocate(sizeof(*node) + name_size);
    node->key = random >> 32;
    memset(node->name, (int)(random & 127), name_size);
    left_count = (long)(workload_random(&random_state) % (uint64_t)count);
    node->left = build(left_count);
    node->right = build(count - 1 - left_count);
    KEEP(node);
    return node;
}

static NOINLINE uint64_t destroy(struct node *node)
{
    uint64_t sum;

    if (node == NULL)
        return 0;
    sum = node->key + (uint64_t)node->name[0];
    sum += destroy(node->left);
    sum += destroy(node->right);
    free(node);
    KEEP(sum);
    return sum;
}

int main(int count, char **values)
{
    long nodes = workload_option(count, values, "nodes", 20000);
    long rounds = workload_option(count, values, "rounds", 100);
    uint64_t checksum = 0;
    struct workload_clock start = workload_start();

    random_state = 88172645463325252u;
    for (long i = 0; i < rounds; i++)
        checksum = workload_mix(checksum, destroy(build(nodes)));
    return workload_done(start, (uint64_t)(nodes * rounds), checksum);
}
