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

static void golden(const char *name, void (*fixture)(struct ls_snapshot *))
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    fixture(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_history, &snapshot, &output), 0);
    assert_true(fixture_is_json(output.bytes, output.length));
    assert_ptr_equal(strchr(output.bytes, '\n'), output.bytes + output.length - 1);
    fixture_assert_golden(name, &output);
    fixture_output_free(&output);
}

static void the_leaking_node_line_matches_its_golden_file(void **state)
{
    (void)state;
    golden("leaking.history.jsonl", fixture_leaking_node);
}

static void the_clean_service_line_matches_its_golden_file(void **state)
{
    (void)state;
    golden("clean.history.jsonl", fixture_clean_service);
}

static void the_hostile_line_matches_its_golden_file(void **state)
{
    (void)state;
    golden("hostile.history.jsonl", fixture_hostile_degraded);
}

static void a_line_lists_ten_sites_and_stays_short_whatever_their_names(void **state)
{
    static struct ls_snapshot_site sites[50];
    static char name[4097];
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;
    size_t listed = 0;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    fixture_leaking_node(&snapshot);
    for (size_t i = 0; i < 50; i++) {
        sites[i] = snapshot.sites[0];
        sites[i].function = name;
    }
    snapshot.sites = sites;
    snapshot.site_count = 50;
    assert_int_equal(fixture_write(ls_report_write_history, &snapshot, &output), 0);
    for (const char *at = output.bytes; (at = strstr(at, "\"id\":")) != NULL; at++)
        listed++;
    assert_int_equal(listed, 10);
    assert_true(output.length < 4096);
    fixture_output_free(&output);
}

static void the_error_of_the_sink_is_returned(void **state)
{
    struct fixture_output output = {.limit = 100};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_history, &snapshot, &output), -ENOSPC);
    fixture_output_free(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_leaking_node_line_matches_its_golden_file),
        cmocka_unit_test(the_clean_service_line_matches_its_golden_file),
        cmocka_unit_test(the_hostile_line_matches_its_golden_file),
        cmocka_unit_test(a_line_lists_ten_sites_and_stays_short_whatever_their_names),
        cmocka_unit_test(the_error_of_the_sink_is_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
