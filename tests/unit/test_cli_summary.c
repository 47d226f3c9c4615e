#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/gate.h"
#include "cli/summary.h"
#include "report_fixture.h"
#include "report_output.h"

static char reason[LS_SUMMARY_REASON_MAX];

/* What the library writes of a snapshot, to be freed. */
static struct fixture_output json_of(void (*fixture)(struct ls_snapshot *))
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    fixture(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_json, &snapshot, &output), 0);
    return output;
}

/* What was read is written again: nothing may be lost or changed on the way. */
static void comes_back(void (*fixture)(struct ls_snapshot *))
{
    struct fixture_output first = json_of(fixture);
    struct fixture_output again = {0};
    struct ls_summary summary;

    assert_int_equal(ls_summary_parse(first.bytes, first.length, &summary, reason), 0);
    assert_int_equal(fixture_write(ls_report_write_json, &summary.snapshot, &again), 0);
    assert_string_equal(again.bytes, first.bytes);
    ls_summary_free(&summary);
    fixture_output_free(&first);
    fixture_output_free(&again);
}

static void a_summary_that_is_read_is_the_one_that_was_written(void **state)
{
    (void)state;
    comes_back(fixture_leaking_node);
    comes_back(fixture_clean_service);
}

static void the_text_of_a_summary_that_was_read_is_the_library_s(void **state)
{
    struct fixture_output json = json_of(fixture_leaking_node);
    struct fixture_output text = {0};
    struct ls_summary summary;

    (void)state;
    assert_int_equal(ls_summary_parse(json.bytes, json.length, &summary, reason), 0);
    assert_int_equal(fixture_write(ls_report_write_text, &summary.snapshot, &text), 0);
    fixture_assert_golden("leaking.summary.txt", &text);
    ls_summary_free(&summary);
    fixture_output_free(&json);
    fixture_output_free(&text);
}

static void hostile_names_are_read(void **state)
{
    struct fixture_output json = json_of(fixture_hostile_degraded);
    struct ls_summary summary;

    (void)state;
    assert_int_equal(ls_summary_parse(json.bytes, json.length, &summary, reason), 0);
    assert_int_equal(summary.snapshot.health.state, LS_HEALTH_DEGRADED);
    ls_summary_free(&summary);
    fixture_output_free(&json);
}

static void a_summary_cut_anywhere_is_an_error(void **state)
{
    struct fixture_output json = json_of(fixture_leaking_node);
    struct ls_summary summary;

    (void)state;
    /* The line feed at the end may be missing, the brace before it not. */
    for (size_t length = 0; length < json.length - 1; length += length < 64 ? 1 : 61) {
        reason[0] = '\0';
        assert_int_equal(ls_summary_parse(json.bytes, length, &summary, reason), -EINVAL);
        assert_int_not_equal(reason[0], '\0');
    }
    fixture_output_free(&json);
}

/* Renames each key in turn: its absence has to be seen. */
static void a_field_that_is_missing_is_an_error(void **state)
{
    static const char *const keys[] = {
        "schema",     "written_at",   "sequence",    "final",
        "process",    "pid",          "uptime_s",    "started_at",
        "settings",   "mode",         "health",      "notes",
        "memory",     "rss_bytes",    "verdict",     "state",
        "message",    "rising_sites", "sites",       "id",
        "resource",   "live_bytes",   "stack",       "series",
        "confidence", "modules",      "event_loops", "growth_bytes_per_s",
    };
    struct fixture_output json = json_of(fixture_leaking_node);
    struct ls_summary summary;

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char key[64];
        char *place;

        snprintf(key, sizeof(key), "\"%s\":", keys[i]);
        place = strstr(json.bytes, key);
        assert_non_null(place);
        place[1] = 'X';
        if (ls_summary_parse(json.bytes, json.length, &summary, reason) != -EINVAL)
            fail_msg("%s was not missed", keys[i]);
        place[1] = keys[i][0];
    }
    assert_int_equal(ls_summary_parse(json.bytes, json.length, &summary, reason), 0);
    ls_summary_free(&summary);
    fixture_output_free(&json);
}

static void what_is_no_summary_is_named(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"", "is empty"},
        {"{}", "is not a summary of leakshim"},
        {"[]", "is not a summary of leakshim"},
        {"{\"schema\":\"leakshim-summary/2\"}", "has the schema leakshim-summary/2; this leakshim "
                                                "reads leakshim-summary/1"},
        {"{\"schema\":\"other/1\"}", "is not a summary of leakshim"},
        {"{\"schema\":\"leakshim-summary/1\"}", "has no field written_at"},
    };
    struct ls_summary summary;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ls_summary_parse(cases[i].text, strlen(cases[i].text), &summary, reason),
                         -EINVAL);
        assert_string_equal(reason, cases[i].reason);
    }
}

static void replace(char *bytes, const char *from, const char *to)
{
    char *place = strstr(bytes, from);

    assert_non_null(place);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(place, to, strlen(to));
}

static void a_word_that_is_not_known_is_an_error(void **state)
{
    struct fixture_output json = json_of(fixture_leaking_node);
    struct ls_summary summary;

    (void)state;
    replace(json.bytes, "\"verdict\":\"rising\"", "\"verdict\":\"raisin\"");
    assert_int_equal(ls_summary_parse(json.bytes, json.length, &summary, reason), -EINVAL);
    assert_string_equal(reason, "has a field verdict with the unknown value 'raisin'");
    fixture_output_free(&json);
}

/* Two runs of the leaking service in one gate. */
static void judge(const struct ls_criteria *criteria, struct ls_gate_result *result)
{
    static struct ls_run items[2];
    struct fixture_output json = json_of(fixture_leaking_node);
    struct ls_runs runs = {.items = items, .count = 2};

    for (size_t i = 0; i < 2; i++) {
        ls_summary_free(&items[i].summary);
        assert_int_equal(ls_summary_parse(json.bytes, json.length, &items[i].summary, reason), 0);
        items[i].directory = (char *)(i == 0 ? "first" : "second");
    }
    assert_true(ls_gate_judge(&runs, criteria, result));
    fixture_output_free(&json);
}

static struct ls_criteria criteria_of_default(void)
{
    return (struct ls_criteria){.fail_on = 1U << LS_FAIL_ON_LEAKING,
                                .resources = ~0U,
                                .max_growth_bytes_per_s = -1,
                                .max_live_bytes = -1,
                                .baseline_margin = 0.5};
}

static void a_site_of_many_runs_is_one_finding(void **state)
{
    struct ls_criteria criteria = criteria_of_default();
    struct ls_gate_result result;

    (void)state;
    judge(&criteria, &result);
    assert_int_equal(result.count, 3);
    assert_int_equal(result.failed, 3);
    assert_int_equal(result.findings[0].runs, 2);
    assert_string_equal(result.findings[0].site->function, "getData");
    ls_gate_free(&result);
}

static void growth_that_is_allowed_does_not_fail_unless_it_adds_up(void **state)
{
    struct ls_criteria criteria = criteria_of_default();
    struct ls_gate_result result;

    (void)state;
    criteria.max_growth_bytes_per_s = 200e3;
    judge(&criteria, &result);
    /* getData is faster and sockets have no size; Buffer.alloc passes. */
    assert_int_equal(result.failed, 2);
    ls_gate_free(&result);
    criteria.max_growth_bytes_per_s = 360e3;
    criteria.resources = 1U << LS_RESOURCE_HEAP | 1U << LS_RESOURCE_JS;
    judge(&criteria, &result);
    assert_int_equal(result.failed, 2);
    assert_int_equal(result.findings[0].kind, LS_FINDING_TOGETHER);
    ls_gate_free(&result);
    criteria.max_growth_bytes_per_s = 500e3;
    judge(&criteria, &result);
    assert_int_equal(result.failed, 0);
    assert_int_equal(result.count, 2);
    ls_gate_free(&result);
}

static void kinds_limits_and_verdicts_choose_what_fails(void **state)
{
    struct ls_criteria criteria = criteria_of_default();
    struct ls_gate_result result;

    (void)state;
    criteria.resources = 1U << LS_RESOURCE_SOCKET;
    judge(&criteria, &result);
    assert_int_equal(result.failed, 1);
    ls_gate_free(&result);
    criteria = criteria_of_default();
    criteria.fail_on = 1U << LS_FAIL_ON_NONE;
    judge(&criteria, &result);
    assert_int_equal(result.count, 0);
    ls_gate_free(&result);
    criteria.max_live_bytes = 40e6;
    judge(&criteria, &result);
    assert_int_equal(result.failed, 1);
    assert_int_equal(result.findings[0].kind, LS_FINDING_LIVE);
    ls_gate_free(&result);
}

static void only_new_and_faster_sites_fail_against_a_baseline(void **state)
{
    struct ls_baseline_site known = {.resource = LS_RESOURCE_JS,
                                     .function = "getData",
                                     .location = "cache.js:99",
                                     .growth_bytes_per_s = 300e3};
    struct ls_baseline baseline = {.sites = &known, .count = 1};
    struct ls_criteria criteria = criteria_of_default();
    struct ls_gate_result result;

    (void)state;
    criteria.baseline = &baseline;
    judge(&criteria, &result);
    assert_int_equal(result.failed, 2);
    assert_int_equal(result.findings[2].state, LS_FINDING_BASELINED);
    ls_gate_free(&result);
    known.growth_bytes_per_s = 100e3;
    judge(&criteria, &result);
    assert_int_equal(result.failed, 3);
    assert_non_null(strstr(result.findings[0].message, "baseline +6 MB/min"));
    ls_gate_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_summary_that_is_read_is_the_one_that_was_written),
        cmocka_unit_test(the_text_of_a_summary_that_was_read_is_the_library_s),
        cmocka_unit_test(hostile_names_are_read),
        cmocka_unit_test(a_summary_cut_anywhere_is_an_error),
        cmocka_unit_test(a_field_that_is_missing_is_an_error),
        cmocka_unit_test(what_is_no_summary_is_named),
        cmocka_unit_test(a_word_that_is_not_known_is_an_error),
        cmocka_unit_test(a_site_of_many_runs_is_one_finding),
        cmocka_unit_test(growth_that_is_allowed_does_not_fail_unless_it_adds_up),
        cmocka_unit_test(kinds_limits_and_verdicts_choose_what_fails),
        cmocka_unit_test(only_new_and_faster_sites_fail_against_a_baseline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
