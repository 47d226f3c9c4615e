#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "ledger/modules.h"
#include "system/memory.h"

static struct ls_modules modules;

static int begin(void **state)
{
    (void)state;
    memset(&modules, 0, sizeof(modules));
    ls_memory_own_set_cap(SIZE_MAX);
    return ls_memory_start(LS_MEMORY_TRACKED_ONLY);
}

static void somewhere_in_the_program(void)
{
}

/* A function of libc that no sanitizer replaces. */
static uintptr_t address_in_libc(void)
{
    int (*function)(void) = getpagesize;

    return (uintptr_t)function;
}

static void the_program_and_libc_are_known_by_their_code(void **state)
{
    const struct ls_module *program;
    const struct ls_module *libc;

    (void)state;
    assert_int_equal(ls_modules_refresh(&modules, 100), 0);
    program = ls_modules_find(&modules, (uintptr_t)somewhere_in_the_program, 500);
    libc = ls_modules_find(&modules, address_in_libc(), 500);
    assert_non_null(program);
    assert_true(program->is_main);
    assert_true(program->is_own); /* the test is linked with the ledger */
    assert_false(program->is_runtime);
    assert_int_equal(program->path[0], '/');
    assert_non_null(strstr(program->path, "test_modules"));
    assert_int_equal(program->loaded_ns, 0);
    assert_non_null(libc);
    assert_false(libc->is_main);
    assert_true(libc->is_runtime);
    assert_false(libc->is_own);
}

static void code_without_a_file_has_no_module(void **state)
{
    int on_the_stack = 0;

    (void)state;
    assert_int_equal(ls_modules_refresh(&modules, 100), 0);
    assert_null(ls_modules_find(&modules, (uintptr_t)&on_the_stack, 500));
    assert_null(ls_modules_find(&modules, 0, 500));
    assert_null(ls_modules_find(&modules, UINTPTR_MAX, 500));
}

static void a_refresh_without_news_adds_nothing(void **state)
{
    uint32_t count;
    size_t bytes;

    (void)state;
    assert_int_equal(ls_modules_refresh(&modules, 100), 0);
    count = ls_load_relaxed(&modules.count);
    bytes = ls_memory_own_bytes();
    assert_true(count >= 3);
    assert_int_equal(ls_modules_refresh(&modules, 200), 0);
    assert_int_equal(ls_load_relaxed(&modules.count), count);
    assert_int_equal(ls_memory_own_bytes(), bytes);
}

static void build_ids_are_lower_case_hexadecimal(void **state)
{
    bool any = false;

    (void)state;
    assert_int_equal(ls_modules_refresh(&modules, 100), 0);
    for (uint32_t i = 0; i < ls_load_relaxed(&modules.count); i++) {
        const char *id = modules.entries[i]->build_id;

        any = any || strlen(id) == LS_BUILD_ID_CHARS - 1;
        assert_int_equal(strspn(id, "0123456789abcdef"), strlen(id));
    }
    assert_true(any);
}

static void a_counter_is_given_to_the_module_of_its_time(void **state)
{
    struct ls_module *first;
    struct ls_module second;
    uintptr_t pc = (uintptr_t)somewhere_in_the_program;

    (void)state;
    assert_int_equal(ls_modules_refresh(&modules, 100), 0);
    first = (struct ls_module *)ls_modules_find(&modules, pc, 500);
    /* The first goes at 1000 and another is loaded at its place at 2000. */
    ls_store_relaxed(&first->unloaded_ns, 1000);
    memcpy(&second, first, sizeof(second));
    second.loaded_ns = 2000;
    ls_store_relaxed(&first->overlapped, true);
    ls_store_relaxed(&second.overlapped, true);
    ls_store_relaxed(&second.unloaded_ns, UINT64_MAX);
    modules.entries[ls_load_relaxed(&modules.count)] = &second;
    ls_add_relaxed(&modules.count, 1);
    assert_ptr_equal(ls_modules_find(&modules, pc, 999), first);
    assert_ptr_equal(ls_modules_find(&modules, pc, 2000), &second);
    /* Between two refreshes: better the newest than none. */
    assert_ptr_equal(ls_modules_find(&modules, pc, 1500), &second);
}

/* What takes the place of an unloaded library is told from it by time; that both had the address is
 * noticed by itself. */
static void a_library_loaded_anew_at_the_same_place_is_a_new_module(void **state)
{
    const char *const name = "libBrokenLocale.so.1"; /* nobody else's */
    uintptr_t pc[2];
    const struct ls_module *former = NULL;

    (void)state;
    assert_int_equal(ls_modules_refresh(&modules, 100), 0);
    for (uint64_t round = 0; round < 2; round++) {
        void *library = dlopen(name, RTLD_NOW);

        assert_non_null(library);
        pc[round] = (uintptr_t)dlsym(library, "__ctype_get_mb_cur_max");
        assert_int_equal(ls_modules_refresh(&modules, 1000 + round * 1000), 0);
        assert_non_null(ls_modules_find(&modules, pc[round], 1500 + round * 1000));
        if (round == 0)
            former = ls_modules_find(&modules, pc[0], 1500);
        dlclose(library);
        assert_int_equal(ls_modules_refresh(&modules, 1700 + round * 1000), 0);
    }
    if (pc[0] != pc[1])
        skip();
    assert_ptr_equal(ls_modules_find(&modules, pc[0], 1500), former);
    assert_ptr_not_equal(ls_modules_find(&modules, pc[1], 2500), former);
    assert_ptr_equal(ls_modules_find(&modules, pc[0], 1600), former);
}

static void a_path_relative_to_the_working_directory_is_made_absolute(void **state)
{
    const char *const paths[] = {"./libBrokenLocale.so.1",
                                 "../x86_64-linux-gnu/libBrokenLocale.so.1"};
    char before[PATH_MAX];
    char directory[PATH_MAX];
    char working[PATH_MAX];

    (void)state;
    assert_non_null(getcwd(before, sizeof(before)));
    for (size_t i = 0; i < 2; i++) {
        void *library = dlopen("libBrokenLocale.so.1", RTLD_NOW);
        const struct ls_module *module;
        char expected[2 * PATH_MAX];

        assert_non_null(library);
        assert_int_equal(dlinfo(library, RTLD_DI_ORIGIN, directory), 0);
        dlclose(library);
        assert_int_equal(chdir(directory), 0);
        assert_non_null(getcwd(working, sizeof(working)));
        library = dlopen(paths[i], RTLD_NOW);
        if (library == NULL) /* the second path is x86-64's */
            continue;
        assert_int_equal(ls_modules_refresh(&modules, 1000 * i + 100), 0);
        module = ls_modules_find(&modules, (uintptr_t)dlsym(library, "__ctype_get_mb_cur_max"),
                                 1000 * i + 200);
        assert_non_null(module);
        snprintf(expected, sizeof(expected), "%s/%s", working, i == 0 ? paths[i] + 2 : paths[i]);
        assert_string_equal(module->path, expected);
        dlclose(library);
        assert_int_equal(ls_modules_refresh(&modules, 1000 * i + 300), 0);
    }
    assert_int_equal(chdir(before), 0);
}

static void a_module_there_was_no_memory_for_is_found_later(void **state)
{
    (void)state;
    /* Enough for the scan itself, which holds a path and a flag for every module, and little more.
     */
    ls_memory_own_set_cap(ls_memory_own_bytes() + PATH_MAX + LS_MODULES_MAX + 256);
    assert_int_not_equal(ls_modules_refresh(&modules, 100), 0);
    ls_memory_own_set_cap(SIZE_MAX);
    assert_int_equal(ls_modules_refresh(&modules, 200), 0);
    assert_non_null(ls_modules_find(&modules, (uintptr_t)somewhere_in_the_program, 500));
    assert_non_null(ls_modules_find(&modules, address_in_libc(), 500));
}

static void who_comes_second_is_turned_away(void **state)
{
    (void)state;
    ls_store_relaxed(&modules.updating, 1);
    assert_int_equal(ls_modules_refresh(&modules, 100), -EAGAIN);
    ls_store_relaxed(&modules.updating, 0);
    assert_int_equal(ls_modules_refresh(&modules, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_program_and_libc_are_known_by_their_code, begin),
        cmocka_unit_test_setup(code_without_a_file_has_no_module, begin),
        cmocka_unit_test_setup(a_refresh_without_news_adds_nothing, begin),
        cmocka_unit_test_setup(build_ids_are_lower_case_hexadecimal, begin),
        cmocka_unit_test_setup(a_counter_is_given_to_the_module_of_its_time, begin),
        cmocka_unit_test_setup(a_library_loaded_anew_at_the_same_place_is_a_new_module, begin),
        cmocka_unit_test_setup(a_path_relative_to_the_working_directory_is_made_absolute, begin),
        cmocka_unit_test_setup(a_module_there_was_no_memory_for_is_found_later, begin),
        cmocka_unit_test_setup(who_comes_second_is_turned_away, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
