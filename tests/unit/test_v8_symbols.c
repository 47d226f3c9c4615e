/* Which V8 is touched at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "v8/symbols.h"

static void versions_whose_layouts_were_checked_are_known(void **state)
{
    (void)state;
    assert_true(ls_v8_version_known("10.2.154.26-node.39"));
    assert_true(ls_v8_version_known("11.3.244.8-node.38"));
    assert_true(ls_v8_version_known("12.4.254.21-node.57"));
    assert_true(ls_v8_version_known("13.6.233.17-node.53"));
}

static void older_newer_and_odd_versions_are_left_alone(void **state)
{
    (void)state;
    assert_false(ls_v8_version_known("9.4.146.26-node.28"));
    assert_false(ls_v8_version_known("14.1.146.11"));
    assert_false(ls_v8_version_known("130.1"));
    assert_false(ls_v8_version_known("12"));
    assert_false(ls_v8_version_known(".12.4"));
    assert_false(ls_v8_version_known("99999999999999999912.4"));
    assert_false(ls_v8_version_known(""));
    assert_false(ls_v8_version_known(NULL));
}

static void a_process_without_v8_says_absent(void **state)
{
    struct ls_v8_symbols symbols;
    const char *reason = NULL;

    (void)state;
    assert_int_equal(ls_v8_symbols_find(&symbols, &reason), LS_V8_LOOKUP_ABSENT);
    assert_null(reason);
}

static size_t offered_capacity;

static int write_too_much(const void *string, void *isolate, char *buffer, int length,
                          int *characters, int options)
{
    (void)string;
    (void)isolate;
    (void)buffer;
    (void)characters;
    (void)options;
    offered_capacity = (size_t)length;
    return length + 1;
}

static void a_string_longer_than_its_buffer_claims_is_not_believed(void **state)
{
    struct ls_v8_symbols symbols = {.write_utf8 = write_too_much};
    char buffer[16];

    (void)state;
    assert_int_equal(ls_v8_string_write(&symbols, &symbols, NULL, buffer, sizeof(buffer)), 0);
    assert_int_equal(offered_capacity, sizeof(buffer));
    assert_int_equal(ls_v8_string_write(&symbols, NULL, NULL, buffer, sizeof(buffer)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_whose_layouts_were_checked_are_known),
        cmocka_unit_test(older_newer_and_odd_versions_are_left_alone),
        cmocka_unit_test(a_process_without_v8_says_absent),
        cmocka_unit_test(a_string_longer_than_its_buffer_claims_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
