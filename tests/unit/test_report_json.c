#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/emitter.h"
#include "report_fixture.h"
#include "report_output.h"

static void golden(const char *name, void (*fixture)(struct ls_snapshot *))
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    fixture(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_json, &snapshot, &output), 0);
    assert_true(fixture_is_json(output.bytes, output.length));
    assert_int_equal(output.bytes[output.length - 1], '\n');
    fixture_assert_golden(name, &output);
    fixture_output_free(&output);
}

static void the_leaking_node_summary_matches_its_golden_file(void **state)
{
    (void)state;
    golden("leaking.summary.json", fixture_leaking_node);
}

static void the_clean_service_summary_matches_its_golden_file(void **state)
{
    (void)state;
    golden("clean.summary.json", fixture_clean_service);
}

static void the_hostile_summary_matches_its_golden_file(void **state)
{
    (void)state;
    golden("hostile.summary.json", fixture_hostile_degraded);
}

/* The validator is part of the proof, so it has to refuse what is not JSON. */
static void the_validator_refuses_what_is_not_json(void **state)
{
    static const char *const bad[] = {
        "",      "{",        "{\"a\":1,}",  "[1,]",
        "[1 2]", "\"\x01\"", "\"\\x\"",     "nan",
        "01",    "1.",       "-",           "{a:1}",
        "\"a",   "\"\xff\"", "[1]]",        "\"\xed\xa0\x80\"",
        "tru",   "{\"a\"}",  "\"\\u12g4\"",
    };
    static const char *const good[] = {"{}", "[]", " [1,-2.5,\"\\u00e9\",null,true,{\"a\":[]}] \n"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (fixture_is_json(bad[i], strlen(bad[i])))
            fail_msg("accepted %s", bad[i]);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(fixture_is_json(good[i], strlen(good[i])));
}

static int append(void *context, const char *bytes, size_t length)
{
    strncat(context, bytes, length);
    return 0;
}

static void every_byte_makes_a_valid_string(void **state)
{
    (void)state;
    for (int first = 1; first < 256; first++) {
        for (int second = 0; second < 256; second += 3) {
            char value[4] = {(char)first, (char)second, 'z', '\0'};
            char out[64] = "";
            struct ls_sink sink = {append, out};
            struct ls_emitter emitter;

            ls_emitter_init(&emitter, &sink);
            ls_emitter_json_string(&emitter, NULL, value);
            assert_int_equal(ls_emitter_finish(&emitter), 0);
            assert_true(fixture_is_json(out, strlen(out)));
        }
    }
}

static void commas_stand_between_values_at_every_depth(void **state)
{
    char out[256] = "";
    struct ls_sink sink = {append, out};
    struct ls_emitter emitter;

    (void)state;
    ls_emitter_init(&emitter, &sink);
    ls_emitter_object_begin(&emitter, NULL);
    ls_emitter_array_begin(&emitter, "a");
    ls_emitter_array_begin(&emitter, NULL);
    ls_emitter_array_end(&emitter);
    ls_emitter_json_unsigned(&emitter, NULL, UINT64_MAX);
    ls_emitter_json_bool(&emitter, NULL, false);
    ls_emitter_array_end(&emitter);
    ls_emitter_object_begin(&emitter, "o");
    ls_emitter_json_number(&emitter, "n", -1.250, 3);
    ls_emitter_json_number(&emitter, "nan", __builtin_nan(""), 3);
    ls_emitter_json_known_number(&emitter, "unknown", -1, 3);
    ls_emitter_json_optional_string(&emitter, "empty", "");
    ls_emitter_object_end(&emitter);
    ls_emitter_json_id(&emitter, "id", 10);
    ls_emitter_json_address(&emitter, "pc", 255);
    ls_emitter_object_end(&emitter);
    assert_int_equal(ls_emitter_finish(&emitter), 0);
    assert_string_equal(out, "{\"a\":[[],18446744073709551615,false],"
                             "\"o\":{\"n\":-1.25,\"nan\":null,\"unknown\":null,\"empty\":null},"
                             "\"id\":\"000000000000000a\",\"pc\":\"0xff\"}");
}

static void numbers_lose_only_zeros_after_the_point(void **state)
{
    static const struct {
        double value;
        unsigned decimals;
        const char *text;
    } cases[] = {{100, 0, "100"},     {100, 3, "100"},   {0.5, 3, "0.5"},
                 {0.0004, 3, "0"},    {-0.0001, 3, "0"}, {1e15, 0, "1000000000000000"},
                 {10.010, 3, "10.01"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[64] = "";
        struct ls_sink sink = {append, out};
        struct ls_emitter emitter;

        ls_emitter_init(&emitter, &sink);
        ls_emitter_json_number(&emitter, NULL, cases[i].value, cases[i].decimals);
        assert_int_equal(ls_emitter_finish(&emitter), 0);
        assert_string_equal(out, cases[i].text);
    }
}

static void fields_come_in_the_order_of_the_schema(void **state)
{
    static const char *const keys[] = {"{\"schema\":\"leakshim-summary/1\",",
                                       "\"written_at\":",
                                       "\"sequence\":",
                                       "\"final\":",
                                       "\"process\":",
                                       "\"settings\":",
                                       "\"health\":",
                                       "\"memory\":",
                                       "\"event_loops\":",
                                       "\"isolates\":",
                                       "\"verdict\":",
                                       "\"sites\":",
                                       "\"stack\":",
                                       "\"series\":",
                                       "\"modules\":"};
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;
    const char *at;

    (void)state;
    fixture_leaking_node(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_json, &snapshot, &output), 0);
    at = output.bytes;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        at = strstr(at, keys[i]);
        assert_non_null(at);
    }
    fixture_output_free(&output);
}

static void a_name_of_four_kibibytes_comes_through_whole(void **state)
{
    static char name[4097];
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;
    struct ls_snapshot_site site;

    (void)state;
    memset(name, 'q', sizeof(name) - 1);
    fixture_clean_service(&snapshot);
    site = snapshot.sites[0];
    site.function = name;
    snapshot.sites = &site;
    snapshot.site_count = 1;
    assert_int_equal(fixture_write(ls_report_write_json, &snapshot, &output), 0);
    assert_non_null(strstr(output.bytes, name));
    fixture_output_free(&output);
}

static void the_error_of_a_sink_that_fails_anywhere_is_returned(void **state)
{
    struct fixture_output whole = {0};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_json, &snapshot, &whole), 0);
    assert_true(whole.calls > 1);
    for (size_t limit = 1; limit < whole.length; limit += 101) {
        struct fixture_output output = {.limit = limit};

        assert_int_equal(fixture_write(ls_report_write_json, &snapshot, &output), -ENOSPC);
        assert_int_equal(output.calls_after_error, 0);
        fixture_output_free(&output);
    }
    fixture_output_free(&whole);
}

static void short_strings_are_cut_between_characters(void **state)
{
    char name[400] = "";
    char out[512] = "";
    struct ls_sink sink = {append, out};
    struct ls_emitter emitter;

    (void)state;
    strcat(name, "x");
    for (int i = 0; i < 100; i++)
        strcat(name, "\xe2\x82\xac");
    assert_int_equal(ls_emitter_prefix(name, 160), 160);
    assert_int_equal(ls_emitter_prefix(name, 159), 157);
    assert_int_equal(ls_emitter_prefix("abc", 160), 3);
    ls_emitter_init(&emitter, &sink);
    ls_emitter_json_short_string(&emitter, NULL, name);
    assert_int_equal(ls_emitter_finish(&emitter), 0);
    assert_true(fixture_is_json(out, strlen(out)));
    assert_int_equal(strlen(out), 160 + 3 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_leaking_node_summary_matches_its_golden_file),
        cmocka_unit_test(the_clean_service_summary_matches_its_golden_file),
        cmocka_unit_test(the_hostile_summary_matches_its_golden_file),
        cmocka_unit_test(the_validator_refuses_what_is_not_json),
        cmocka_unit_test(every_byte_makes_a_valid_string),
        cmocka_unit_test(commas_stand_between_values_at_every_depth),
        cmocka_unit_test(numbers_lose_only_zeros_after_the_point),
        cmocka_unit_test(fields_come_in_the_order_of_the_schema),
        cmocka_unit_test(a_name_of_four_kibibytes_comes_through_whole),
        cmocka_unit_test(the_error_of_a_sink_that_fails_anywhere_is_returned),
        cmocka_unit_test(short_strings_are_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
