#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "ledger/ring.h"

#define CAPACITY 8

static struct ls_ring ring;
static struct ls_ring_cell cells[CAPACITY];

static int begin(void **state)
{
    (void)state;
    memset(cells, 0, sizeof(cells));
    memset(&ring, 0, sizeof(ring));
    ls_ring_init(&ring, cells, CAPACITY);
    return 0;
}

static void nothing_comes_out_of_an_empty_ring(void **state)
{
    uint64_t event = 7;

    (void)state;
    assert_false(ls_ring_pop(&ring, &event));
    assert_int_equal(event, 7);
    assert_int_equal(ls_ring_waiting(&ring), 0);
}

static void events_come_out_in_order_over_many_laps(void **state)
{
    uint64_t next_in = 0;
    uint64_t next_out = 0;

    (void)state;
    for (int lap = 0; lap < 1000; lap++) {
        uint64_t event;

        for (int i = 0; i < 5; i++)
            assert_true(ls_ring_push(&ring, next_in++));
        assert_int_equal(ls_ring_waiting(&ring), 5);
        for (int i = 0; i < 5; i++) {
            assert_true(ls_ring_pop(&ring, &event));
            assert_int_equal(event, next_out++);
        }
        assert_false(ls_ring_pop(&ring, &event));
    }
}

static void a_full_ring_refuses_and_keeps_what_it_has(void **state)
{
    uint64_t event;

    (void)state;
    for (uint64_t i = 0; i < CAPACITY; i++)
        assert_true(ls_ring_push(&ring, i));
    assert_false(ls_ring_push(&ring, 99));
    assert_false(ls_ring_push(&ring, 99));
    assert_true(ls_ring_pop(&ring, &event));
    assert_int_equal(event, 0);
    assert_true(ls_ring_push(&ring, 8));
    assert_false(ls_ring_push(&ring, 99));
    for (uint64_t i = 1; i <= CAPACITY; i++) {
        assert_true(ls_ring_pop(&ring, &event));
        assert_int_equal(event, i);
    }
    assert_false(ls_ring_pop(&ring, &event));
}

static void high_water_is_the_most_that_ever_waited(void **state)
{
    uint64_t event;

    (void)state;
    ls_ring_push(&ring, 1);
    ls_ring_pop(&ring, &event);
    assert_int_equal(ring.high_water, 1);
    for (uint64_t i = 0; i < 5; i++)
        ls_ring_push(&ring, i);
    while (ls_ring_pop(&ring, &event))
        continue;
    assert_int_equal(ring.high_water, 5);
    ls_ring_push(&ring, 1);
    ls_ring_pop(&ring, &event);
    assert_int_equal(ring.high_water, 5);
}

static void a_claimed_and_unfilled_cell_holds_back_what_follows(void **state)
{
    uint64_t event;

    (void)state;
    /* A producer that stopped between claiming and filling, as one killed at fork has. */
    atomic_fetch_add(&ring.tail, 1);
    assert_true(ls_ring_push(&ring, 5));
    assert_false(ls_ring_pop(&ring, &event));
    assert_int_equal(ls_ring_waiting(&ring), 2);
}

static void a_cleared_ring_works_again(void **state)
{
    uint64_t event;

    (void)state;
    atomic_fetch_add(&ring.tail, 1);
    ls_ring_push(&ring, 5);
    ls_ring_clear(&ring);
    assert_int_equal(ls_ring_waiting(&ring), 0);
    assert_true(ls_ring_push(&ring, 6));
    assert_true(ls_ring_pop(&ring, &event));
    assert_int_equal(event, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_comes_out_of_an_empty_ring, begin),
        cmocka_unit_test_setup(events_come_out_in_order_over_many_laps, begin),
        cmocka_unit_test_setup(a_full_ring_refuses_and_keeps_what_it_has, begin),
        cmocka_unit_test_setup(high_water_is_the_most_that_ever_waited, begin),
        cmocka_unit_test_setup(a_claimed_and_unfilled_cell_holds_back_what_follows, begin),
        cmocka_unit_test_setup(a_cleared_ring_works_again, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
