/* A program's own names for what it acquires: their numbers, their bounds, and their sites. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/kinds.h"
#include "ledger/ledger.h"
#include "system/memory.h"

#define THREADS 4

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 2048, .slots = 8192, .ring_events = 64};

    (void)state;
    return ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ? -1 : 0;
}

static uint32_t plain_stack(void)
{
    static const uintptr_t pcs[] = {70000, 80000};

    return ls_stack_table_intern(&ls_ledger.stacks, pcs, 2, 1);
}

static const struct ls_site *site_of(uint32_t stack)
{
    ls_ledger_drain();
    ls_ledger_settle_sites(ls_stack_table_count(&ls_ledger.stacks), NULL);
    return ls_ledger_site_of(LS_RESOURCE_CUSTOM, stack);
}

static void a_name_has_one_number(void **state)
{
    uint32_t listeners = ls_kind_obtain("listeners");

    (void)state;
    assert_int_not_equal(listeners, 0);
    assert_int_equal(ls_kind_obtain("listeners"), listeners);
    assert_int_not_equal(ls_kind_obtain("listener"), listeners);
    assert_string_equal(ls_kind_name(listeners), "listeners");
}

static void no_name_and_an_empty_one_are_none(void **state)
{
    (void)state;
    assert_int_equal(ls_kind_obtain(NULL), 0);
    assert_int_equal(ls_kind_obtain(""), 0);
    assert_string_equal(ls_kind_name(0), "");
    assert_int_equal(ls_kind_stack(plain_stack(), 0, 1), plain_stack());
}

static void a_long_name_is_cut_between_characters(void **state)
{
    (void)state;
    assert_string_equal(ls_kind_name(ls_kind_obtain("0123456789012345678901234567890123")),
                        "0123456789012345678901234567890");
    assert_string_equal(ls_kind_name(ls_kind_obtain("012345678901234567890123456789\xc3\xa9")),
                        "012345678901234567890123456789");
}

static void two_names_at_one_place_are_two_sites(void **state)
{
    uint32_t listeners = ls_kind_stack(plain_stack(), ls_kind_obtain("listeners"), 1);
    uint32_t rows = ls_kind_stack(plain_stack(), ls_kind_obtain("rows"), 1);

    (void)state;
    assert_int_equal(ls_kind_stack(plain_stack(), ls_kind_obtain("rows"), 1), rows);
    ls_ledger_acquire(LS_RESOURCE_CUSTOM, listeners, 10, 1, 5);
    ls_ledger_acquire(LS_RESOURCE_CUSTOM, rows, 20, 1, 5);
    ls_ledger_acquire(LS_RESOURCE_CUSTOM, plain_stack(), 40, 1, 5);
    assert_true(site_of(listeners)->tally.live_bytes == 10);
    assert_true(site_of(rows)->tally.live_bytes == 20);
    assert_true(site_of(plain_stack())->tally.live_bytes == 40);
    assert_int_not_equal(site_of(listeners)->id, site_of(rows)->id);
}

static void a_stack_tells_its_name(void **state)
{
    uint32_t kind = ls_kind_obtain("rows");
    uint32_t named = ls_kind_stack(plain_stack(), kind, 1);

    (void)state;
    assert_int_equal(ls_stack_kind(ls_stack_table_get(&ls_ledger.stacks, named)), kind);
    assert_int_equal(ls_stack_kind(ls_stack_table_get(&ls_ledger.stacks, plain_stack())), 0);
}

/* A full table of stacks has one for all, and no name changes that. */
static void the_overflow_stack_stays_what_it_is(void **state)
{
    (void)state;
    assert_int_equal(ls_kind_stack(LS_STACK_OVERFLOW, ls_kind_obtain("rows"), 1),
                     LS_STACK_OVERFLOW);
}

static void *obtain_many(void *found)
{
    char name[16];

    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "thread %d", i);
        ((uint32_t *)found)[i] = ls_kind_obtain(name);
    }
    return NULL;
}

static void threads_that_come_with_one_name_get_one_number(void **state)
{
    uint32_t found[THREADS][8];
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, obtain_many, found[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1; i < THREADS; i++)
        assert_memory_equal(found[i], found[0], sizeof(found[0]));
}

/* The last: it fills the table. */
static void names_beyond_the_table_are_one(void **state)
{
    uint32_t first = ls_kind_obtain("listeners");
    char name[16];

    (void)state;
    for (int i = 0; i < LS_KINDS_MAX; i++) {
        snprintf(name, sizeof(name), "kind %d", i);
        ls_kind_obtain(name);
    }
    assert_int_equal(ls_kind_obtain("one too many"), LS_KIND_OTHER);
    assert_int_equal(ls_kind_obtain("and one more"), LS_KIND_OTHER);
    assert_string_equal(ls_kind_name(LS_KIND_OTHER), "other");
    assert_int_equal(ls_kind_obtain("listeners"), first);
    assert_int_equal(ls_stack_kind(ls_stack_table_get(
                         &ls_ledger.stacks, ls_kind_stack(plain_stack(), LS_KIND_OTHER, 1))),
                     LS_KIND_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_one_number),
        cmocka_unit_test(no_name_and_an_empty_one_are_none),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
        cmocka_unit_test(two_names_at_one_place_are_two_sites),
        cmocka_unit_test(a_stack_tells_its_name),
        cmocka_unit_test(the_overflow_stack_stays_what_it_is),
        cmocka_unit_test(threads_that_come_with_one_name_get_one_number),
        cmocka_unit_test(names_beyond_the_table_are_one),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
