#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/baseline.h"
#include "cli/quantity.h"
#include "cli/suppressions.h"

static void sizes_have_binary_letters_and_decimal_units(void **state)
{
    static const struct {
        const char *text;
        double bytes;
    } good[] = {
        {"0", 0},     {"512", 512},  {"64K", 65536},       {"1.5M", 1572864},  {"1MiB", 1048576},
        {"1MB", 1e6}, {"10kB", 1e4}, {"2g", 2147483648.0}, {"3T", 3 * 0x1p40}, {"7B", 7},
    };
    static const char *const bad[] = {
        "",   "M",  "-1",  "+1",  "1 M", "1e3",    "0x10",
        "1.", ".5", "inf", "nan", "1MM", "1M/min", "9999999999999999999"};
    double bytes = -7;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(ls_quantity_size(good[i].text, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    bytes = -7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ls_quantity_size(bad[i], &bytes));
    assert_true(bytes == -7);
}

static void rates_need_their_time(void **state)
{
    static const char *const bad[] = {"1M",    "1M/",   "/min",    "1M/day", "1M/min ",
                                      "1M//h", "M/min", "1/min/h", "1M/mins"};
    double rate = -7;

    (void)state;
    assert_true(ls_quantity_rate("60/min", &rate) && rate == 1);
    assert_true(ls_quantity_rate("1M/min", &rate) && rate == 1048576.0 / 60);
    assert_true(ls_quantity_rate("36kB/h", &rate) && rate == 10);
    assert_true(ls_quantity_rate("0/s", &rate) && rate == 0);
    rate = -7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ls_quantity_rate(bad[i], &rate));
    assert_true(rate == -7);
}

static void lists_are_sets_of_known_words(void **state)
{
    static const char *const words[] = {"heap", "js", "socket"};
    unsigned set = 0;
    double share = 0;

    (void)state;
    assert_true(ls_quantity_set("heap", words, 3, &set) && set == 1);
    assert_true(ls_quantity_set("js,heap", words, 3, &set) && set == 3);
    assert_true(ls_quantity_set("socket+js", words, 3, &set) && set == 6);
    assert_false(ls_quantity_set("", words, 3, &set));
    assert_false(ls_quantity_set("heap,", words, 3, &set));
    assert_false(ls_quantity_set("heaps", words, 3, &set));
    assert_false(ls_quantity_set("hea", words, 3, &set));
    assert_int_equal(set, 6);
    assert_true(ls_quantity_share("50%", &share) && share == 0.5);
    assert_true(ls_quantity_share("0.25", &share) && share == 0.25);
    assert_false(ls_quantity_share("50 %", &share));
    assert_false(ls_quantity_share("-1", &share));
}

static void patterns_fit_as_leaksanitizer_s_do(void **state)
{
    static const struct {
        const char *pattern;
        const char *name;
        bool fits;
    } cases[] = {
        {"foo", "foo", true},
        {"foo", "a_foo_b", true},
        {"foo", "fo", false},
        {"^foo", "foobar", true},
        {"^foo", "a_foo", false},
        {"foo$", "a_foo", true},
        {"foo$", "foobar", false},
        {"^foo$", "foo", true},
        {"^foo$", "foofoo", false},
        {"a*c", "xxabcxx", true},
        {"a*c", "ca", false},
        {"^a*c$", "abc", true},
        {"^a*c$", "abcd", false},
        {"^a*c$", "abcabc", true},
        {"*", "", true},
        {"*", "x", true},
        {"a**b", "ab", true},
        {"ab*ab$", "ab", false},
        {"ab*ab$", "abab", true},
        {"^*b$", "aab", true},
        {"aab", "aaab", true},
        {"libz.so", "/lib/libz.so.1", true},
        {"operator()", "x::operator()", true},
        {"a$b", "xa$b", true},
        {"$", "x", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (ls_pattern_fits(cases[i].pattern, cases[i].name) != cases[i].fits)
            fail_msg("%s against %s", cases[i].pattern, cases[i].name);
    }
}

static void a_long_pattern_takes_no_time_beyond_reason(void **state)
{
    static char name[20001];

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    assert_false(ls_pattern_fits("a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

static const struct ls_snapshot_frame frames[] = {
    {.module = "/srv/app/libagent.so.2", .function = "agent_alloc", .file = "", .language = "c"},
    {.module = "", .function = "readBody", .file = "/srv/app/body.js", .line = 9, .language = "js"},
};
static const struct ls_snapshot_site site = {
    .id = 0x1234,
    .resource = LS_RESOURCE_HEAP,
    .verdict = LS_VERDICT_RISING,
    .live_bytes = 1000,
    .growth_bytes_per_s = 100,
    .function = "readBody",
    .location = "/srv/app/body.js:9",
    .module = "",
    .frames = frames,
    .frame_count = 2,
};

static void a_suppression_fits_any_frame_by_function_file_or_module(void **state)
{
    static const char *const fitting[] = {"leak:agent_alloc", "leak:libagent", "leak:body.js$",
                                          "leak:^readBody$", "leak:/srv/*/body"};
    static const char *const others[] = {"leak:^agent$", "leak:other", "leak:^body.js"};
    size_t line;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct ls_suppressions list = {0};

        assert_true(ls_suppressions_parse(fitting[i], &list, &line));
        assert_non_null(ls_suppressions_find(&list, &site));
        assert_int_equal(list.items[0].used, 1);
        ls_suppressions_free(&list);
    }
    for (size_t i = 0; i < 3; i++) {
        struct ls_suppressions list = {0};

        assert_true(ls_suppressions_parse(others[i], &list, &line));
        assert_null(ls_suppressions_find(&list, &site));
        ls_suppressions_free(&list);
    }
}

static void a_file_of_suppressions_has_comments_and_one_kind(void **state)
{
    struct ls_suppressions list = {0};
    size_t line;

    (void)state;
    assert_true(ls_suppressions_parse("# known\n\n  leak:a b \r\nleak:*c\n", &list, &line));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].pattern, "a b");
    assert_string_equal(list.items[1].pattern, "*c");
    assert_false(ls_suppressions_parse("leak:a\nrace:b\n", &list, &line));
    assert_int_equal(line, 2);
    assert_false(ls_suppressions_parse("leak:", &list, &line));
    assert_false(ls_suppressions_parse("\n\nnonsense", &list, &line));
    assert_int_equal(line, 3);
    ls_suppressions_free(&list);
}

static void a_baseline_finds_sites_by_id_then_by_name(void **state)
{
    struct ls_baseline_site entries[] = {
        {.id = 0x9,
         .resource = LS_RESOURCE_HEAP,
         .function = "readBody",
         .location = "/other/body.js:77",
         .growth_bytes_per_s = 5},
        {.id = 0x8,
         .resource = LS_RESOURCE_HEAP,
         .function = "readBody",
         .location = "body.js:3",
         .growth_bytes_per_s = 9},
        {.id = 0x1234,
         .resource = LS_RESOURCE_HEAP,
         .function = "",
         .location = "",
         .growth_bytes_per_s = 7},
    };
    struct ls_baseline baseline = {.sites = entries, .count = 3};
    struct ls_baseline_site known;
    struct ls_snapshot_site other = site;

    (void)state;
    assert_true(ls_baseline_find(&baseline, &site, &known));
    assert_true(known.growth_bytes_per_s == 7);
    other.id = 1;
    assert_true(ls_baseline_find(&baseline, &other, &known));
    assert_true(known.growth_bytes_per_s == 9);
    other.resource = LS_RESOURCE_JS;
    assert_false(ls_baseline_find(&baseline, &other, &known));
    other = site;
    other.id = 1;
    other.location = "/srv/app/elsewhere.js:9";
    assert_false(ls_baseline_find(&baseline, &other, &known));
    other.function = "";
    assert_false(ls_baseline_find(&baseline, &other, &known));
}

static void a_baseline_comes_back_as_it_was_written(void **state)
{
    char path[] = "/tmp/leakshim-baseline-XXXXXX";
    struct ls_baseline baseline = {0};
    struct ls_baseline_site known;
    struct ls_snapshot_site faster = site;
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0);
    close(file);
    faster.growth_bytes_per_s = 300;
    assert_true(ls_baseline_add(&baseline, &site));
    assert_true(ls_baseline_add(&baseline, &faster));
    assert_int_equal(baseline.count, 1);
    assert_true(ls_baseline_write(path, &baseline));
    ls_baseline_free(&baseline);
    assert_true(ls_baseline_read(path, &baseline));
    assert_true(ls_baseline_find(&baseline, &site, &known));
    assert_true(known.growth_bytes_per_s == 300);
    assert_string_equal(known.function, "readBody");
    ls_baseline_free(&baseline);
    assert_int_equal(truncate(path, 40), 0);
    assert_false(ls_baseline_read(path, &baseline));
    unlink(path);
    assert_false(ls_baseline_read(path, &baseline));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_binary_letters_and_decimal_units),
        cmocka_unit_test(rates_need_their_time),
        cmocka_unit_test(lists_are_sets_of_known_words),
        cmocka_unit_test(patterns_fit_as_leaksanitizer_s_do),
        cmocka_unit_test(a_long_pattern_takes_no_time_beyond_reason),
        cmocka_unit_test(a_suppression_fits_any_frame_by_function_file_or_module),
        cmocka_unit_test(a_file_of_suppressions_has_comments_and_one_kind),
        cmocka_unit_test(a_baseline_finds_sites_by_id_then_by_name),
        cmocka_unit_test(a_baseline_comes_back_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
