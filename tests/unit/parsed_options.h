/*
 * Parsing with an ear for the complaints, for the tests of options and of their values. Included
 * once, behind cmocka.h, in a test program.
 */
#ifndef LS_TESTS_PARSED_OPTIONS_H
#define LS_TESTS_PARSED_OPTIONS_H

#include <stdint.h>
#include <string.h>

#include "runtime/options.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct {
    size_t count;
    size_t longest;
    char first[LS_OPTIONS_COMPLAINT_MAX];
    char last[LS_OPTIONS_COMPLAINT_MAX];
} heard;

static void hear(void *context, const char *line)
{
    size_t length = strlen(line);

    assert_ptr_equal(context, &heard);
    assert_true(length < sizeof(heard.last));
    for (const char *cursor = line; *cursor != '\0'; cursor++)
        assert_true(*cursor >= ' ' && *cursor <= '~');
    memcpy(heard.count == 0 ? heard.first : heard.last, line, length + 1);
    if (length > heard.longest)
        heard.longest = length;
    heard.count++;
}

static struct ls_options parse(const char *string)
{
    struct ls_options options;

    memset(&heard, 0, sizeof(heard));
    memset(&options, 0xa5, sizeof(options));
    ls_options_defaults(&options);
    ls_options_parse(&options, string, hear, &heard);
    return options;
}

/* What is not understood must be reported once and change nothing at all. */
static void assert_refused(const char *string, const char *complaint)
{
    struct ls_options options = parse(string);
    struct ls_options defaults;

    ls_options_defaults(&defaults);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.first, complaint);
    assert_memory_equal(&options, &defaults, sizeof(options));
}

#define assert_value(string, member, expected)                                                     \
    do {                                                                                           \
        struct ls_options parsed = parse(string);                                                  \
        if (heard.count != 0)                                                                      \
            fail_msg("%s: %s", (string), heard.first);                                             \
        assert_int_equal(parsed.member, (expected));                                               \
    } while (0)

#define assert_not_a(kind_and_range, key, value, standing)                                         \
    assert_refused(key "=" value, "option '" key "' is '" value "', expected " kind_and_range      \
                                  "; using '" standing "'")

#endif
