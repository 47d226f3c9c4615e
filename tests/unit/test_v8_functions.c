/* Interned JavaScript functions: identity, what counts as user code, and the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "system/memory.h"
#include "v8/functions.h"

static bool memory_exhausted;
static size_t charged;

/* All that may be used: the library's jemalloc must not be asked inside a signal handler. */
void *ls_memory_own_map(size_t size, size_t charge)
{
    charged += charge;
    return calloc(1, size);
}

void ls_memory_own_unmap(void *pages, size_t size, size_t charge)
{
    (void)size;
    charged -= charge;
    free(pages);
}

bool ls_memory_own_charge(size_t size)
{
    charged += memory_exhausted ? 0 : size;
    return !memory_exhausted;
}

void ls_memory_own_discharge(size_t size)
{
    charged -= size;
}

static struct ls_v8_text text(const char *string)
{
    return (struct ls_v8_text){string, strlen(string)};
}

static const struct ls_js_function *intern(const char *name, const char *script, uint32_t line)
{
    return ls_v8_function_intern(text(name), text(script), line, 3);
}

static bool is_user(const char *script)
{
    return ls_v8_script_is_user(script, strlen(script));
}

static void the_same_function_is_interned_once(void **state)
{
    (void)state;
    assert_ptr_equal(intern("getData", "/srv/cache.js", 12),
                     intern("getData", "/srv/cache.js", 12));
}

static void functions_differ_by_name_script_and_line(void **state)
{
    const struct ls_js_function *function = intern("getData", "/srv/cache.js", 12);

    (void)state;
    assert_ptr_not_equal(function, intern("setData", "/srv/cache.js", 12));
    assert_ptr_not_equal(function, intern("getData", "/srv/other.js", 12));
    assert_ptr_not_equal(function, intern("getData", "/srv/cache.js", 13));
}

static void a_key_depends_on_what_the_function_is_and_on_nothing_else(void **state)
{
    uint64_t key = intern("stable", "/srv/stable.js", 7)->key;

    (void)state;
    /* Site ids of two runs are compared: the value itself is part of the contract. */
    assert_int_equal(key, intern("stable", "/srv/stable.js", 7)->key);
    assert_int_not_equal(key, intern("stable", "/srv/stable.js", 8)->key);
}

static void an_empty_name_reads_as_anonymous(void **state)
{
    const struct ls_js_function *function = intern("", "/srv/cache.js", 40);

    (void)state;
    assert_string_equal(function->name, "(anonymous)");
    assert_true(function->user_code);
}

static void file_urls_of_modules_become_paths(void **state)
{
    const struct ls_js_function *function = intern("load", "file:///srv/app.mjs", 2);

    (void)state;
    assert_string_equal(function->script, "/srv/app.mjs");
    assert_ptr_equal(function, intern("load", "/srv/app.mjs", 2));
}

static void a_zero_byte_inside_a_name_ends_it(void **state)
{
    const struct ls_js_function *function =
        ls_v8_function_intern((struct ls_v8_text){"odd\0name", 8}, text("/srv/odd.js"), 1, 1);

    (void)state;
    assert_string_equal(function->name, "odd");
}

static void paths_urls_and_evaluated_input_are_user_code(void **state)
{
    (void)state;
    assert_true(is_user("/srv/cache.js"));
    assert_true(is_user("file:///srv/app.mjs"));
    assert_true(is_user("[eval]"));
    assert_true(is_user("[stdin]"));
    assert_true(is_user("evalmachine.<anonymous>"));
    assert_true(is_user("/srv/my_node_modules.js"));
    assert_true(is_user("/srv/nodes/node.js"));
}

static void node_internals_dependencies_and_builtins_are_not_user_code(void **state)
{
    (void)state;
    assert_false(is_user(""));
    assert_false(is_user("node:events"));
    assert_false(is_user("node:internal/modules/cjs/loader"));
    assert_false(is_user("/srv/node_modules/express/lib/router.js"));
    assert_false(is_user("file:///srv/node_modules/pg/lib/client.js"));
    assert_false(is_user("node_modules/pg/lib/client.js"));
    assert_false(is_user("native array.js"));
    assert_false(is_user("electron/js2c/browser_init"));
}

static void a_new_function_without_memory_is_the_overflow_function(void **state)
{
    const struct ls_js_function *known = intern("known", "/srv/known.js", 1);

    (void)state;
    memory_exhausted = true;
    assert_ptr_equal(intern("unknown", "/srv/known.js", 2), ls_v8_function_overflow());
    assert_ptr_equal(intern("known", "/srv/known.js", 1), known);
    memory_exhausted = false;
    assert_ptr_not_equal(intern("unknown", "/srv/known.js", 2), ls_v8_function_overflow());
}

static void memory_is_charged_for_functions_that_are_new(void **state)
{
    size_t before = charged;

    (void)state;
    intern("charged", "/srv/charged.js", 1);
    assert_in_range(charged - before, sizeof(struct ls_js_function), 128);
    before = charged;
    intern("charged", "/srv/charged.js", 1);
    assert_int_equal(charged, before);
}

static void more_than_the_texts_may_take_is_the_overflow_function(void **state)
{
    static char huge[LS_V8_FUNCTIONS_BYTES_MAX];
    size_t before = charged;

    (void)state;
    memset(huge, 'x', sizeof(huge));
    assert_ptr_equal(ls_v8_function_intern((struct ls_v8_text){huge, sizeof(huge)}, text(""), 1, 1),
                     ls_v8_function_overflow());
    assert_int_equal(charged, before);
}

/* Last: it fills the table. */
static void a_full_table_keeps_what_it_has_and_names_the_rest_as_overflow(void **state)
{
    const struct ls_js_function *first = intern("f0", "/srv/generated.js", 1);
    const struct ls_js_function *function = first;
    char name[32];

    (void)state;
    for (unsigned i = 0; i <= LS_V8_FUNCTIONS_MAX; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        function = intern(name, "/srv/generated.js", 1);
    }
    assert_ptr_equal(function, ls_v8_function_overflow());
    assert_false(function->user_code);
    assert_int_equal(ls_v8_function_count(), LS_V8_FUNCTIONS_MAX);
    assert_ptr_equal(intern("f0", "/srv/generated.js", 1), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_function_is_interned_once),
        cmocka_unit_test(functions_differ_by_name_script_and_line),
        cmocka_unit_test(a_key_depends_on_what_the_function_is_and_on_nothing_else),
        cmocka_unit_test(an_empty_name_reads_as_anonymous),
        cmocka_unit_test(file_urls_of_modules_become_paths),
        cmocka_unit_test(a_zero_byte_inside_a_name_ends_it),
        cmocka_unit_test(paths_urls_and_evaluated_input_are_user_code),
        cmocka_unit_test(node_internals_dependencies_and_builtins_are_not_user_code),
        cmocka_unit_test(a_new_function_without_memory_is_the_overflow_function),
        cmocka_unit_test(memory_is_charged_for_functions_that_are_new),
        cmocka_unit_test(more_than_the_texts_may_take_is_the_overflow_function),
        cmocka_unit_test(a_full_table_keeps_what_it_has_and_names_the_rest_as_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
