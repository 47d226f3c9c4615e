#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "ledger/stack_table.h"
#include "system/memory.h"

#define CAPACITY 1024
#define THREADS  6
#define STACKS   400

static struct ls_stack_table table;

static int begin(void **state)
{
    (void)state;
    memset(&table, 0, sizeof(table));
    ls_memory_own_set_cap(SIZE_MAX);
    return ls_stack_table_init(&table, CAPACITY);
}

static uint32_t intern(uintptr_t first, size_t depth)
{
    uintptr_t pcs[LS_STACK_DEPTH_MAX + 8];

    for (size_t i = 0; i < depth; i++)
        pcs[i] = first + i;
    return ls_stack_table_intern(&table, pcs, depth, first);
}

static void a_stack_is_found_again_under_its_ordinal(void **state)
{
    uint32_t ordinal = intern(100, 5);
    const struct ls_stack *stack = ls_stack_table_get(&table, ordinal);

    (void)state;
    assert_int_not_equal(ordinal, LS_STACK_OVERFLOW);
    assert_int_equal(intern(100, 5), ordinal);
    assert_int_equal(stack->depth, 5);
    assert_int_equal(stack->ordinal, ordinal);
    assert_int_equal(stack->first_seen_ns, 100);
    for (uintptr_t i = 0; i < 5; i++)
        assert_int_equal(stack->pcs[i], 100 + i);
    assert_int_equal(ls_stack_table_count(&table), 2);
}

static void stacks_that_differ_in_a_frame_or_in_depth_are_different(void **state)
{
    uint32_t ordinal = intern(100, 5);

    (void)state;
    assert_int_not_equal(intern(101, 5), ordinal);
    assert_int_not_equal(intern(100, 4), ordinal);
    assert_int_not_equal(intern(100, 6), ordinal);
    assert_int_equal(ls_stack_table_count(&table), 5);
}

static void the_empty_stack_has_an_ordinal_of_its_own(void **state)
{
    uint32_t ordinal = intern(0, 0);

    (void)state;
    assert_int_not_equal(ordinal, LS_STACK_OVERFLOW);
    assert_int_equal(intern(0, 0), ordinal);
    assert_int_equal(ls_stack_table_get(&table, ordinal)->depth, 0);
}

static void depth_is_cut_to_the_most_there_may_be(void **state)
{
    uint32_t deepest = intern(7, LS_STACK_DEPTH_MAX);

    (void)state;
    assert_int_equal(ls_stack_table_get(&table, deepest)->depth, LS_STACK_DEPTH_MAX);
    assert_int_equal(intern(7, LS_STACK_DEPTH_MAX + 8), deepest);
}

static void a_full_table_gives_the_overflow_stack_and_counts(void **state)
{
    unsigned kept = 0;
    unsigned turned_away = 0;

    (void)state;
    for (uintptr_t i = 1; i <= 2 * CAPACITY; i++) {
        if (intern(i * 1000, 2) != LS_STACK_OVERFLOW)
            kept++;
        else
            turned_away++;
    }
    assert_int_equal(kept, CAPACITY - 1); /* one is the overflow stack itself */
    assert_int_equal(ls_load_relaxed(&table.overflowed), turned_away);
    assert_int_equal(intern(1000, 2), 1); /* those inside are still found */
    assert_non_null(ls_stack_table_get(&table, LS_STACK_OVERFLOW));
    assert_null(ls_stack_table_get(&table, CAPACITY));
    assert_null(ls_stack_table_get(&table, UINT32_MAX));
}

static void deep_stacks_fill_the_memory_before_the_table(void **state)
{
    uintptr_t i = 0;

    (void)state;
    while (intern(++i * 1000, LS_STACK_DEPTH_MAX) != LS_STACK_OVERFLOW)
        continue;
    assert_true(i < CAPACITY);
    assert_true(ls_load_relaxed(&table.region_used) <= table.region_bytes);
    assert_true(ls_stack_table_count(&table) <= i + 1);
}

static void the_memory_cap_holds_for_stacks(void **state)
{
    size_t cap = ls_memory_own_bytes() + ((size_t)128 << 10);
    uintptr_t i = 0;
    uint32_t count;

    (void)state;
    ls_memory_own_set_cap(cap);
    for (; i < CAPACITY; i++)
        intern(i * 1000, 64);
    assert_true(ls_load_relaxed(&table.overflowed) > 0);
    assert_true(ls_memory_own_bytes() <= cap);
    assert_true(ls_load_relaxed(&table.region_used) <= (uint64_t)128 << 10);
    count = ls_stack_table_count(&table);
    assert_true(count < CAPACITY);
    ls_memory_own_set_cap(SIZE_MAX);
    assert_int_equal(intern(i * 1000, 64), count); /* no ordinal was lost */
}

static void a_table_that_was_never_made_gives_the_overflow_stack(void **state)
{
    struct ls_stack_table none = {0};
    uintptr_t pc = 1;

    (void)state;
    assert_int_equal(ls_stack_table_intern(&none, &pc, 1, 1), LS_STACK_OVERFLOW);
    assert_null(ls_stack_table_get(&none, 0));
}

static _Atomic int go;

static void *intern_all(void *context)
{
    uint32_t *ordinals = context;

    while (!ls_load_relaxed(&go))
        continue;
    for (uintptr_t i = 0; i < STACKS; i++)
        ordinals[i] = intern((i + 1) * 1000, 1 + i % 60);
    return NULL;
}

static void threads_that_intern_the_same_stacks_get_the_same_ordinals(void **state)
{
    static uint32_t ordinals[THREADS][STACKS];
    pthread_t threads[THREADS];
    bool taken[CAPACITY] = {false};

    (void)state;
    ls_store_relaxed(&go, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, intern_all, ordinals[i]), 0);
    ls_store_relaxed(&go, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uintptr_t i = 0; i < STACKS; i++) {
        const struct ls_stack *stack = ls_stack_table_get(&table, ordinals[0][i]);

        assert_int_not_equal(ordinals[0][i], LS_STACK_OVERFLOW);
        assert_false(taken[ordinals[0][i]]);
        taken[ordinals[0][i]] = true;
        assert_int_equal(stack->depth, 1 + i % 60);
        assert_int_equal(stack->pcs[0], (i + 1) * 1000);
        for (int t = 1; t < THREADS; t++)
            assert_int_equal(ordinals[t][i], ordinals[0][i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_stack_is_found_again_under_its_ordinal, begin),
        cmocka_unit_test_setup(stacks_that_differ_in_a_frame_or_in_depth_are_different, begin),
        cmocka_unit_test_setup(the_empty_stack_has_an_ordinal_of_its_own, begin),
        cmocka_unit_test_setup(depth_is_cut_to_the_most_there_may_be, begin),
        cmocka_unit_test_setup(a_full_table_gives_the_overflow_stack_and_counts, begin),
        cmocka_unit_test_setup(deep_stacks_fill_the_memory_before_the_table, begin),
        cmocka_unit_test_setup(the_memory_cap_holds_for_stacks, begin),
        cmocka_unit_test_setup(a_table_that_was_never_made_gives_the_overflow_stack, begin),
        cmocka_unit_test_setup(threads_that_intern_the_same_stacks_get_the_same_ordinals, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
