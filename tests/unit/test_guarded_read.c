#include "system/guarded_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define PAGE 4096

static char *two_pages_and_a_hole(void)
{
    char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(munmap(pages + 2 * PAGE, PAGE), 0);
    return pages;
}

static void what_is_there_is_read_and_what_is_not_is_told(void **state)
{
    char *pages = two_pages_and_a_hole();
    char into[4][8] = {{0}};
    struct ls_guarded_read reads[] = {
        {.address = (uintptr_t)pages, .into = into[0], .size = 8},
        {.address = (uintptr_t)pages + 2 * PAGE, .into = into[1], .size = 8},
        {.address = (uintptr_t)pages + 2 * PAGE - 4, .into = into[2], .size = 8},
        {.address = (uintptr_t)pages + PAGE, .into = into[3], .size = 8},
    };

    (void)state;
    memcpy(pages, "abcdefgh", 8);
    memcpy(pages + PAGE, "ijklmnop", 8);
    assert_int_equal(ls_guarded_read(reads, 4), 0);
    assert_true(reads[0].done);
    assert_false(reads[1].done);
    assert_false(reads[2].done);
    assert_true(reads[3].done);
    assert_memory_equal(into[0], "abcdefgh", 8);
    assert_memory_equal(into[3], "ijklmnop", 8);
    munmap(pages, 2 * PAGE);
}

static void addresses_of_all_kinds_do_no_harm(void **state)
{
    static const uintptr_t addresses[] = {
        0, 1, 8, 0x7ffffffff000, 0x800000000000, 0xffff800000000000, UINTPTR_MAX, UINTPTR_MAX - 7,
    };
    char into[8];

    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct ls_guarded_read read = {.address = addresses[i], .into = into, .size = sizeof(into)};

        assert_int_equal(ls_guarded_read(&read, 1), 0);
        assert_false(read.done);
    }
}

static void empty_reads_are_passed_over(void **state)
{
    char word[8] = "1234567";
    char into[8] = {0};
    struct ls_guarded_read reads[] = {
        {.size = 0},
        {.address = (uintptr_t)word, .into = into, .size = sizeof(into)},
        {.size = 0},
    };

    (void)state;
    assert_int_equal(ls_guarded_read(reads, 3), 0);
    assert_false(reads[0].done);
    assert_true(reads[1].done);
    assert_false(reads[2].done);
    assert_string_equal(into, "1234567");
    assert_int_equal(ls_guarded_read(NULL, 0), 0);
}

static void any_number_is_read_around_any_holes(void **state)
{
    char *pages = two_pages_and_a_hole();
    static struct ls_guarded_read reads[300];
    static uint32_t into[300];

    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        memcpy(pages + i * 4, &i, sizeof(i));
        reads[i] = (struct ls_guarded_read){
            .address = (uintptr_t)pages + (i % 7 == 3 ? 2 * PAGE : i * 4),
            .into = &into[i],
            .size = i % 11 == 5 ? 0 : 4,
        };
    }
    assert_int_equal(ls_guarded_read(reads, 300), 0);
    for (uint32_t i = 0; i < 300; i++) {
        bool there = i % 7 != 3 && i % 11 != 5;

        assert_int_equal(reads[i].done, there);
        assert_int_equal(into[i], there ? i : 0);
    }
    munmap(pages, 2 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_read_and_what_is_not_is_told),
        cmocka_unit_test(addresses_of_all_kinds_do_no_harm),
        cmocka_unit_test(empty_reads_are_passed_over),
        cmocka_unit_test(any_number_is_read_around_any_holes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
