/* The roll-up of an allocation profile to sites, on trees built by hand in V8's layout. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "system/memory.h"
#include "v8/profile.h"

#define SAMPLE_BYTES 524288.0
#define NODES        512

static size_t allocations_left = SIZE_MAX;
static size_t own_bytes;

void *ls_memory_own_allocate(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    own_bytes += size;
    return calloc(1, size);
}

void ls_memory_own_free(void *block, size_t size)
{
    own_bytes -= size;
    free(block);
}

static const struct ls_js_function root_function = {.key = 1, .name = "(root)", .script = ""};
static const struct ls_js_function handler = {
    .key = 2, .name = "handler", .script = "/srv/server.js", .user_code = true};
static const struct ls_js_function get_data = {
    .key = 3, .name = "getData", .script = "/srv/cache.js", .user_code = true};
static const struct ls_js_function emit = {.key = 4, .name = "emit", .script = "node:events"};
static const struct ls_js_function deopt = {.key = 5, .name = "(deopt)", .script = ""};

#define assert_near(value, expected) assert_true(fabs((value) - (expected)) < 1e-6)

/* A tree in the making: node i stands for functions[i]. */
struct tree {
    size_t count;
    struct ls_v8_node nodes[NODES];
    const struct ls_js_function *functions[NODES];
    const struct ls_v8_node *children[NODES][4];
    struct ls_v8_allocation allocations[NODES];
};

static size_t add(struct tree *tree, size_t parent, const struct ls_js_function *function,
                  size_t size, unsigned count)
{
    size_t index = tree->count++;
    struct ls_v8_node *node = &tree->nodes[index];

    tree->functions[index] = function;
    node->id = (uint32_t)index + 1;
    if (count) {
        tree->allocations[index] = (struct ls_v8_allocation){size, count};
        node->allocations.begin = &tree->allocations[index];
        node->allocations.end = node->allocations.capacity = &tree->allocations[index + 1];
    }
    if (index > 0) {
        struct ls_v8_vector *children = &tree->nodes[parent].children;
        size_t length = children->begin
                            ? (size_t)((const struct ls_v8_node *const *)children->end -
                                       (const struct ls_v8_node *const *)children->begin)
                            : 0;

        tree->children[parent][length] = node;
        children->begin = tree->children[parent];
        children->end = children->capacity = &tree->children[parent][length + 1];
    }
    return index;
}

static struct tree *new_tree(void)
{
    struct tree *tree = calloc(1, sizeof(*tree));

    add(tree, 0, &root_function, 0, 0);
    return tree;
}

static const struct ls_js_function *function_of(void *data, const struct ls_v8_node *node)
{
    struct tree *tree = data;

    return tree->functions[node - tree->nodes];
}

static int roll_up(struct tree *tree, struct ls_v8_rollup *rollup)
{
    struct ls_v8_profile_source source = {
        .function = function_of, .data = tree, .sample_bytes = SAMPLE_BYTES};

    memset(rollup, 0, sizeof(*rollup));
    return ls_v8_profile_roll_up(rollup, &tree->nodes[0], &source);
}

static const struct ls_js_site *site_of(const struct ls_v8_rollup *rollup,
                                        const struct ls_js_function *function)
{
    for (size_t i = 0; i < rollup->site_count; i++) {
        if (rollup->sites[i].function == function)
            return &rollup->sites[i];
    }
    return NULL;
}

static void finish(struct tree *tree, struct ls_v8_rollup *rollup)
{
    ls_v8_rollup_clean_up(rollup);
    assert_int_equal(own_bytes, 0);
    free(tree);
}

static void what_node_allocates_for_a_user_function_is_the_user_functions(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t outer = add(tree, 0, &handler, 1000, 5);
    size_t inner = add(tree, outer, &get_data, 20000, 2);

    (void)state;
    add(tree, inner, &emit, 64, 10);
    assert_int_equal(roll_up(tree, &rollup), 0);
    assert_near(site_of(&rollup, &get_data)->live_bytes, 40640);
    assert_near(site_of(&rollup, &get_data)->live_count, 12);
    assert_near(site_of(&rollup, &handler)->live_bytes, 5000);
    assert_null(site_of(&rollup, &emit));
    finish(tree, &rollup);
}

static void inclusive_bytes_hold_the_callees_and_count_recursion_once(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t outer = add(tree, 0, &handler, 100, 1);
    size_t inner = add(tree, outer, &get_data, 100, 2);

    (void)state;
    add(tree, inner, &get_data, 100, 3);
    assert_int_equal(roll_up(tree, &rollup), 0);
    assert_near(site_of(&rollup, &get_data)->live_bytes, 500);
    assert_near(site_of(&rollup, &get_data)->inclusive_bytes, 500);
    assert_near(site_of(&rollup, &handler)->inclusive_bytes, 600);
    finish(tree, &rollup);
}

static void a_stack_without_user_code_belongs_to_its_innermost_named_function(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t outer = add(tree, 0, &emit, 0, 0);

    (void)state;
    add(tree, outer, &deopt, 128, 4);
    assert_int_equal(roll_up(tree, &rollup), 0);
    assert_non_null(site_of(&rollup, &emit));
    assert_null(site_of(&rollup, &deopt));
    finish(tree, &rollup);
}

static void the_heaviest_stack_is_kept_innermost_first(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t light = add(tree, 0, &get_data, 10, 1);
    size_t heavy = add(tree, 0, &handler, 0, 0);
    const struct ls_js_site *site;

    (void)state;
    add(tree, light, &emit, 10, 1);
    heavy = add(tree, heavy, &get_data, 5000, 9);
    add(tree, heavy, &emit, 10, 1);
    assert_int_equal(roll_up(tree, &rollup), 0);
    site = site_of(&rollup, &get_data);
    assert_int_equal(site->stack_length, 2);
    assert_ptr_equal(site->stack[0], &get_data);
    assert_ptr_equal(site->stack[1], &handler);
    finish(tree, &rollup);
}

static void a_stack_deeper_than_its_room_still_shows_the_user_function(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t node = add(tree, 0, &get_data, 0, 0);
    const struct ls_js_site *site;

    (void)state;
    for (size_t i = 0; i < LS_JS_STACK_MAX + 4; i++)
        node = add(tree, node, &emit, 0, 0);
    add(tree, node, &emit, 100, 1);
    assert_int_equal(roll_up(tree, &rollup), 0);
    site = site_of(&rollup, &get_data);
    assert_int_equal(site->stack_length, LS_JS_STACK_MAX);
    assert_ptr_equal(site->stack[LS_JS_STACK_MAX - 1], &get_data);
    finish(tree, &rollup);
}

static void the_variance_is_that_of_poisson_sampling(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    double size = 20000;
    double chance = 1 - exp(-size / SAMPLE_BYTES);
    double expected = 300 * size * size * (1 - chance) / chance;

    (void)state;
    add(tree, 0, &get_data, (size_t)size, 300);
    /* Every block so much larger than the mean is sampled: nothing is uncertain. */
    add(tree, 0, &handler, (size_t)(SAMPLE_BYTES * 1000), 2);
    assert_int_equal(roll_up(tree, &rollup), 0);
    assert_true(fabs(site_of(&rollup, &get_data)->variance_bytes / expected - 1) < 1e-9);
    assert_near(site_of(&rollup, &handler)->variance_bytes, 0);
    finish(tree, &rollup);
}

static void nodes_know_the_site_they_went_to(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t outer = add(tree, 0, &get_data, 10, 1);
    size_t inner = add(tree, outer, &emit, 10, 1);
    int64_t site;

    (void)state;
    assert_int_equal(roll_up(tree, &rollup), 0);
    site = ls_v8_rollup_site_of(&rollup, tree->nodes[inner].id);
    assert_true(site >= 0);
    assert_ptr_equal(rollup.sites[site].function, &get_data);
    assert_int_equal(ls_v8_rollup_site_of(&rollup, 4000), -1);
    assert_int_equal(ls_v8_rollup_site_of(&rollup, 0), -1);
    finish(tree, &rollup);
}

static void nodes_know_who_called_them_and_callers_who_allocates_inside(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t outer = add(tree, 0, &handler, 10, 1);
    size_t again = add(tree, outer, &handler, 0, 0);
    size_t inner = add(tree, again, &get_data, 0, 0);
    size_t leaf = add(tree, inner, &emit, 100, 5);
    const struct ls_v8_node_site *node;

    (void)state;
    assert_int_equal(roll_up(tree, &rollup), 0);
    node = ls_v8_rollup_node(&rollup, tree->nodes[leaf].id);
    assert_non_null(node);
    assert_ptr_equal(rollup.sites[node->site].function, &get_data);
    assert_int_equal(node->caller_count, 1);
    assert_ptr_equal(rollup.sites[rollup.callers[node->first_caller]].function, &handler);
    assert_ptr_equal(site_of(&rollup, &handler)->inner, &get_data);
    assert_null(site_of(&rollup, &get_data)->inner);
    assert_int_equal(ls_v8_rollup_node(&rollup, tree->nodes[outer].id)->caller_count, 0);
    finish(tree, &rollup);
}

static void many_sites_are_all_found_again(void **state)
{
    static struct ls_js_function functions[NODES];
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t parent = 0;

    (void)state;
    for (size_t i = 0; i + 1 < NODES - 1; i++) {
        functions[i] = (struct ls_js_function){
            .key = i * 7919, .name = "f", .script = "/srv/f.js", .user_code = true};
        /* Three children a node keep the tree wide enough. */
        add(tree, parent, &functions[i], 100, (unsigned)i + 1);
        if (i % 3 == 2)
            parent++;
    }
    assert_int_equal(roll_up(tree, &rollup), 0);
    assert_int_equal(rollup.site_count, NODES - 2);
    for (size_t i = 0; i + 1 < NODES - 1; i++)
        assert_near(site_of(&rollup, &functions[i])->live_count, (double)i + 1);
    assert_false(rollup.truncated);
    finish(tree, &rollup);
}

static void a_tree_deeper_than_v8_makes_them_is_cut_and_says_so(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t node = 0;

    (void)state;
    for (size_t i = 0; i < LS_V8_TREE_DEPTH + 10; i++)
        node = add(tree, node, &get_data, 100, 1);
    assert_int_equal(roll_up(tree, &rollup), 0);
    assert_true(rollup.truncated);
    assert_near(site_of(&rollup, &get_data)->live_bytes, 100.0 * (LS_V8_TREE_DEPTH - 1));
    finish(tree, &rollup);
}

static void a_vector_that_cannot_be_one_ends_the_walk(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;
    size_t node = add(tree, 0, &get_data, 100, 1);

    (void)state;
    tree->nodes[node].children.begin = &tree->nodes[5];
    tree->nodes[node].children.end = &tree->nodes[4];
    tree->nodes[node].children.capacity = &tree->nodes[6];
    assert_int_equal(roll_up(tree, &rollup), -EFAULT);
    ls_v8_rollup_clean_up(&rollup);

    tree->nodes[node].children = (struct ls_v8_vector){NULL, NULL, NULL};
    tree->nodes[node].allocations.end = (const char *)tree->nodes[node].allocations.begin + 7;
    assert_int_equal(roll_up(tree, &rollup), -EFAULT);
    finish(tree, &rollup);
}

static void a_child_pointer_that_cannot_be_one_ends_the_walk(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup;

    (void)state;
    add(tree, 0, &get_data, 100, 1);
    tree->children[0][0] = (const struct ls_v8_node *)(uintptr_t)0x13;
    assert_int_equal(roll_up(tree, &rollup), -EFAULT);
    finish(tree, &rollup);
}

static bool nothing_readable(void *data, const void *address, size_t size)
{
    (void)data;
    (void)address;
    (void)size;
    return false;
}

static void memory_that_is_not_mapped_ends_the_walk(void **state)
{
    struct tree *tree = new_tree();
    struct ls_v8_rollup rollup = {0};
    struct ls_v8_profile_source source = {.function = function_of,
                                          .readable = nothing_readable,
                                          .data = tree,
                                          .sample_bytes = SAMPLE_BYTES};

    (void)state;
    assert_int_equal(ls_v8_profile_roll_up(&rollup, &tree->nodes[0], &source), -EFAULT);
    finish(tree, &rollup);
}

static void running_out_of_memory_at_any_point_leaks_nothing(void **state)
{
    (void)state;
    for (size_t left = 0; left < 4; left++) {
        struct tree *tree = new_tree();
        struct ls_v8_rollup rollup;

        add(tree, 0, &get_data, 100, 1);
        allocations_left = left;
        assert_int_equal(roll_up(tree, &rollup), -ENOMEM);
        allocations_left = SIZE_MAX;
        finish(tree, &rollup);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_node_allocates_for_a_user_function_is_the_user_functions),
        cmocka_unit_test(nodes_know_who_called_them_and_callers_who_allocates_inside),
        cmocka_unit_test(inclusive_bytes_hold_the_callees_and_count_recursion_once),
        cmocka_unit_test(a_stack_without_user_code_belongs_to_its_innermost_named_function),
        cmocka_unit_test(the_heaviest_stack_is_kept_innermost_first),
        cmocka_unit_test(a_stack_deeper_than_its_room_still_shows_the_user_function),
        cmocka_unit_test(the_variance_is_that_of_poisson_sampling),
        cmocka_unit_test(nodes_know_the_site_they_went_to),
        cmocka_unit_test(many_sites_are_all_found_again),
        cmocka_unit_test(a_tree_deeper_than_v8_makes_them_is_cut_and_says_so),
        cmocka_unit_test(a_vector_that_cannot_be_one_ends_the_walk),
        cmocka_unit_test(a_child_pointer_that_cannot_be_one_ends_the_walk),
        cmocka_unit_test(memory_that_is_not_mapped_ends_the_walk),
        cmocka_unit_test(running_out_of_memory_at_any_point_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
