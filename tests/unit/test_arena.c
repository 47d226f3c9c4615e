#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "system/arena.h"
#include "system/memory.h"

#define SIZE ((size_t)2 << 20)

static struct ls_arena arena;
static size_t before;

static int begin(void **state)
{
    (void)state;
    ls_memory_own_set_cap(SIZE_MAX);
    ls_memory_own_discharge(arena.charged);
    before = ls_memory_own_bytes();
    return ls_arena_init(&arena, SIZE, 0);
}

static void pieces_are_zero_aligned_and_apart(void **state)
{
    unsigned char *last = NULL;

    (void)state;
    for (size_t size = 1; size < 2000; size += 37) {
        unsigned char *piece = ls_arena_take(&arena, size);

        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(piece[i], 0);
        memset(piece, 0xee, size);
        assert_true(last == NULL || piece >= last);
        last = piece + size;
    }
}

static void what_was_taken_is_zero_again_after_a_reset(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        unsigned char *piece = ls_arena_take(&arena, SIZE / 2);

        assert_non_null(piece);
        for (size_t i = 0; i < SIZE / 2; i++)
            assert_int_equal(piece[i], 0);
        memset(piece, 0xee, SIZE / 2);
        ls_arena_reset(&arena);
    }
}

static void an_exhausted_arena_says_so_and_works_after_a_reset(void **state)
{
    (void)state;
    assert_non_null(ls_arena_take(&arena, SIZE));
    assert_null(ls_arena_take(&arena, 1));
    assert_string_equal(ls_arena_copy(&arena, "text", 4), "");
    ls_arena_reset(&arena);
    assert_null(ls_arena_take(&arena, SIZE + 1));
    assert_string_equal(ls_arena_copy(&arena, "text", 4), "text");
    assert_string_equal(ls_arena_copy(&arena, "text", 2), "te");
    assert_string_equal(ls_arena_copy(&arena, "", 0), "");
}

static void only_what_is_touched_is_charged_and_a_reset_gives_it_back(void **state)
{
    (void)state;
    assert_int_equal(ls_memory_own_bytes(), before);
    ls_arena_take(&arena, 10);
    assert_true(ls_memory_own_bytes() - before <= (size_t)64 << 10);
    ls_arena_take(&arena, SIZE / 2);
    assert_true(ls_memory_own_bytes() - before >= SIZE / 2);
    ls_arena_reset(&arena);
    assert_int_equal(ls_memory_own_bytes(), before);
}

static void what_is_kept_is_there_whatever_the_cap_leaves(void **state)
{
    const size_t kept = (size_t)192 << 10;
    struct ls_arena own;

    (void)state;
    assert_int_equal(ls_arena_init(&own, SIZE, kept), 0);
    assert_int_equal(ls_memory_own_bytes(), before + kept);
    ls_memory_own_set_cap(before);
    for (int round = 0; round < 3; round++) {
        assert_non_null(ls_arena_take(&own, kept));
        assert_null(ls_arena_take(&own, 1));
        ls_arena_reset(&own);
    }
    assert_int_not_equal(ls_arena_init(&own, SIZE, kept), 0);
    assert_int_equal(ls_memory_own_bytes(), before + kept);
    ls_memory_own_discharge(kept);
}

static void what_was_prepared_can_be_taken(void **state)
{
    (void)state;
    assert_true(ls_arena_prepare(&arena, SIZE / 2));
    ls_memory_own_set_cap(before);
    assert_false(ls_arena_prepare(&arena, SIZE));
    assert_non_null(ls_arena_take(&arena, SIZE / 2));
    assert_null(ls_arena_take(&arena, (size_t)128 << 10));
    ls_memory_own_set_cap(SIZE_MAX);
    assert_false(ls_arena_prepare(&arena, SIZE));
    assert_true(ls_arena_prepare(&arena, SIZE / 2));
}

static void the_memory_cap_holds_for_an_arena(void **state)
{
    (void)state;
    ls_memory_own_set_cap(before + SIZE / 4);
    assert_null(ls_arena_take(&arena, SIZE / 2));
    assert_non_null(ls_arena_take(&arena, 1000));
    assert_true(ls_memory_own_bytes() <= before + SIZE / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pieces_are_zero_aligned_and_apart, begin),
        cmocka_unit_test_setup(what_was_taken_is_zero_again_after_a_reset, begin),
        cmocka_unit_test_setup(an_exhausted_arena_says_so_and_works_after_a_reset, begin),
        cmocka_unit_test_setup(only_what_is_touched_is_charged_and_a_reset_gives_it_back, begin),
        cmocka_unit_test_setup(what_is_kept_is_there_whatever_the_cap_leaves, begin),
        cmocka_unit_test_setup(what_was_prepared_can_be_taken, begin),
        cmocka_unit_test_setup(the_memory_cap_holds_for_an_arena, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
