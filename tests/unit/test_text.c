/* Text in a buffer of the caller's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static struct ls_text text;
static char buffer[64];

static int begin(void **state)
{
    (void)state;
    memset(buffer, 'x', sizeof(buffer));
    ls_text_init(&text, buffer, sizeof(buffer));
    return 0;
}

static const char *fixed(double value, unsigned decimals)
{
    ls_text_clear(&text);
    ls_text_fixed(&text, value, decimals);
    return buffer;
}

static void a_new_text_is_empty_and_terminated(void **state)
{
    (void)state;
    assert_string_equal(buffer, "");
    assert_int_equal(text.length, 0);
    assert_false(text.truncated);
}

static void parts_follow_each_other(void **state)
{
    (void)state;
    ls_text_string(&text, "a");
    ls_text_char(&text, 'b');
    ls_text_bytes(&text, "cde", 2);
    ls_text_string(&text, "");
    ls_text_unsigned(&text, 7);
    assert_string_equal(buffer, "abcd7");
    assert_int_equal(text.length, 5);
}

static void what_does_not_fit_is_cut_and_said(void **state)
{
    char small[6];
    char beyond = '#';

    (void)state;
    small[5] = beyond;
    ls_text_init(&text, small, 5);
    ls_text_string(&text, "abcdef");
    assert_string_equal(small, "abcd");
    assert_true(text.truncated);
    ls_text_char(&text, 'x');
    ls_text_unsigned(&text, UINT64_MAX);
    ls_text_fixed(&text, 3.5, 2);
    assert_string_equal(small, "abcd");
    assert_int_equal(small[5], beyond);
    ls_text_clear(&text);
    assert_false(text.truncated);
    ls_text_string(&text, "abcd");
    assert_false(text.truncated);
}

static void a_buffer_of_one_byte_holds_the_terminator(void **state)
{
    char one[1] = {'x'};

    (void)state;
    ls_text_init(&text, one, 1);
    assert_int_equal(one[0], '\0');
    ls_text_string(&text, "");
    assert_false(text.truncated);
    ls_text_pad_to(&text, 10);
    assert_true(text.truncated);
    assert_int_equal(text.length, 0);
}

static void whole_numbers_are_written_to_their_limits(void **state)
{
    (void)state;
    ls_text_unsigned(&text, 0);
    ls_text_char(&text, ' ');
    ls_text_unsigned(&text, UINT64_MAX);
    assert_string_equal(buffer, "0 18446744073709551615");
    ls_text_clear(&text);
    ls_text_signed(&text, INT64_MIN);
    ls_text_char(&text, ' ');
    ls_text_signed(&text, INT64_MAX);
    ls_text_char(&text, ' ');
    ls_text_signed(&text, -1);
    assert_string_equal(buffer, "-9223372036854775808 9223372036854775807 -1");
}

static void hexadecimal_is_padded_with_zeros(void **state)
{
    (void)state;
    ls_text_hex(&text, 0, 1);
    ls_text_char(&text, ' ');
    ls_text_hex(&text, 0xabc, 2);
    ls_text_char(&text, ' ');
    ls_text_hex(&text, 0xabc, 8);
    ls_text_char(&text, ' ');
    ls_text_hex(&text, UINT64_MAX, 1);
    assert_string_equal(buffer, "0 abc 00000abc ffffffffffffffff");
}

static void fixed_point_rounds_half_away_from_zero(void **state)
{
    (void)state;
    assert_string_equal(fixed(0.5, 0), "1");
    assert_string_equal(fixed(-0.5, 0), "-1");
    assert_string_equal(fixed(2.5, 0), "3");
    assert_string_equal(fixed(0.125, 2), "0.13");
    assert_string_equal(fixed(-0.125, 2), "-0.13");
    assert_string_equal(fixed(1.75, 1), "1.8");
}

static void rounding_carries_into_the_whole_part(void **state)
{
    (void)state;
    assert_string_equal(fixed(0.999, 2), "1.00");
    assert_string_equal(fixed(9.96, 1), "10.0");
    assert_string_equal(fixed(-99.9999, 3), "-100.000");
}

static void zeros_behind_the_point_are_kept(void **state)
{
    (void)state;
    assert_string_equal(fixed(3, 3), "3.000");
    assert_string_equal(fixed(1.000000001, 9), "1.000000001");
    assert_string_equal(fixed(0.05, 2), "0.05");
    assert_string_equal(fixed(1, 40), "1.000000000");
}

static void zero_has_no_sign(void **state)
{
    (void)state;
    assert_string_equal(fixed(-0.0, 2), "0.00");
    assert_string_equal(fixed(-0.001, 2), "0.00");
}

static void what_is_no_number_is_written_as_zero(void **state)
{
    (void)state;
    assert_string_equal(fixed((double)NAN, 2), "0.00");
    assert_string_equal(fixed((double)INFINITY, 1), "0.0");
    assert_string_equal(fixed(-(double)INFINITY, 0), "0");
}

static void numbers_out_of_range_are_written_as_the_largest(void **state)
{
    (void)state;
    assert_string_equal(fixed(1e300, 0), "9200000000000000000");
    assert_string_equal(fixed(-1e300, 1), "-9200000000000000000.0");
    assert_string_equal(fixed(1e15 + 0.5, 1), "1000000000000000.5");
}

static void padding_counts_from_the_start_of_the_line(void **state)
{
    (void)state;
    ls_text_string(&text, "long line\nab");
    ls_text_pad_to(&text, 4);
    ls_text_char(&text, '|');
    assert_string_equal(buffer, "long line\nab  |");
    ls_text_pad_to(&text, 3);
    assert_string_equal(buffer, "long line\nab  |");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_text_is_empty_and_terminated, begin),
        cmocka_unit_test_setup(parts_follow_each_other, begin),
        cmocka_unit_test_setup(what_does_not_fit_is_cut_and_said, begin),
        cmocka_unit_test_setup(a_buffer_of_one_byte_holds_the_terminator, begin),
        cmocka_unit_test_setup(whole_numbers_are_written_to_their_limits, begin),
        cmocka_unit_test_setup(hexadecimal_is_padded_with_zeros, begin),
        cmocka_unit_test_setup(fixed_point_rounds_half_away_from_zero, begin),
        cmocka_unit_test_setup(rounding_carries_into_the_whole_part, begin),
        cmocka_unit_test_setup(zeros_behind_the_point_are_kept, begin),
        cmocka_unit_test_setup(zero_has_no_sign, begin),
        cmocka_unit_test_setup(what_is_no_number_is_written_as_zero, begin),
        cmocka_unit_test_setup(numbers_out_of_range_are_written_as_the_largest, begin),
        cmocka_unit_test_setup(padding_counts_from_the_start_of_the_line, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
