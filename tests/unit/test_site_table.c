#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/site_table.h"
#include "system/memory.h"

static struct ls_site_table table;

static int begin(void **state)
{
    (void)state;
    ls_memory_own_set_cap(SIZE_MAX);
    for (size_t i = 0; i < LS_SITE_CHUNKS_MAX; i++)
        ls_memory_own_free(table.chunks[i], LS_SITES_PER_CHUNK * sizeof(struct ls_site));
    memset(&table, 0, sizeof(table));
    return ls_memory_start(LS_MEMORY_TRACKED_ONLY);
}

static struct ls_site *obtain(uint64_t id)
{
    return ls_site_table_obtain(&table, LS_RESOURCE_HEAP, id);
}

static void a_site_is_found_again_by_resource_and_id(void **state)
{
    struct ls_site *site = obtain(1234567);

    (void)state;
    assert_ptr_equal(obtain(1234567), site);
    assert_ptr_equal(ls_site_table_at(&table, site->index), site);
    assert_int_equal(site->id, 1234567);
    assert_false(site->overflow);
    assert_ptr_not_equal(ls_site_table_obtain(&table, LS_RESOURCE_JS, 1234567), site);
    assert_ptr_not_equal(obtain(1234568), site);
    assert_int_equal(table.count, 3);
}

static void sites_do_not_move_as_the_table_grows(void **state)
{
    struct ls_site *first = obtain(1000);

    (void)state;
    for (uint64_t id = 1001; id < 6000; id++)
        assert_int_equal(obtain(id)->id, id);
    assert_ptr_equal(obtain(1000), first);
    for (uint32_t i = 0; i < table.count; i++)
        assert_int_equal(ls_site_table_at(&table, i)->index, i);
}

static void a_full_table_gives_each_resource_its_overflow_site(void **state)
{
    const uint64_t places = (uint64_t)LS_SITE_CHUNKS_MAX * LS_SITES_PER_CHUNK;
    struct ls_site *heap;

    (void)state;
    for (uint64_t id = 1000; !obtain(id)->overflow; id++)
        assert_true(id < 1000 + places);
    heap = obtain(UINT64_MAX);
    assert_non_null(heap);
    assert_true(heap->overflow);
    assert_ptr_equal(obtain(UINT64_MAX - 1), heap);
    assert_int_equal(table.overflowed, 3);
    for (int i = 0; i < LS_RESOURCE_COUNT; i++) {
        struct ls_site *site = ls_site_table_obtain(&table, (enum ls_resource)i, UINT64_MAX);

        assert_non_null(site);
        assert_true(site->overflow);
        assert_int_equal(site->resource, i);
    }
    assert_true(table.count <= places);
    assert_int_equal(obtain(1000)->id, 1000); /* those inside are still found */
    assert_false(obtain(1000)->overflow);
}

static void without_memory_there_is_still_an_overflow_site(void **state)
{
    uint64_t id = 1000;

    (void)state;
    obtain(id);
    ls_memory_own_set_cap(ls_memory_own_bytes());
    while (!obtain(++id)->overflow)
        assert_true(id < 1000 + LS_SITES_PER_CHUNK);
    for (int i = 0; i < LS_RESOURCE_COUNT; i++)
        assert_non_null(ls_site_table_obtain(&table, (enum ls_resource)i, UINT64_MAX));
}

static void without_any_memory_there_is_none(void **state)
{
    (void)state;
    ls_memory_own_set_cap(0);
    assert_null(obtain(1000));
    ls_memory_own_set_cap(SIZE_MAX);
    assert_non_null(obtain(1000));
}

static void the_first_sites_are_there_whatever_is_left(void **state)
{
    uint64_t id = 1000;

    (void)state;
    assert_int_equal(ls_site_table_start(&table), 0);
    ls_memory_own_set_cap(0);
    while (!obtain(id)->overflow)
        id++;
    assert_int_equal(id, 1000 + LS_SITES_PER_CHUNK - LS_RESOURCE_COUNT);
    for (int i = 0; i < LS_RESOURCE_COUNT; i++)
        assert_true(ls_site_table_obtain(&table, (enum ls_resource)i, UINT64_MAX)->overflow);
    assert_int_equal(table.count, LS_SITES_PER_CHUNK);
}

static void a_start_without_memory_fails(void **state)
{
    (void)state;
    ls_memory_own_set_cap(0);
    assert_int_equal(ls_site_table_start(&table), -ENOMEM);
    ls_memory_own_set_cap(SIZE_MAX);
}

static void tallies_add_up_and_of_peaks_the_higher_counts(void **state)
{
    struct ls_tally sum = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct ls_tally part = {10, 20, 30, 40, 50, 60, 70, 80};

    (void)state;
    ls_tally_add(&sum, &part);
    assert_true(sum.acquired_count == 11 && sum.acquired_bytes == 22 && sum.released_count == 33);
    assert_true(sum.live_count == 44 && sum.live_bytes == 55 && sum.variance_bytes == 66 &&
                sum.reserved_bytes == 77 && sum.peak_live_count == 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_site_is_found_again_by_resource_and_id, begin),
        cmocka_unit_test_setup(sites_do_not_move_as_the_table_grows, begin),
        cmocka_unit_test_setup(a_full_table_gives_each_resource_its_overflow_site, begin),
        cmocka_unit_test_setup(without_memory_there_is_still_an_overflow_site, begin),
        cmocka_unit_test_setup(without_any_memory_there_is_none, begin),
        cmocka_unit_test_setup(the_first_sites_are_there_whatever_is_left, begin),
        cmocka_unit_test_setup(a_start_without_memory_fails, begin),
        cmocka_unit_test(tallies_add_up_and_of_peaks_the_higher_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
