#include "v8/heap_text.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "v8_image.h"

static struct v8_image image;
static struct ls_v8_layout layout;

static int set_up(void **state)
{
    (void)state;
    memset(&image, 0, sizeof(image));
    return ls_v8_layout_find(&layout, RTLD_DEFAULT) ? 0 : -1;
}

static const char *text_of(uintptr_t string)
{
    static char buffer[1024];
    size_t length = ls_v8_heap_text_write(&layout, string, buffer, sizeof(buffer) - 1);

    buffer[length] = '\0';
    return buffer;
}

static void one_byte_strings_are_latin(void **state)
{
    (void)state;
    assert_string_equal(text_of(v8_one_byte(&image, "getData")), "getData");
    assert_string_equal(text_of(v8_one_byte(&image, "gr\xf6\xdf"
                                                    "e")),
                        "gr\xc3\xb6\xc3\x9f"
                        "e");
    assert_string_equal(text_of(v8_one_byte(&image, "")), "");
}

static void two_byte_strings_have_pairs_and_halves_of_pairs(void **state)
{
    static const uint16_t units[] = {0x540d, 0xd83d, 0xde00, 0xd83d, 'x', 0xde00};

    (void)state;
    assert_string_equal(text_of(v8_two_byte(&image, units, 6)),
                        "\xe5\x90\x8d\xf0\x9f\x98\x80\xef\xbf\xbdx\xef\xbf\xbd");
    assert_string_equal(text_of(v8_two_byte(&image, units, 2)), "\xe5\x90\x8d\xef\xbf\xbd");
}

/* Text is read in pieces of 128 units: a pair lies across the edge. */
static void a_pair_across_two_pieces_stays_whole(void **state)
{
    uint16_t units[200];

    (void)state;
    for (size_t shift = 0; shift < 2; shift++) {
        char expected[1024] = {0};

        for (size_t i = 0; i < 200; i++)
            units[i] = (i + shift) % 2 == 0 ? 0xd83d : 0xde00;
        if (shift == 1)
            units[0] = 'a';
        if (shift == 1)
            units[199] = 'b';
        strcat(expected, shift == 1 ? "a" : "");
        for (size_t i = 0; i < 100 - shift; i++)
            strcat(expected, "\xf0\x9f\x98\x80");
        strcat(expected, shift == 1 ? "b" : "");
        assert_string_equal(text_of(v8_two_byte(&image, units, 200)), expected);
    }
}

static void text_is_cut_between_characters(void **state)
{
    char buffer[5];
    static const uint16_t units[] = {'a', 0x540d, 0x540d};

    (void)state;
    assert_int_equal(
        ls_v8_heap_text_write(&layout, v8_two_byte(&image, units, 3), buffer, sizeof(buffer)), 4);
    assert_int_equal(ls_v8_heap_text_write(&layout, v8_one_byte(&image, "abc"), buffer, 0), 0);
}

static void strings_that_stand_for_others_are_followed(void **state)
{
    uintptr_t get = v8_one_byte(&image, "get");
    uintptr_t data = v8_one_byte(&image, "Data");
    uintptr_t cons = v8_pair(&image, TYPE_CONS_ONE, 7, get, data);
    uintptr_t flat = v8_pair(&image, TYPE_CONS_ONE, 3, get, v8_one_byte(&image, ""));
    uintptr_t thin = v8_pair(&image, TYPE_THIN_ONE, 7, cons, 0);
    uintptr_t outside = v8_pair(&image, TYPE_EXTERNAL_ONE, 5, 0, (uintptr_t) "abcdefgh");

    (void)state;
    assert_string_equal(text_of(cons), "getData");
    assert_string_equal(text_of(flat), "get");
    assert_string_equal(text_of(outside), "abcde");
    assert_string_equal(text_of(v8_pair(&image, TYPE_THIN_ONE, 3, flat, 0)), "get");
    assert_string_equal(text_of(v8_pair(&image, TYPE_SLICED_ONE, 2, get, v8_small(1))), "");
    (void)thin;
}

static void what_is_no_string_has_no_text(void **state)
{
    uintptr_t loop = v8_pair(&image, TYPE_THIN_ONE, 1, 0, 0);
    uintptr_t broad = v8_pair(&image, TYPE_CONS_ONE, 100, 0, 0);

    (void)state;
    v8_words(loop)[2] = loop;
    v8_words(broad)[2] = v8_words(broad)[3] = broad;
    assert_string_equal(text_of(0), "");
    assert_string_equal(text_of(v8_small(42)), "");
    assert_string_equal(text_of(1), "");
    assert_string_equal(text_of(UINTPTR_MAX), "");
    assert_string_equal(text_of(v8_object(&image, TYPE_SCRIPT, 4)), "");
    assert_string_equal(text_of(loop), "");
    assert_string_equal(text_of(broad), "");
}

static struct ls_v8_place_in_text place_at(uintptr_t source, uint32_t position)
{
    static char scratch[LS_V8_SCRATCH_BYTES];
    struct ls_v8_place_in_text place = {0};

    assert_true(ls_v8_heap_text_move(&layout, source, position, &place, scratch));
    assert_int_equal(place.position, position);
    return place;
}

static void lines_end_as_javascript_says(void **state)
{
    static const uint16_t units[] = {'a', '\n', '\r', '\n', '\r', 'b', 0x2028, 0x2029, 'c', 0x0b};
    static const uint32_t lines[] = {0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 5};
    uintptr_t source = v8_two_byte(&image, units, 10);

    (void)state;
    for (uint32_t i = 0; i <= 10; i++)
        assert_int_equal(place_at(source, i).line, lines[i]);
    assert_int_equal(place_at(source, 9).line_start, 8);
    assert_int_equal(place_at(v8_one_byte(&image, "\n\nab"), 4).line_start, 2);
}

static void a_place_moves_on_from_where_it_was(void **state)
{
    static char text[3 * LS_V8_SCRATCH_BYTES];
    static char scratch[LS_V8_SCRATCH_BYTES];
    struct ls_v8_place_in_text place = {0};
    uintptr_t source;

    (void)state;
    /* CR and LF across every edge of the pieces that are read. */
    for (size_t i = 0; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\r\n", 2);
    text[0] = '\n';
    source = v8_pair(&image, TYPE_EXTERNAL_ONE, sizeof(text), 0, (uintptr_t)text);
    for (uint32_t position = 0; position < sizeof(text); position += 1000) {
        assert_true(ls_v8_heap_text_move(&layout, source, position, &place, scratch));
        assert_int_equal(place.line, place_at(source, position).line);
    }
    assert_false(ls_v8_heap_text_move(&layout, source, sizeof(text) + 1, &place, scratch));
    assert_int_equal(place_at(source, sizeof(text)).line, sizeof(text) / 2 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_byte_strings_are_latin, set_up),
        cmocka_unit_test_setup(two_byte_strings_have_pairs_and_halves_of_pairs, set_up),
        cmocka_unit_test_setup(a_pair_across_two_pieces_stays_whole, set_up),
        cmocka_unit_test_setup(text_is_cut_between_characters, set_up),
        cmocka_unit_test_setup(strings_that_stand_for_others_are_followed, set_up),
        cmocka_unit_test_setup(what_is_no_string_has_no_text, set_up),
        cmocka_unit_test_setup(lines_end_as_javascript_says, set_up),
        cmocka_unit_test_setup(a_place_moves_on_from_where_it_was, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
