#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "report/calendar.h"
#include "report/line.h"
#include "report/units.h"
#include "report/utf8.h"
#include "report_fixture.h"
#include "report_output.h"

static char buffer[4096];

static const char *size(double bytes)
{
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_units_size(&text, bytes);
    return buffer;
}

static const char *size_rate(double bytes_per_s)
{
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_units_size_rate(&text, bytes_per_s);
    return buffer;
}

static const char *with(void (*unit)(struct ls_text *, double), double value)
{
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    unit(&text, value);
    return buffer;
}

static void sizes_take_the_unit_that_fits(void **state)
{
    (void)state;
    assert_string_equal(size(0), "0 B");
    assert_string_equal(size(1023), "1023 B");
    assert_string_equal(size(1023.7), "1 KiB");
    assert_string_equal(size(1536), "1.5 KiB");
    assert_string_equal(size(1048575), "1 MiB");
    assert_string_equal(size(62.14 * 1048576), "62.1 MiB");
    assert_string_equal(size(512.0 * 1048576), "512 MiB");
    assert_string_equal(size(-2048), "-2 KiB");
    assert_string_equal(size(__builtin_nan("")), "0 B");
    assert_string_equal(with(ls_units_round_size, 16106127360.0), "15 GiB");
}

static void rates_carry_their_sign_and_turn_to_hours_when_slow(void **state)
{
    (void)state;
    assert_string_equal(size_rate(433333.3), "+26 MB/min");
    assert_string_equal(size_rate(356666.7), "+21.4 MB/min");
    assert_string_equal(size_rate(-2000), "-120 kB/min");
    assert_string_equal(size_rate(100), "+360 kB/h");
    assert_string_equal(size_rate(0), "0 B/min");
    assert_string_equal(size_rate(-0.0000001), "0 B/min");
    assert_string_equal(size_rate(__builtin_inf()), "0 B/min");
    assert_string_equal(with(ls_units_count_rate, 17), "+1,020/min");
    assert_string_equal(with(ls_units_count_rate, 0.001), "+3.6/h");
    assert_string_equal(with(ls_units_count_rate, -0.05), "-3/min");
}

static void durations_read_like_speech(void **state)
{
    (void)state;
    assert_string_equal(with(ls_units_duration, 0.84), "0.8 s");
    assert_string_equal(with(ls_units_duration, 9.97), "10 s");
    assert_string_equal(with(ls_units_duration, 80.26), "1 min 20 s");
    assert_string_equal(with(ls_units_duration, 3600), "1 h");
    assert_string_equal(with(ls_units_duration, 187500), "2 d 4 h");
    assert_string_equal(with(ls_units_duration, -3), "0 s");
    assert_string_equal(with(ls_units_rough_duration, 856), "14 min");
    assert_string_equal(with(ls_units_rough_duration, 100), "100 s");
    assert_string_equal(with(ls_units_rough_duration, 6000), "100 min");
    assert_string_equal(with(ls_units_rough_duration, 10800), "3 h");
    assert_string_equal(with(ls_units_rough_duration, 8.64e6), "100 d");
}

static const char *range(double low, double high)
{
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_units_rough_range(&text, low, high);
    return buffer;
}

static void ranges_keep_to_one_unit(void **state)
{
    (void)state;
    assert_string_equal(range(741, 1013), "12 to 17 min");
    assert_string_equal(range(110, 150), "110 to 150 s");
    assert_string_equal(range(741, 745), "12 min");
    assert_string_equal(range(741, -1), "12 min or more");
    assert_string_equal(range(0, 0.2), "0 s");
}

static void shares_and_delays_do_not_round_to_a_lie(void **state)
{
    (void)state;
    assert_string_equal(with(ls_units_share, 0.9615), "96 %");
    assert_string_equal(with(ls_units_share, 0.998), "99 %");
    assert_string_equal(with(ls_units_share, 1.4), "100 %");
    assert_string_equal(with(ls_units_share, 0.002), "0.2 %");
    assert_string_equal(with(ls_units_share, 0.0001), "<0.1 %");
    assert_string_equal(with(ls_units_share, __builtin_nan("")), "0 %");
    assert_string_equal(with(ls_units_delay, 0.000085), "85 us");
    assert_string_equal(with(ls_units_delay, 0.0042), "4.2 ms");
    assert_string_equal(with(ls_units_delay, 0.9996), "1 s");
    assert_string_equal(with(ls_units_delay, 12.4), "12 s");
    assert_string_equal(with(ls_units_count, 1234567), "1,234,567");
    assert_string_equal(with(ls_units_count, -1234), "-1,234");
}

static void dates_are_right_at_leap_days_and_ends(void **state)
{
    (void)state;
    assert_string_equal(with(ls_calendar_rfc3339, 0), "1970-01-01T00:00:00.000Z");
    assert_string_equal(with(ls_calendar_rfc3339, 951782399.999), "2000-02-28T23:59:59.999Z");
    assert_string_equal(with(ls_calendar_compact, 951782400), "20000229T000000Z");
    assert_string_equal(with(ls_calendar_compact, 4107542400.0), "21000301T000000Z");
    assert_string_equal(with(ls_calendar_readable, 1795249886.5), "2026-11-21 08:31:26 UTC");
    assert_string_equal(with(ls_calendar_compact, __builtin_nan("")), "19700101T000000Z");
    assert_string_equal(with(ls_calendar_compact, 1e30), "99991231T235959Z");
}

static void names_lose_control_characters_and_long_paths_their_start(void **state)
{
    struct ls_line line;

    (void)state;
    ls_line_init(&line);
    ls_line_name(&line, "\x1b[31mred\xff", 20);
    assert_string_equal(line.bytes, "\xef\xbf\xbd[31mred\xef\xbf\xbd");
    assert_int_equal(ls_line_width(&line), 9);

    ls_line_init(&line);
    ls_line_name(&line, "abcdefghij", 5);
    assert_string_equal(line.bytes, "abcd" LS_UTF8_ELLIPSIS);

    ls_line_init(&line);
    ls_line_path(&line, "/srv/app/node_modules/thing/lib/index.js:12", 22);
    assert_string_equal(line.bytes, LS_UTF8_ELLIPSIS "/lib/index.js:12");

    ls_line_init(&line);
    ls_line_path(&line, "node+0x1234", 22);
    assert_string_equal(line.bytes, "node+0x1234");
}

static void a_name_longer_than_a_line_is_cut_and_stays_valid(void **state)
{
    static char name[3 * LS_LINE_BYTES + 1];
    struct ls_line line;
    uint32_t character;

    (void)state;
    for (size_t i = 0; i < sizeof(name) - 1; i += 3)
        memcpy(name + i, "\xe2\x82\xac", 3);
    ls_line_init(&line);
    ls_line_name(&line, name, sizeof(name));
    assert_true(line.text.length < LS_LINE_BYTES);
    for (size_t i = 0; i < line.text.length;) {
        i += ls_utf8_decode(line.bytes + i, line.text.length - i, &character);
        assert_int_not_equal(character, LS_UTF8_REPLACEMENT);
    }
    assert_string_equal(line.bytes + line.text.length - 3, LS_UTF8_ELLIPSIS);
}

static const char *message(const struct ls_snapshot *snapshot)
{
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_report_message(snapshot, &text);
    return buffer;
}

static void the_message_names_slope_limit_and_share(void **state)
{
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    snapshot.verdict.rising_sites = 2;
    assert_string_equal(
        message(&snapshot),
        "leaking: +26 MB/min, 512 MiB limit reached in about 14 min (12 to 17 min); "
        "2 rising sites explain 96 % of the growth");
    snapshot.verdict.rising_sites = 1;
    snapshot.process.limit_bytes = 0;
    assert_string_equal(message(&snapshot), "leaking: +26 MB/min, no memory limit is set; "
                                            "1 rising site explains 96 % of the growth");
    snapshot.verdict.explained_growth_share = 0;
    snapshot.final = true;
    assert_string_equal(message(&snapshot), "leaking: +26 MB/min, ended after 1 min 20 s at "
                                            "148 MiB; 1 rising site");
}

static void the_message_makes_no_forecast_it_cannot_keep(void **state)
{
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    snapshot.memory.seconds_to_limit = -1;
    assert_string_equal(message(&snapshot), "leaking: +26 MB/min, 512 MiB limit not in sight; "
                                            "3 rising sites explain 96 % of the growth");
    snapshot.memory.rss_growth_bytes_per_s = 0;
    assert_string_equal(message(&snapshot), "leaking: 3 rising sites grow +25 MB/min, not yet seen "
                                            "in resident memory");
    snapshot.verdict.rising_growth_bytes_per_s = 0;
    snapshot.verdict.rising_sites = 1;
    snapshot.sites += 2;
    assert_string_equal(message(&snapshot), "leaking: +126 sockets/min at 1 rising site");
}

static void the_message_is_honest_when_learning_clean_or_fragmenting(void **state)
{
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    snapshot.verdict.state = LS_PROCESS_LEARNING;
    assert_string_equal(message(&snapshot), "learning: no verdict yet after 1 min 20 s, "
                                            "148 MiB of 512 MiB resident, so far +26 MB/min");
    snapshot.process.uptime_s = 6;
    assert_string_equal(message(&snapshot), "learning: too early for a verdict after 6 s, "
                                            "148 MiB of 512 MiB resident, so far +26 MB/min");
    snapshot.process.uptime_s = 80;
    snapshot.verdict.state = LS_PROCESS_FRAGMENTING;
    assert_string_equal(message(&snapshot),
                        "fragmenting: resident memory +26 MB/min, 512 MiB limit "
                        "reached in about 14 min (12 to 17 min); live memory does not grow "
                        "with it");
    snapshot.verdict.state = LS_PROCESS_CLEAN;
    snapshot.health.state = LS_HEALTH_DEGRADED;
    assert_string_equal(message(&snapshot), "clean: nothing rises after 1 min 20 s, 148 MiB of "
                                            "512 MiB resident (part of it untracked, see health)");
    snapshot.health.state = LS_HEALTH_OFF;
    snapshot.verdict.state = LS_PROCESS_LEARNING;
    snapshot.final = true;
    snapshot.process.limit_bytes = 0;
    assert_string_equal(message(&snapshot), "learning: too short for a verdict, ended after 1 min "
                                            "20 s at 148 MiB (tracking has stopped, see health)");
}

static void golden(const char *name, void (*fixture)(struct ls_snapshot *))
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    fixture(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_text, &snapshot, &output), 0);
    fixture_assert_golden(name, &output);
    fixture_output_free(&output);
}

static void the_leaking_node_summary_matches_its_golden_file(void **state)
{
    (void)state;
    golden("leaking.summary.txt", fixture_leaking_node);
}

static void the_clean_service_summary_matches_its_golden_file(void **state)
{
    (void)state;
    golden("clean.summary.txt", fixture_clean_service);
}

static void the_hostile_summary_matches_its_golden_file(void **state)
{
    (void)state;
    golden("hostile.summary.txt", fixture_hostile_degraded);
}

static void no_byte_a_terminal_would_obey_comes_through(void **state)
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;
    uint32_t character;

    (void)state;
    fixture_hostile_degraded(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_text, &snapshot, &output), 0);
    for (size_t i = 0; i < output.length;) {
        i += ls_utf8_decode(output.bytes + i, output.length - i, &character);
        assert_true(character == '\n' || !ls_utf8_is_control(character));
    }
    fixture_output_free(&output);
}

static size_t widest_line(const struct fixture_output *output)
{
    size_t widest = 0;
    size_t width = 0;
    uint32_t character;

    for (size_t i = 0; i < output->length;) {
        i += ls_utf8_decode(output->bytes + i, output->length - i, &character);
        width = character == '\n' ? 0 : width + 1;
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void lines_keep_to_a_hundred_columns_after_the_verdict(void **state)
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;
    struct ls_snapshot_site site;
    static char name[4097];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    fixture_leaking_node(&snapshot);
    snapshot.verdict.message = "leaking";
    site = snapshot.sites[0];
    site.function = name;
    site.location = name;
    snapshot.sites = &site;
    snapshot.site_count = 1;
    snapshot.process.command = name;
    assert_int_equal(fixture_write(ls_report_write_text, &snapshot, &output), 0);
    assert_true(widest_line(&output) <= 100);
    fixture_output_free(&output);
}

static void many_sites_are_listed_briefly_and_the_rest_counted(void **state)
{
    static struct ls_snapshot_site sites[60];
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    for (size_t i = 0; i < 60; i++)
        sites[i] = snapshot.sites[i < 30 ? 0 : 3];
    snapshot.sites = sites;
    snapshot.site_count = 60;
    snapshot.verdict.rising_sites = 33;
    assert_int_equal(fixture_write(ls_report_write_text, &snapshot, &output), 0);
    assert_non_null(strstr(output.bytes, "\n30  js "));
    assert_non_null(strstr(output.bytes, "    and 3 more that rise"));
    assert_non_null(strstr(output.bytes, "    and 10 more in summary.json"));
    assert_true(output.length < 16000);
    fixture_output_free(&output);
}

static void an_empty_snapshot_prints(void **state)
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot = {
        .process = {.command = "", .program = "", .run = "", .limit_source = "none"},
        .settings = {.mode = "", .track = "", .allocator = ""},
        .verdict = {.message = "learning"},
    };

    (void)state;
    assert_int_equal(fixture_write(ls_report_write_text, &snapshot, &output), 0);
    assert_memory_equal(output.bytes, "learning\n", 9);
    fixture_output_free(&output);
}

static void the_error_of_a_sink_that_fails_anywhere_is_returned(void **state)
{
    struct fixture_output whole = {0};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_text, &snapshot, &whole), 0);
    for (size_t limit = 1; limit < whole.length; limit += 97) {
        struct fixture_output output = {.limit = limit};

        assert_int_equal(fixture_write(ls_report_write_text, &snapshot, &output), -ENOSPC);
        assert_int_equal(output.calls_after_error, 0);
        fixture_output_free(&output);
    }
    fixture_output_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_take_the_unit_that_fits),
        cmocka_unit_test(rates_carry_their_sign_and_turn_to_hours_when_slow),
        cmocka_unit_test(durations_read_like_speech),
        cmocka_unit_test(ranges_keep_to_one_unit),
        cmocka_unit_test(shares_and_delays_do_not_round_to_a_lie),
        cmocka_unit_test(dates_are_right_at_leap_days_and_ends),
        cmocka_unit_test(names_lose_control_characters_and_long_paths_their_start),
        cmocka_unit_test(a_name_longer_than_a_line_is_cut_and_stays_valid),
        cmocka_unit_test(the_message_names_slope_limit_and_share),
        cmocka_unit_test(the_message_makes_no_forecast_it_cannot_keep),
        cmocka_unit_test(the_message_is_honest_when_learning_clean_or_fragmenting),
        cmocka_unit_test(the_leaking_node_summary_matches_its_golden_file),
        cmocka_unit_test(the_clean_service_summary_matches_its_golden_file),
        cmocka_unit_test(the_hostile_summary_matches_its_golden_file),
        cmocka_unit_test(no_byte_a_terminal_would_obey_comes_through),
        cmocka_unit_test(lines_keep_to_a_hundred_columns_after_the_verdict),
        cmocka_unit_test(many_sites_are_listed_briefly_and_the_rest_counted),
        cmocka_unit_test(an_empty_snapshot_prints),
        cmocka_unit_test(the_error_of_a_sink_that_fails_anywhere_is_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
