#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "parsed_options.h"

static void modes_and_allocators_are_words_spelt_exactly(void **state)
{
    (void)state;
    assert_value("mode=sampled", mode, LS_MODE_SAMPLED);
    assert_value("mode=exact", mode, LS_MODE_EXACT);
    assert_value("mode=off", mode, LS_MODE_OFF);
    assert_value("allocator=host", allocator, LS_ALLOCATOR_HOST);
    assert_value("allocator=jemalloc", allocator, LS_ALLOCATOR_JEMALLOC);
    assert_not_a("one of sampled, exact, off", "mode", "fast", "sampled");
    assert_not_a("one of sampled, exact, off", "mode", "Exact", "sampled");
    assert_not_a("one of sampled, exact, off", "mode", "exac", "sampled");
    assert_not_a("one of sampled, exact, off", "mode", "exactly", "sampled");
    assert_not_a("one of sampled, exact, off", "mode", "", "sampled");
    assert_not_a("one of host, jemalloc", "allocator", "tcmalloc", "host");
}

static void sizes_take_powers_of_1024_in_every_spelling(void **state)
{
    (void)state;
    assert_value("sample=1", sample_bytes, 1);
    assert_value("sample=1000", sample_bytes, 1000);
    assert_value("sample=1000B", sample_bytes, 1000);
    assert_value("sample=3K", sample_bytes, 3 * KIB);
    assert_value("sample=3k", sample_bytes, 3 * KIB);
    assert_value("sample=3KB", sample_bytes, 3 * KIB);
    assert_value("sample=3KiB", sample_bytes, 3 * KIB);
    assert_value("sample=3kib", sample_bytes, 3 * KIB);
    assert_value("sample=3M", sample_bytes, 3 * MIB);
    assert_value("sample=3MB", sample_bytes, 3 * MIB);
    assert_value("sample=3MiB", sample_bytes, 3 * MIB);
    assert_value("sample=1G", sample_bytes, GIB);
    assert_value("sample=1GB", sample_bytes, GIB);
    assert_value("memory=16GiB", memory_bytes, 16 * GIB);
    assert_value("sample=000000000000000000000000000042", sample_bytes, 42);
}

static void sizes_outside_their_range_are_refused(void **state)
{
    (void)state;
    assert_value("sample=1073741824", sample_bytes, GIB);
    assert_not_a("a size from 1 to 1G", "sample", "1073741825", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "0", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "2G", "512K");
    assert_value("js_sample=1024", js_sample_bytes, KIB);
    assert_value("js_sample=1G", js_sample_bytes, GIB);
    assert_not_a("a size from 1K to 1G", "js_sample", "1023", "512K");
    assert_not_a("a size from 1K to 1G", "js_sample", "1025M", "512K");
    assert_value("memory=4M", memory_bytes, 4 * MIB);
    assert_value("memory=16G", memory_bytes, 16 * GIB);
    assert_not_a("a size from 4M to 16G", "memory", "4095K", "64M");
    assert_not_a("a size from 4M to 16G", "memory", "17179869185", "64M");
}

static void numbers_too_large_for_64_bits_are_refused_not_wrapped(void **state)
{
    (void)state;
    assert_not_a("a size from 1 to 1G", "sample", "99999999999999999999G", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "18446744073709551615", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "18446744073709551616", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "18446744073709551617", "512K");
    /* (2^54 + 1) KiB are 2^64 bytes and 1 KiB, which would be in range if the product wrapped. */
    assert_not_a("a size from 1 to 1G", "sample", "17179869184G", "512K");
    assert_not_a("a size from 1K to 1G", "js_sample", "18014398509481985K", "512K");
    assert_not_a("a number from 1 to 10000", "top", "4294967297", "50");
    /* These would wrap to 1.3 s and to 3584 s. */
    assert_not_a("a duration from 100ms to 1h", "interval", "18446744075", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "5124095576030432h", "10s");
}

static void malformed_sizes_are_refused(void **state)
{
    (void)state;
    assert_not_a("a size from 1 to 1G", "sample", "", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "K", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "-1", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "+1", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "1.5M", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "0x10", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "1T", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "12KK", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "12Ki", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "12 34", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "12ms", "512K");
    assert_not_a("a size from 1 to 1G", "sample", "lots", "512K");
}

static void durations_take_ms_s_m_h_and_are_seconds_without_a_unit(void **state)
{
    (void)state;
    assert_value("interval=100ms", interval_ns, UINT64_C(100000000));
    assert_value("interval=1500ms", interval_ns, UINT64_C(1500000000));
    assert_value("interval=5", interval_ns, UINT64_C(5000000000));
    assert_value("interval=5s", interval_ns, UINT64_C(5000000000));
    assert_value("interval=2m", interval_ns, UINT64_C(120000000000));
    assert_value("interval=1h", interval_ns, UINT64_C(3600000000000));
    assert_value("interval=3600", interval_ns, UINT64_C(3600000000000));
    assert_not_a("a duration from 100ms to 1h", "interval", "99ms", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "0", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "61m", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "3601", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "3600001ms", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "2h", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "10us", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "ms", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "1m30s", "10s");
    assert_not_a("a duration from 100ms to 1h", "interval", "0.5", "10s");
}

static void counts_are_whole_numbers_within_their_range(void **state)
{
    (void)state;
    assert_value("keep=1", keep, 1);
    assert_value("keep=100000", keep, 100000);
    assert_not_a("a number from 1 to 100000", "keep", "0", "16");
    assert_not_a("a number from 1 to 100000", "keep", "100001", "16");
    assert_value("depth=1", depth, 1);
    assert_value("depth=128", depth, 128);
    assert_not_a("a number from 1 to 128", "depth", "0", "64");
    assert_not_a("a number from 1 to 128", "depth", "129", "64");
    assert_value("top=1", top, 1);
    assert_value("top=10000", top, 10000);
    assert_not_a("a number from 1 to 10000", "top", "0", "50");
    assert_not_a("a number from 1 to 10000", "top", "10001", "50");
    assert_not_a("a number from 1 to 10000", "top", "1K", "50");
    assert_not_a("a number from 1 to 10000", "top", "ten", "50");
}

static void switches_take_the_usual_words(void **state)
{
    (void)state;
    assert_value("children=on", children, true);
    assert_value("children=yes", children, true);
    assert_value("children=true", children, true);
    assert_value("children=1", children, true);
    assert_value("children=off", children, false);
    assert_value("children=no", children, false);
    assert_value("children=false", children, false);
    assert_value("children=0", children, false);
    assert_value("start=off", start, false);
    assert_value("start=off,start=on", start, true);
    assert_not_a("on or off", "start", "maybe", "on");
    assert_not_a("on or off", "start", "2", "on");
    assert_not_a("on or off", "children", "", "on");
}

static void track_takes_all_or_kinds_joined_by_plus(void **state)
{
#define KINDS "all, or kinds joined by +: heap+map+js+thread+socket+file+custom"
    (void)state;
    assert_value("track=all", track, (1 << LS_RESOURCE_COUNT) - 1);
    for (unsigned i = 0; i < LS_RESOURCE_COUNT; i++) {
        char string[64];

        snprintf(string, sizeof(string), "track=%s", ls_resource_names[i]);
        assert_value(string, track, 1 << i);
    }
    assert_value("track=heap+js+socket", track,
                 1 << LS_RESOURCE_HEAP | 1 << LS_RESOURCE_JS | 1 << LS_RESOURCE_SOCKET);
    assert_value("track=heap+heap", track, 1 << LS_RESOURCE_HEAP);
    assert_value("track=file+all", track, (1 << LS_RESOURCE_COUNT) - 1);
    assert_not_a(KINDS, "track", "", "all");
    assert_not_a(KINDS, "track", "heap+", "all");
    assert_not_a(KINDS, "track", "+heap", "all");
    assert_not_a(KINDS, "track", "heap++js", "all");
    assert_not_a(KINDS, "track", "heap+sockets", "all");
    assert_not_a(KINDS, "track", "Heap", "all");
    assert_not_a(KINDS, "track", "none", "all");
#undef KINDS
}

static void a_directory_may_hold_any_byte_and_escaped_commas(void **state)
{
    struct ls_options options = parse("dir=/srv/a\\,b=c+d/\xc3\xa9\\x\\\\,mode=exact");

    (void)state;
    assert_int_equal(heard.count, 0);
    assert_string_equal(options.directory, "/srv/a,b=c+d/\xc3\xa9\\x\\");
    assert_int_equal(options.mode, LS_MODE_EXACT);
    options = parse("dir=ends\\");
    assert_string_equal(options.directory, "ends\\");
    assert_not_a("a path of 1 to 4095 bytes", "dir", "", "leakshim-out");
}

static void a_directory_of_4095_bytes_fits_and_one_more_is_refused(void **state)
{
    char string[5000] = "dir=";
    struct ls_options options;

    (void)state;
    memset(string + 4, 'd', 4095);
    options = parse(string);
    assert_int_equal(heard.count, 0);
    assert_int_equal(strlen(options.directory), 4095);
    string[4 + 4095] = 'd';
    options = parse(string);
    assert_int_equal(heard.count, 1);
    assert_string_equal(options.directory, "leakshim-out");
    /* Escapes count as what they stand for. */
    memmove(string + 5, string + 4, 4096);
    memcpy(string + 4, "\\,", 2);
    string[4 + 4096] = '\0';
    options = parse(string);
    assert_int_equal(heard.count, 0);
    assert_int_equal(strlen(options.directory), 4095);
}

static void names_that_no_program_can_have_are_refused(void **state)
{
#define NAMES "program names joined by + (a plus in a name is \\+), at most 1022 bytes"
    (void)state;
    assert_not_a(NAMES, "only", "/usr/bin/node", "");
    assert_not_a(NAMES, "only", "g++", "");
    assert_not_a(NAMES, "only", "node+", "");
    assert_not_a(NAMES, "only", "+", "");
#undef NAMES
}

static void program_names_of_1022_bytes_in_all_fit_and_one_more_is_refused(void **state)
{
    char string[2048] = "only=a+";
    struct ls_options options;

    (void)state;
    memset(string + 7, 'b', 1020);
    options = parse(string);
    assert_int_equal(heard.count, 0);
    assert_true(ls_options_program_wanted(&options, "a"));
    assert_true(ls_options_program_wanted(&options, string + 7));
    assert_false(ls_options_program_wanted(&options, string + 8));
    string[7 + 1020] = 'b';
    options = parse(string);
    assert_int_equal(heard.count, 1);
    assert_int_equal(options.only[0], '\0');
}

static void every_value_is_written_as_the_parser_reads_it(void **state)
{
    static const char *const pairs[][2] = {
        {"mode", "exact"},        {"sample", "1"},      {"sample", "1000"},
        {"sample", "1536K"},      {"js_sample", "1G"},  {"interval", "1500ms"},
        {"interval", "90s"},      {"interval", "1h"},   {"dir", "a\\,b\\\\c+d"},
        {"keep", "100000"},       {"track", "heap+js"}, {"track", "all"},
        {"depth", "1"},           {"top", "10000"},     {"allocator", "jemalloc"},
        {"only", "g\\+\\++node"}, {"only", ""},         {"children", "off"},
        {"memory", "4M"},         {"start", "off"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char string[64];
        char written[64];
        struct ls_options options;
        struct ls_text text;

        snprintf(string, sizeof(string), "%s=%s", pairs[i][0], pairs[i][1]);
        options = parse(string);
        assert_int_equal(heard.count, 0);
        ls_text_init(&text, written, sizeof(written));
        assert_true(ls_options_write_value(&options, pairs[i][0], &text));
        assert_string_equal(written, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_and_allocators_are_words_spelt_exactly),
        cmocka_unit_test(sizes_take_powers_of_1024_in_every_spelling),
        cmocka_unit_test(sizes_outside_their_range_are_refused),
        cmocka_unit_test(numbers_too_large_for_64_bits_are_refused_not_wrapped),
        cmocka_unit_test(malformed_sizes_are_refused),
        cmocka_unit_test(durations_take_ms_s_m_h_and_are_seconds_without_a_unit),
        cmocka_unit_test(counts_are_whole_numbers_within_their_range),
        cmocka_unit_test(switches_take_the_usual_words),
        cmocka_unit_test(track_takes_all_or_kinds_joined_by_plus),
        cmocka_unit_test(a_directory_may_hold_any_byte_and_escaped_commas),
        cmocka_unit_test(a_directory_of_4095_bytes_fits_and_one_more_is_refused),
        cmocka_unit_test(names_that_no_program_can_have_are_refused),
        cmocka_unit_test(program_names_of_1022_bytes_in_all_fit_and_one_more_is_refused),
        cmocka_unit_test(every_value_is_written_as_the_parser_reads_it),
    };

    return cmocka_run_group_tests_name("option_value", tests, NULL, NULL);
}
