#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parsed_options.h"

static void the_defaults_are_those_of_the_contract(void **state)
{
    struct ls_options options;

    (void)state;
    memset(&options, 0xff, sizeof(options));
    ls_options_defaults(&options);
    assert_int_equal(options.mode, LS_MODE_SAMPLED);
    assert_int_equal(options.sample_bytes, 512 * KIB);
    assert_int_equal(options.js_sample_bytes, 512 * KIB);
    assert_int_equal(options.interval_ns, UINT64_C(10000000000));
    assert_string_equal(options.directory, "leakshim-out");
    assert_int_equal(options.keep, 16);
    assert_int_equal(options.track, (1 << LS_RESOURCE_COUNT) - 1);
    assert_int_equal(options.depth, 64);
    assert_int_equal(options.top, 50);
    assert_int_equal(options.allocator, LS_ALLOCATOR_HOST);
    assert_int_equal(options.only[0], '\0');
    assert_true(options.children);
    assert_int_equal(options.memory_bytes, 64 * MIB);
    assert_true(options.start);
}

static void no_text_blanks_and_stray_commas_leave_the_defaults_without_complaint(void **state)
{
    static const char *const strings[] = {NULL, "", ",", ",,,,", " ", " , ,\t,\n"};
    struct ls_options defaults;

    (void)state;
    ls_options_defaults(&defaults);
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        struct ls_options options = parse(strings[i]);

        assert_int_equal(heard.count, 0);
        assert_memory_equal(&options, &defaults, sizeof(options));
    }
}

static void every_key_can_be_set_in_one_string(void **state)
{
    struct ls_options options =
        parse("mode=exact,sample=1M,js_sample=64K,interval=250ms,dir=/var/tmp/x,keep=3,"
              "track=heap+js,depth=32,top=7,allocator=jemalloc,only=node+nginx,children=off,"
              "memory=128M,start=off");

    (void)state;
    assert_int_equal(heard.count, 0);
    assert_int_equal(options.mode, LS_MODE_EXACT);
    assert_int_equal(options.sample_bytes, MIB);
    assert_int_equal(options.js_sample_bytes, 64 * KIB);
    assert_int_equal(options.interval_ns, 250000000);
    assert_string_equal(options.directory, "/var/tmp/x");
    assert_int_equal(options.keep, 3);
    assert_int_equal(options.track, 1 << LS_RESOURCE_HEAP | 1 << LS_RESOURCE_JS);
    assert_int_equal(options.depth, 32);
    assert_int_equal(options.top, 7);
    assert_int_equal(options.allocator, LS_ALLOCATOR_JEMALLOC);
    assert_memory_equal(options.only, "node\0nginx\0", sizeof("node\0nginx\0"));
    assert_false(options.children);
    assert_int_equal(options.memory_bytes, 128 * MIB);
    assert_false(options.start);
}

static void blanks_around_keys_values_and_list_items_do_not_matter(void **state)
{
    struct ls_options options =
        parse(" mode = exact ,\n track = heap + map , only= node + nginx , dir = a b ,sample=2 M");

    (void)state;
    assert_int_equal(heard.count, 0);
    assert_int_equal(options.mode, LS_MODE_EXACT);
    assert_int_equal(options.track, 1 << LS_RESOURCE_HEAP | 1 << LS_RESOURCE_MAP);
    assert_memory_equal(options.only, "node\0nginx\0", sizeof("node\0nginx\0"));
    assert_string_equal(options.directory, "a b");
    assert_int_equal(options.sample_bytes, 2 * MIB);
}

static void a_resource_is_tracked_when_its_bit_is_set(void **state)
{
    struct ls_options options = parse("track=heap+custom");

    (void)state;
    assert_true(ls_options_tracks(&options, LS_RESOURCE_HEAP));
    assert_true(ls_options_tracks(&options, LS_RESOURCE_CUSTOM));
    assert_false(ls_options_tracks(&options, LS_RESOURCE_JS));
    assert_false(ls_options_tracks(&options, LS_RESOURCE_SOCKET));
}

static void without_only_every_program_is_wanted(void **state)
{
    struct ls_options options = parse("");

    (void)state;
    assert_true(ls_options_program_wanted(&options, "node"));
    assert_true(ls_options_program_wanted(&options, ""));
    options = parse("only=node,only=");
    assert_int_equal(heard.count, 0);
    assert_true(ls_options_program_wanted(&options, "sh"));
}

static void with_only_exactly_the_named_programs_are_wanted(void **state)
{
    struct ls_options options = parse("only=node+nginx+g\\+\\++a\\,b");

    (void)state;
    assert_int_equal(heard.count, 0);
    assert_true(ls_options_program_wanted(&options, "node"));
    assert_true(ls_options_program_wanted(&options, "nginx"));
    assert_true(ls_options_program_wanted(&options, "g++"));
    assert_true(ls_options_program_wanted(&options, "a,b"));
    assert_false(ls_options_program_wanted(&options, "nod"));
    assert_false(ls_options_program_wanted(&options, "nodejs"));
    assert_false(ls_options_program_wanted(&options, "Node"));
    assert_false(ls_options_program_wanted(&options, "sh"));
    assert_false(ls_options_program_wanted(&options, ""));
}

static void the_last_of_several_entries_with_one_key_wins(void **state)
{
    (void)state;
    assert_value("depth=3,depth=5,depth=4", depth, 4);
    assert_value("only=a+b,only=c", only[2], '\0');
}

static void a_refused_value_keeps_what_stood_before_and_says_so(void **state)
{
    struct ls_options options = parse("mode=exact,dir=x,mode=fast,depth=9,dir=");

    (void)state;
    assert_int_equal(heard.count, 2);
    assert_string_equal(heard.first,
                        "option 'mode' is 'fast', expected one of sampled, exact, off; "
                        "using 'exact'");
    assert_string_equal(heard.last,
                        "option 'dir' is '', expected a path of 1 to 4095 bytes; using 'x'");
    assert_int_equal(options.mode, LS_MODE_EXACT);
    assert_int_equal(options.depth, 9);
    assert_string_equal(options.directory, "x");
}

static void an_unknown_key_is_named_and_the_nearest_known_one_suggested(void **state)
{
    (void)state;
    assert_refused("smaple=1", "unknown option 'smaple' (did you mean 'sample'?) is ignored");
    assert_refused("js-sample=1",
                   "unknown option 'js-sample' (did you mean 'js_sample'?) is ignored");
    assert_refused("INTERVAL=1", "unknown option 'INTERVAL' (did you mean 'interval'?) is ignored");
    assert_refused("intrval=1", "unknown option 'intrval' (did you mean 'interval'?) is ignored");
    assert_refused("tpo=1", "unknown option 'tpo' (did you mean 'top'?) is ignored");
    assert_refused("mod=1", "unknown option 'mod' (did you mean 'mode'?) is ignored");
    assert_refused("alloc=1", "unknown option 'alloc' (did you mean 'allocator'?) is ignored");
    assert_refused("mem=1", "unknown option 'mem' (did you mean 'memory'?) is ignored");
}

static void an_unknown_key_near_to_none_gets_no_suggestion(void **state)
{
    (void)state;
    assert_refused("verbose=1", "unknown option 'verbose' is ignored");
    assert_refused("x", "unknown option 'x' is ignored");
    assert_refused("on=1", "unknown option 'on' is ignored");
    assert_refused("=1", "unknown option '' is ignored");
    assert_refused("averyverylongname_indeed=1",
                   "unknown option 'averyverylongname_indeed' is ignored");
}

static void a_key_without_a_value_is_reported(void **state)
{
    (void)state;
    assert_refused("mode", "option 'mode' has no value, expected one of sampled, exact, off; "
                           "using 'sampled'");
    assert_refused("start", "option 'start' has no value, expected on or off; using 'on'");
}

static void hostile_bytes_in_complaints_are_made_printable(void **state)
{
    (void)state;
    assert_refused("\x1b[2Jx\xff\n\x7f=1", "unknown option '\\x1b[2Jx\\xff\\x0a\\x7f' is ignored");
    assert_refused("mode=\r\x1b]0;owned\x07",
                   "option 'mode' is '\\x1b]0;owned\\x07', expected one of sampled, exact, off; "
                   "using 'sampled'");
}

static void the_longest_complaint_fits(void **state)
{
    char string[9000] = "dir=";
    size_t length = 4;

    (void)state;
    memset(string + length, 0x01, 3000);
    length += 3000;
    memcpy(string + length, ",dir=", 5);
    length += 5;
    memset(string + length, 0x02, 4200);
    length += 4200;
    memcpy(string + length, ",only=/", 7);
    length += 7;
    memset(string + length, 0x03, 200);
    length += 200;
    string[length++] = ',';
    memset(string + length, 0x04, 200);
    parse(string);
    assert_int_equal(heard.count, 3);
    assert_true(heard.longest < LS_OPTIONS_COMPLAINT_MAX - 100);
    assert_non_null(strstr(heard.first, "\\x02...', expected a path"));
    assert_non_null(strstr(heard.last, "\\x04...' is ignored"));
}

static void a_flood_of_errors_ends_in_a_count(void **state)
{
    static char string[200001];

    (void)state;
    for (size_t i = 0; i < 100000; i++)
        memcpy(string + 2 * i, "q,", 2);
    parse(string);
    assert_int_equal(heard.count, LS_OPTIONS_COMPLAINTS_MAX);
    assert_string_equal(heard.last, "options: 99985 more not understood and ignored");
    string[2 * LS_OPTIONS_COMPLAINTS_MAX] = '\0';
    parse(string);
    assert_int_equal(heard.count, LS_OPTIONS_COMPLAINTS_MAX);
    assert_string_equal(heard.last, "options: 1 more not understood and ignored");
    string[2 * (LS_OPTIONS_COMPLAINTS_MAX - 1)] = '\0';
    parse(string);
    assert_int_equal(heard.count, LS_OPTIONS_COMPLAINTS_MAX - 1);
    assert_string_equal(heard.last, "unknown option 'q' is ignored");
}

static void complaints_may_go_nowhere(void **state)
{
    struct ls_options options;

    (void)state;
    ls_options_defaults(&options);
    ls_options_parse(&options, "mode=fast,nonsense,depth=3,q,q,q,q,q,q,q,q,q,q,q,q,q,q,q,q,q", NULL,
                     NULL);
    assert_int_equal(options.depth, 3);
}

static void good_entries_beside_bad_ones_still_count(void **state)
{
    struct ls_options options = parse("nonsense,depth=3,mode=fast,top=5");

    (void)state;
    assert_int_equal(heard.count, 2);
    assert_int_equal(options.depth, 3);
    assert_int_equal(options.top, 5);
}

static void writing_an_unknown_key_writes_nothing(void **state)
{
    struct ls_options options = parse("");
    char written[8];
    struct ls_text text;

    (void)state;
    ls_text_init(&text, written, sizeof(written));
    assert_false(ls_options_write_value(&options, "modes", &text));
    assert_string_equal(written, "");
}

static void every_key_is_described_with_the_default_that_holds(void **state)
{
    struct ls_options_description description;
    struct ls_options options = parse("");
    size_t count = 0;

    (void)state;
    for (; ls_options_describe(count, &description); count++) {
        char written[64];
        struct ls_text text;

        ls_text_init(&text, written, sizeof(written));
        assert_true(ls_options_write_value(&options, description.name, &text));
        assert_string_equal(written, description.default_text);
        assert_true(strlen(description.meaning) > 0);
        assert_in_range(strlen(description.allowed), 1, sizeof(description.allowed) - 2);
    }
    assert_int_equal(count, 14);
    assert_false(ls_options_describe(SIZE_MAX, &description));
}

static char *read_manual(void)
{
    FILE *file = fopen(LS_SOURCE_DIRECTORY "/docs/options.md", "r");
    char *manual = calloc(1, 65536);

    assert_non_null(file);
    assert_non_null(manual);
    assert_in_range(fread(manual, 1, 65535, file), 1000, 65534);
    fclose(file);
    return manual;
}

static void the_table_in_the_manual_is_the_one_in_the_code(void **state)
{
    struct ls_options_description description;
    char *manual = read_manual();
    const char *cursor =
        strstr(manual, "| key | default | allowed | meaning |\n|---|---|---|---|\n");

    (void)state;
    assert_non_null(cursor);
    cursor = strchr(strchr(cursor, '\n') + 1, '\n') + 1;
    for (size_t i = 0; ls_options_describe(i, &description); i++) {
        char row[512];
        char section[64];

        snprintf(row, sizeof(row), "| `%s` | %s | %s | %s |\n", description.name,
                 description.default_text, description.allowed, description.meaning);
        if (strncmp(cursor, row, strlen(row)) != 0)
            fail_msg("docs/options.md should have here: %s", row);
        cursor += strlen(row);
        snprintf(section, sizeof(section), "\n## %s\n", description.name);
        if (strstr(manual, section) == NULL)
            fail_msg("docs/options.md has no section for %s", description.name);
    }
    assert_int_not_equal(*cursor, '|');
    free(manual);
}

static void every_example_in_the_manual_parses_without_complaint(void **state)
{
    static const char opening[] = "LEAKSHIM_OPTIONS='";
    char *manual = read_manual();
    char *cursor = manual;
    size_t examples = 0;

    (void)state;
    while ((cursor = strstr(cursor, opening)) != NULL) {
        char *end;

        cursor += sizeof(opening) - 1;
        end = strchr(cursor, '\'');
        assert_non_null(end);
        *end = '\0';
        parse(cursor);
        if (heard.count != 0)
            fail_msg("%s: %s", cursor, heard.first);
        examples++;
        cursor = end + 1;
    }
    assert_true(examples >= 14);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_contract),
        cmocka_unit_test(no_text_blanks_and_stray_commas_leave_the_defaults_without_complaint),
        cmocka_unit_test(every_key_can_be_set_in_one_string),
        cmocka_unit_test(blanks_around_keys_values_and_list_items_do_not_matter),
        cmocka_unit_test(a_resource_is_tracked_when_its_bit_is_set),
        cmocka_unit_test(without_only_every_program_is_wanted),
        cmocka_unit_test(with_only_exactly_the_named_programs_are_wanted),
        cmocka_unit_test(the_last_of_several_entries_with_one_key_wins),
        cmocka_unit_test(a_refused_value_keeps_what_stood_before_and_says_so),
        cmocka_unit_test(an_unknown_key_is_named_and_the_nearest_known_one_suggested),
        cmocka_unit_test(an_unknown_key_near_to_none_gets_no_suggestion),
        cmocka_unit_test(a_key_without_a_value_is_reported),
        cmocka_unit_test(hostile_bytes_in_complaints_are_made_printable),
        cmocka_unit_test(the_longest_complaint_fits),
        cmocka_unit_test(a_flood_of_errors_ends_in_a_count),
        cmocka_unit_test(complaints_may_go_nowhere),
        cmocka_unit_test(good_entries_beside_bad_ones_still_count),
        cmocka_unit_test(writing_an_unknown_key_writes_nothing),
        cmocka_unit_test(every_key_is_described_with_the_default_that_holds),
        cmocka_unit_test(the_table_in_the_manual_is_the_one_in_the_code),
        cmocka_unit_test(every_example_in_the_manual_parses_without_complaint),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
