/* The map of addresses against a plain array with an entry for each page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/address_map.h"
#include "system/memory.h"

#define PAGE  4096u
#define PAGES 3000u

/* What one page is: the owner plus one, 0 unmapped; and whether reserved. */
struct page {
    uint32_t owner;
    uint32_t mapping; /* serial number */
    bool reserved;
};

struct sums {
    uint64_t committed;
    uint64_t reserved;
    uint64_t ended; /* mappings of which nothing is left */
};

static struct page pages[PAGES];

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uintptr_t at(size_t page)
{
    return (page + 1) * PAGE;
}

static void ignore(void *context, const struct ls_address_range *piece,
                   const struct ls_address_mapping *mapping)
{
    (void)context, (void)piece, (void)mapping;
}

static void take_off(void *context, const struct ls_address_range *piece,
                     const struct ls_address_mapping *mapping)
{
    struct sums *sums = context;

    *(piece->reserved ? &sums->reserved : &sums->committed) -= piece->end - piece->start;
    sums->ended += mapping->pieces == 0;
}

static void change_side(void *context, const struct ls_address_range *piece,
                        const struct ls_address_mapping *mapping)
{
    struct sums *sums = context;
    uint64_t length = piece->end - piece->start;

    (void)mapping;
    sums->committed += piece->reserved ? length : -length;
    sums->reserved += piece->reserved ? -length : length;
}

static struct ls_address_map new_map(size_t ranges_max)
{
    struct ls_address_map map;

    assert_int_equal(ls_address_map_init(&map, ranges_max), 0);
    return map;
}

static bool insert(struct ls_address_map *map, size_t first, size_t count, uint32_t owner,
                   bool reserved)
{
    struct ls_address_range range = {at(first), at(first + count), 0, reserved};

    return ls_address_map_insert(map, &range, owner, 0);
}

/* Every page of the model is in the map with its owner, and nothing else is. */
static void assert_same(const struct ls_address_map *map, const struct sums *sums)
{
    uint64_t committed = 0;
    uint64_t reserved = 0;
    const struct ls_address_range *last = NULL;

    for (size_t i = 0; i < PAGES; i++) {
        const struct ls_address_range *range = ls_address_map_at_or_after(map, at(i));
        bool held = range != NULL && range->start <= at(i);

        assert_int_equal(held, pages[i].owner != 0);
        if (!held)
            continue;
        assert_int_equal(ls_address_map_mapping(map, range)->owner + 1, pages[i].owner);
        assert_int_equal(range->reserved, pages[i].reserved);
        *(range->reserved ? &reserved : &committed) += PAGE;
        if (last != NULL && last != range && last->end == range->start)
            assert_true(last->mapping != range->mapping || last->reserved != range->reserved);
        last = range;
    }
    assert_int_equal(committed, sums->committed);
    assert_int_equal(reserved, sums->reserved);
}

static bool is_last_page_of(uint32_t mapping)
{
    for (size_t i = 0; i < PAGES; i++) {
        if (pages[i].owner != 0 && pages[i].mapping == mapping)
            return false;
    }
    return true;
}

static uint64_t unmap_model(size_t first, size_t count)
{
    uint64_t ended = 0;

    for (size_t i = first; i < first + count; i++) {
        struct page old = pages[i];

        pages[i] = (struct page){0};
        ended += old.owner != 0 && is_last_page_of(old.mapping);
    }
    return ended;
}

static void random_operations_agree_with_an_array_of_pages(void **state)
{
    struct ls_address_map map = new_map(65536);
    struct sums sums = {0};
    uint64_t random = 88172645463325252u;
    uint64_t ended = 0;
    uint32_t serial = 0;

    (void)state;
    for (int step = 0; step < 60000; step++) {
        size_t first = next_random(&random) % PAGES;
        size_t most = next_random(&random) % 8 == 0 ? 400 : 6;
        size_t count = 1 + next_random(&random) % most;
        bool reserved = next_random(&random) % 3 == 0;

        if (first + count > PAGES)
            count = PAGES - first;
        switch (next_random(&random) % 4) {
        case 0:
        case 1: /* MAP_FIXED over whatever is there */
            assert_true(ls_address_map_remove(&map, at(first), at(first + count), take_off, &sums));
            ended += unmap_model(first, count);
            serial++;
            assert_true(insert(&map, first, count, serial % 50, reserved));
            *(reserved ? &sums.reserved : &sums.committed) += count * PAGE;
            for (size_t i = first; i < first + count; i++)
                pages[i] = (struct page){serial % 50 + 1, serial, reserved};
            break;
        case 2:
            assert_true(ls_address_map_remove(&map, at(first), at(first + count), take_off, &sums));
            ended += unmap_model(first, count);
            break;
        default:
            assert_true(ls_address_map_protect(&map, at(first), at(first + count), reserved,
                                               change_side, &sums));
            for (size_t i = first; i < first + count; i++)
                pages[i].reserved = pages[i].owner != 0 && reserved;
        }
        assert_int_equal(sums.ended, ended);
        if (step % 500 == 0)
            assert_same(&map, &sums);
    }
    assert_same(&map, &sums);
    assert_true(ls_address_map_remove(&map, 0, UINTPTR_MAX, take_off, &sums));
    assert_int_equal(map.range_count, 0);
    assert_int_equal(map.order_count, 0);
    assert_int_equal(sums.committed + sums.reserved, 0);
    assert_int_equal(sums.ended, serial);
}

static void a_hole_leaves_two_pieces_of_one_mapping(void **state)
{
    struct ls_address_map map = new_map(1024);
    struct sums sums = {0};

    (void)state;
    assert_true(insert(&map, 0, 10, 7, false));
    sums.committed = 10 * PAGE;
    assert_true(ls_address_map_remove(&map, at(3), at(5), take_off, &sums));
    assert_int_equal(map.range_count, 2);
    assert_int_equal(sums.committed, 8 * PAGE);
    assert_int_equal(sums.ended, 0);
    assert_true(ls_address_map_remove(&map, at(0), at(3), take_off, &sums));
    assert_int_equal(sums.ended, 0);
    assert_true(ls_address_map_remove(&map, at(0), at(20), take_off, &sums));
    assert_int_equal(sums.ended, 1);
    assert_int_equal(sums.committed, 0);
}

static void protecting_there_and_back_leaves_one_piece(void **state)
{
    struct ls_address_map map = new_map(1024);
    struct sums sums = {0};

    (void)state;
    assert_true(insert(&map, 0, 10, 7, true));
    sums.reserved = 10 * PAGE;
    assert_true(ls_address_map_protect(&map, at(2), at(4), false, change_side, &sums));
    assert_int_equal(map.range_count, 3);
    assert_int_equal(sums.committed, 2 * PAGE);
    assert_true(ls_address_map_protect(&map, at(0), at(10), true, change_side, &sums));
    assert_int_equal(map.range_count, 1);
    assert_int_equal(sums.reserved, 10 * PAGE);
    assert_int_equal(map.mappings[0].pieces, 1);
}

static void a_full_map_refuses_and_stays_whole(void **state)
{
    struct ls_address_map map = new_map(LS_ADDRESS_CHUNK_RANGES);
    struct sums sums = {0};
    size_t held = 0;

    (void)state;
    while (insert(&map, 4 * held, 3, 1, false))
        held++;
    assert_int_equal(held, LS_ADDRESS_CHUNK_RANGES);
    sums.committed = held * 3 * PAGE;
    /* Holes need room for one more piece each, and there is some for half of them. */
    for (size_t i = 0; i < held; i++) {
        uint64_t before = sums.committed;
        bool whole = ls_address_map_remove(&map, at(4 * i + 1), at(4 * i + 2), take_off, &sums);

        assert_int_equal(before - sums.committed, whole ? PAGE : 2 * PAGE);
    }
    assert_true(ls_address_map_remove(&map, 0, UINTPTR_MAX, take_off, &sums));
    assert_int_equal(sums.committed, 0);
    assert_int_equal(sums.ended, held);
    assert_true(insert(&map, 0, 1, 1, false));
}

static void nothing_is_there_without_memory(void **state)
{
    struct ls_address_map map = new_map(1024);

    (void)state;
    ls_memory_own_set_cap(0);
    assert_false(insert(&map, 0, 1, 1, false));
    ls_memory_own_set_cap(SIZE_MAX);
    assert_true(insert(&map, 0, 1, 1, false));
    assert_true(ls_address_map_remove(&map, at(5), at(6), ignore, NULL));
    assert_null(ls_address_map_at_or_after(&map, at(1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_agree_with_an_array_of_pages),
        cmocka_unit_test(a_hole_leaves_two_pieces_of_one_mapping),
        cmocka_unit_test(protecting_there_and_back_leaves_one_piece),
        cmocka_unit_test(a_full_map_refuses_and_stays_whole),
        cmocka_unit_test(nothing_is_there_without_memory),
    };

    ls_memory_start(LS_MEMORY_TRACKED_ONLY);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
