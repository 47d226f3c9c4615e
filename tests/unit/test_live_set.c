#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/live_set.h"
#include "system/memory.h"

static struct ls_live_set set;

static int begin(void **state)
{
    (void)state;
    memset(&set, 0, sizeof(set));
    ls_live_set_init(&set, 2 * LS_LIVE_CHUNK_SLOTS);
    return ls_memory_start(LS_MEMORY_TRACKED_ONLY);
}

static struct ls_live_handle acquire(uint64_t size)
{
    return ls_live_set_acquire(&set, LS_RESOURCE_HEAP, 3, size, 2.0, 99);
}

static void count(void *context, uint32_t index, struct ls_live_slot *slot)
{
    (void)index;
    (void)slot;
    ++*(unsigned *)context;
}

static unsigned occupied(void)
{
    unsigned slots = 0;

    ls_live_set_sweep(&set, count, &slots);
    return slots;
}

static void a_slot_holds_what_was_acquired(void **state)
{
    struct ls_live_handle handle = acquire(500);
    struct ls_live_slot *slot = ls_live_set_find(&set, handle);

    (void)state;
    assert_int_not_equal(handle.slot, 0);
    assert_non_null(slot);
    assert_int_equal(ls_live_slot_state(slot), LS_LIVE_LIVE);
    assert_int_equal(slot->resource, LS_RESOURCE_HEAP);
    assert_int_equal(slot->stack, 3);
    assert_int_equal(slot->size, 500);
    assert_true(slot->weight == 2.0);
    assert_int_equal(slot->acquired_ns, 99);
    assert_false(slot->accounted);
    assert_int_equal(occupied(), 1);
}

static void a_slot_is_released_once(void **state)
{
    struct ls_live_handle handle = acquire(1);
    struct ls_live_handle released;

    (void)state;
    assert_true(ls_live_set_release(&set, handle.slot, &released));
    assert_int_equal(released.slot, handle.slot);
    assert_int_equal(released.generation, handle.generation);
    assert_false(ls_live_set_release(&set, handle.slot, &released));
    ls_live_set_reclaim(&set, handle.slot);
    assert_false(ls_live_set_release(&set, handle.slot, &released));
    assert_int_equal(occupied(), 0);
}

static void word_of_an_earlier_tenant_is_recognised(void **state)
{
    struct ls_live_handle first = acquire(1);
    struct ls_live_handle released;
    struct ls_live_handle second;

    (void)state;
    assert_true(ls_live_set_release(&set, first.slot, &released));
    ls_live_set_reclaim(&set, first.slot);
    assert_null(ls_live_set_find(&set, first));
    second = acquire(2);
    assert_int_equal(second.slot, first.slot);
    assert_null(ls_live_set_find(&set, first));
    assert_non_null(ls_live_set_find(&set, second));
}

static void numbers_that_name_no_slot_are_refused(void **state)
{
    struct ls_live_handle handle;
    const uint32_t wrong[] = {0, LS_LIVE_CHUNK_SLOTS, 5 * LS_LIVE_CHUNK_SLOTS, UINT32_MAX};

    (void)state;
    acquire(1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(ls_live_set_release(&set, wrong[i], &handle));
        assert_null(ls_live_set_find(&set, (struct ls_live_handle){wrong[i], 0}));
    }
}

static void every_slot_is_given_out_once_and_then_none(void **state)
{
    static bool given[2 * LS_LIVE_CHUNK_SLOTS];
    unsigned slots = 0;
    struct ls_live_handle handle;

    (void)state;
    memset(given, 0, sizeof(given));
    while ((handle = acquire(1)).slot != 0) {
        assert_true(handle.slot < 2 * LS_LIVE_CHUNK_SLOTS);
        assert_false(given[handle.slot]);
        given[handle.slot] = true;
        slots++;
    }
    assert_int_equal(slots, 2 * LS_LIVE_CHUNK_SLOTS - 1); /* number 0 means none */
    assert_int_equal(occupied(), slots);
    assert_true(ls_live_set_release(&set, 77, &handle));
    assert_int_equal(acquire(1).slot, 0); /* not before the collector has seen the release */
    ls_live_set_reclaim(&set, 77);
    assert_int_equal(acquire(1).slot, 77);
}

static void a_reused_set_takes_no_more_memory(void **state)
{
    size_t bytes;

    (void)state;
    ls_live_set_reclaim(&set, acquire(1).slot);
    bytes = ls_memory_own_bytes();
    for (int i = 0; i < 100000; i++) {
        struct ls_live_handle handle = acquire(1);
        struct ls_live_handle released;

        assert_true(ls_live_set_release(&set, handle.slot, &released));
        ls_live_set_reclaim(&set, handle.slot);
    }
    assert_int_equal(ls_memory_own_bytes(), bytes);
}

static void a_memory_cap_met_for_a_while_does_not_make_the_set_smaller(void **state)
{
    unsigned slots = 0;

    (void)state;
    ls_memory_own_set_cap(ls_memory_own_bytes());
    for (int i = 0; i < 10; i++)
        assert_int_equal(acquire(1).slot, 0);
    ls_memory_own_set_cap(SIZE_MAX);
    while (acquire(1).slot != 0)
        slots++;
    assert_int_equal(slots, 2 * LS_LIVE_CHUNK_SLOTS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_slot_holds_what_was_acquired, begin),
        cmocka_unit_test_setup(a_slot_is_released_once, begin),
        cmocka_unit_test_setup(word_of_an_earlier_tenant_is_recognised, begin),
        cmocka_unit_test_setup(numbers_that_name_no_slot_are_refused, begin),
        cmocka_unit_test_setup(every_slot_is_given_out_once_and_then_none, begin),
        cmocka_unit_test_setup(a_reused_set_takes_no_more_memory, begin),
        cmocka_unit_test_setup(a_memory_cap_met_for_a_while_does_not_make_the_set_smaller, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
