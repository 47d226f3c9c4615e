#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report_fixture.h"
#include "report_output.h"

#define FAMILIES_MAX 64
#define SERIES_MAX   4096

/* What has been read of the exposition so far. */
struct exposition {
    char families[FAMILIES_MAX][96];
    char types[FAMILIES_MAX][16];
    size_t family_count;
    char *series[SERIES_MAX];
    size_t series_count;
};

static struct exposition exposition;

static void read_type(const char *line)
{
    size_t at = exposition.family_count++;

    assert_true(at < FAMILIES_MAX);
    assert_int_equal(
        sscanf(line, "# TYPE %95s %15s", exposition.families[at], exposition.types[at]), 2);
    for (size_t i = 0; i < at; i++)
        assert_string_not_equal(exposition.families[i], exposition.families[at]);
}

/* name{label="value",…}: returns the end. */
static const char *read_labels(const char *at)
{
    if (*at != '{')
        return at;
    do {
        at++;
        while (isalnum((unsigned char)*at) || *at == '_')
            at++;
        assert_memory_equal(at, "=\"", 2);
        for (at += 2; *at != '"'; at++) {
            assert_true((unsigned char)*at >= 0x20);
            if (*at == '\\') {
                at++;
                assert_non_null(strchr("\\\"n", *at));
            }
        }
        at++;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

static void read_sample(const char *line)
{
    const char *at = line;
    const char *family = exposition.families[exposition.family_count - 1];
    const char *type = exposition.types[exposition.family_count - 1];
    char *end;

    while (isalnum((unsigned char)*at) || *at == '_')
        at++;
    assert_int_equal((size_t)(at - line), strlen(family));
    assert_memory_equal(line, family, strlen(family));
    if (strcmp(type, "counter") == 0)
        assert_string_equal(family + strlen(family) - 6, "_total");
    else
        assert_string_not_equal(family + strlen(family) - 6, "_total");
    at = read_labels(at);
    assert_true(exposition.series_count < SERIES_MAX);
    exposition.series[exposition.series_count] = strndup(line, (size_t)(at - line));
    for (size_t i = 0; i < exposition.series_count; i++)
        assert_string_not_equal(exposition.series[i], exposition.series[exposition.series_count]);
    exposition.series_count++;
    assert_int_equal(*at, ' ');
    strtod(at + 1, &end);
    assert_int_equal(*end, '\0');
}

/* Every line is HELP, TYPE or a sample of the family that was announced last; no series twice. */
static void read_exposition(char *text)
{
    memset(&exposition, 0, sizeof(exposition));
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');

        assert_non_null(end);
        *end = '\0';
        if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(line);
        else if (strncmp(line, "# HELP ", 7) != 0)
            read_sample(line);
        *end = '\n';
        line = end + 1;
    }
    for (size_t i = 0; i < exposition.series_count; i++)
        free(exposition.series[i]);
}

static void golden(const char *name, void (*fixture)(struct ls_snapshot *))
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    fixture(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    read_exposition(output.bytes);
    fixture_assert_golden(name, &output);
    fixture_output_free(&output);
}

static void the_leaking_node_metrics_match_their_golden_file(void **state)
{
    (void)state;
    golden("leaking.metrics.prom", fixture_leaking_node);
}

static void the_clean_service_metrics_match_their_golden_file(void **state)
{
    (void)state;
    golden("clean.metrics.prom", fixture_clean_service);
}

static void the_hostile_metrics_match_their_golden_file(void **state)
{
    (void)state;
    golden("hostile.metrics.prom", fixture_hostile_degraded);
}

static void the_verdict_is_a_state_set_with_one_state_on(void **state)
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    assert_non_null(strstr(output.bytes, "\nleakshim_verdict{state=\"leaking\"} 1\n"));
    assert_non_null(strstr(output.bytes, "\nleakshim_verdict{state=\"clean\"} 0\n"));
    assert_non_null(strstr(output.bytes, "\nleakshim_verdict{state=\"fragmenting\"} 0\n"));
    assert_non_null(strstr(output.bytes, "\nleakshim_verdict{state=\"learning\"} 0\n"));
    fixture_output_free(&output);
}

static void a_limit_never_reached_is_infinitely_far_away(void **state)
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_clean_service(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    assert_non_null(strstr(output.bytes, "\nleakshim_memory_limit_reached_in_seconds +Inf\n"));
    fixture_output_free(&output);
}

static void the_error_of_a_sink_that_fails_anywhere_is_returned(void **state)
{
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    for (size_t limit = 1; limit < 9000; limit += 997) {
        struct fixture_output output = {.limit = limit};

        assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), -ENOSPC);
        assert_int_equal(output.calls_after_error, 0);
        fixture_output_free(&output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_leaking_node_metrics_match_their_golden_file),
        cmocka_unit_test(the_clean_service_metrics_match_their_golden_file),
        cmocka_unit_test(the_hostile_metrics_match_their_golden_file),
        cmocka_unit_test(the_verdict_is_a_state_set_with_one_state_on),
        cmocka_unit_test(a_limit_never_reached_is_infinitely_far_away),
        cmocka_unit_test(the_error_of_a_sink_that_fails_anywhere_is_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
