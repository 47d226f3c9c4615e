#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "report/metrics_sites.h"
#include "report/utf8.h"
#include "report_fixture.h"
#include "report_output.h"

/* The labels of the run in fixture_leaking_node, and of its socket site. */
#define RUN    "program=\"node\",pid=\"4242\",run=\"node.4242.20261121T083006Z\""
#define ACCEPT ",id=\"51c0de5a77e000a3\",function=\"uv__server_io\""

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

static size_t samples_of(const char *text, const char *family)
{
    size_t length = strlen(family);
    size_t count = 0;

    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, family, length) == 0 && line[length] == '{';
    return count;
}

static void assert_valid_utf8(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint32_t character;
        size_t taken = ls_utf8_decode(bytes + i, length - i, &character);

        assert_true(character != LS_UTF8_REPLACEMENT || taken == 3);
        i += taken;
    }
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
    assert_non_null(strstr(output.bytes, "\nleakshim_verdict{" RUN ",state=\"leaking\"} 1\n"));
    assert_non_null(strstr(output.bytes, "\nleakshim_verdict{" RUN ",state=\"clean\"} 0\n"));
    assert_non_null(strstr(output.bytes, "\nleakshim_verdict{" RUN ",state=\"fragmenting\"} 0\n"));
    assert_non_null(strstr(output.bytes, "\nleakshim_verdict{" RUN ",state=\"learning\"} 0\n"));
    fixture_output_free(&output);
}

static void a_limit_never_reached_is_infinitely_far_away(void **state)
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    snapshot.memory.seconds_to_limit = -1;
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    assert_non_null(
        strstr(output.bytes, "\nleakshim_memory_limit_reached_in_seconds{" RUN "} +Inf\n"));
    fixture_output_free(&output);
}

/* What a process held is not told once it is gone; its counters and its end are. */
static void a_process_that_has_ended_holds_nothing(void **state)
{
    static const char *const kept[] = {
        "process_start_time_seconds",    "leakshim_last_written_timestamp_seconds",
        "leakshim_interval_seconds",     "leakshim_final",
        "leakshim_summaries_total",      "leakshim_lost_acquires_total",
        "leakshim_lost_releases_total",  "leakshim_sites_overflowed_total",
        "leakshim_own_cpu_seconds_total"};
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    assert_non_null(strstr(output.bytes, "\nleakshim_final{" RUN "} 0\n"));
    fixture_output_free(&output);

    snapshot.final = true;
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    assert_non_null(strstr(output.bytes, "\nleakshim_final{" RUN "} 1\n"));
    read_exposition(output.bytes);
    assert_int_equal(exposition.family_count, LS_ARRAY_LENGTH(kept));
    for (size_t i = 0; i < LS_ARRAY_LENGTH(kept); i++)
        assert_string_equal(exposition.families[i], kept[i]);
    fixture_output_free(&output);
}

static void peers_are_counted_by_address_and_error(void **state)
{
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    (void)state;
    fixture_leaking_node(&snapshot);
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    assert_non_null(strstr(output.bytes, "\nleakshim_peer_opened_total{" RUN ACCEPT
                                         ",peer=\"0.0.0.0:3000\"} 1004\n"));
    assert_non_null(strstr(output.bytes, "\nleakshim_peer_failed_total{" RUN ACCEPT
                                         ",peer=\"0.0.0.0:3000\"} 0\n"));
    assert_non_null(strstr(output.bytes,
                           "\nleakshim_peer_errors_total{" RUN ACCEPT
                           ",peer=\"[2001:db8:85a3::8a2e:370:7334]:65535\",error=\"ETIMEDOUT\"} "
                           "2\n"));
    assert_null(strstr(output.bytes, ",peer=\"\""));
    fixture_output_free(&output);
}

static void two_peers_that_look_the_same_are_one(void **state)
{
    static const struct ls_snapshot_peer peers[] = {
        {.address = "@a\x01", .opened = 3, .connect_p50_s = -1, .life_p50_s = -1},
        {.address = "@a\x02", .opened = 2, .connect_p50_s = -1, .life_p50_s = -1},
        {.address = "@a\xff", .opened = 1, .connect_p50_s = -1, .life_p50_s = -1},
        {.address = "@a", .opened = 1, .connect_p50_s = -1, .life_p50_s = -1},
        {.address = "@a\n", .opened = 1, .connect_p50_s = -1, .life_p50_s = -1},
    };
    struct ls_snapshot_site sites[2] = {{.id = 1, .function = "one", .location = ""},
                                        {.id = 2, .function = "one", .location = ""}};
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sites[i].resource = LS_RESOURCE_SOCKET;
        sites[i].peers = peers;
        sites[i].peer_count = LS_ARRAY_LENGTH(peers);
    }
    fixture_leaking_node(&snapshot);
    snapshot.sites = sites;
    snapshot.site_count = 2;
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    read_exposition(output.bytes);
    assert_int_equal(samples_of(output.bytes, "leakshim_peer_opened_total"), 2 * 3);
    assert_non_null(strstr(output.bytes, ",peer=\"@a\xef\xbf\xbd\"} 3\n"));
    fixture_output_free(&output);
}

static void the_number_of_peers_is_bounded(void **state)
{
    static struct ls_snapshot_site sites[50];
    static struct ls_snapshot_peer peers[50][LS_SNAPSHOT_PEERS_MAX];
    static char addresses[LS_SNAPSHOT_PEERS_MAX][16];
    struct fixture_output output = {0};
    struct ls_snapshot snapshot;

    (void)state;
    for (size_t i = 0; i < 50; i++) {
        for (size_t k = 0; k < LS_SNAPSHOT_PEERS_MAX; k++) {
            snprintf(addresses[k], sizeof(addresses[k]), "10.0.0.%zu:80", k);
            peers[i][k] = (struct ls_snapshot_peer){
                .address = addresses[k], .opened = (double)i, .failed = i == 7 && k == 3};
        }
        sites[i] = (struct ls_snapshot_site){.id = i,
                                             .resource = LS_RESOURCE_SOCKET,
                                             .function = "",
                                             .location = "",
                                             .peers = peers[i],
                                             .peer_count = LS_SNAPSHOT_PEERS_MAX};
    }
    fixture_leaking_node(&snapshot);
    snapshot.sites = sites;
    snapshot.site_count = 50;
    assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
    read_exposition(output.bytes);
    assert_int_equal(samples_of(output.bytes, "leakshim_peer_opened_total"), LS_METRICS_PEERS_MAX);
    /* The one that fails is listed, though others are busier. */
    assert_non_null(
        strstr(output.bytes, "id=\"0000000000000007\",function=\"\",peer=\"10.0.0.3:80\"} 7\n"));
    fixture_output_free(&output);
}

static char hostile_byte(unsigned *seed)
{
    static const char favourites[] =
        "\"\\\n\r\t{},=# \x01\x7f\xc3\xa9\xe2\x80\xae\xf0\x9f\x90\x9b\xff\xed\xa0\x80";
    unsigned value;

    *seed = *seed * 1103515245u + 12345u;
    value = *seed >> 16;
    if (value % 2 == 0)
        return (char)(1 + value / 2 % 255);
    return favourites[value / 2 % (sizeof(favourites) - 1)];
}

static const char *hostile_text(unsigned *seed, char *text, size_t capacity)
{
    size_t length = (unsigned char)hostile_byte(seed) % capacity;

    for (size_t i = 0; i < length; i++)
        text[i] = hostile_byte(seed);
    text[length] = '\0';
    return text;
}

/* Whatever the names: each line is a sample, all of it is UTF-8, no series is there twice. */
static void hostile_names_never_break_the_format(void **state)
{
    static char texts[8][300];
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct ls_snapshot_peer peers[2] = {{.opened = 1}, {.opened = 1, .error_count = 1}};
        struct ls_snapshot_site site = {.resource = LS_RESOURCE_SOCKET, .peers = peers};
        struct ls_snapshot_event_loop loop = {.number = 1};
        struct ls_snapshot_isolate isolate = {.number = 1};
        struct fixture_output output = {0};
        struct ls_snapshot snapshot;

        fixture_leaking_node(&snapshot);
        snapshot.process.program = hostile_text(&seed, texts[0], sizeof(texts[0]));
        snapshot.process.run = hostile_text(&seed, texts[1], sizeof(texts[1]));
        site.function = hostile_text(&seed, texts[2], sizeof(texts[2]));
        site.location = hostile_text(&seed, texts[3], sizeof(texts[3]));
        peers[0].address = hostile_text(&seed, texts[4], 4);
        peers[1].address = hostile_text(&seed, texts[5], 4);
        peers[1].errors[0].name = "ECONNREFUSED";
        site.peer_count = 2;
        loop.thread = hostile_text(&seed, texts[6], 16);
        isolate.thread = hostile_text(&seed, texts[7], 16);
        snapshot.sites = &site;
        snapshot.site_count = 1;
        snapshot.event_loops = &loop;
        snapshot.event_loop_count = 1;
        snapshot.isolates = &isolate;
        snapshot.isolate_count = 1;
        assert_int_equal(fixture_write(ls_report_write_metrics, &snapshot, &output), 0);
        read_exposition(output.bytes);
        assert_valid_utf8(output.bytes, output.length);
        assert_int_equal(samples_of(output.bytes, "leakshim_site_live_bytes"), 1);
        fixture_output_free(&output);
    }
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
        cmocka_unit_test(a_process_that_has_ended_holds_nothing),
        cmocka_unit_test(peers_are_counted_by_address_and_error),
        cmocka_unit_test(two_peers_that_look_the_same_are_one),
        cmocka_unit_test(the_number_of_peers_is_bounded),
        cmocka_unit_test(hostile_names_never_break_the_format),
        cmocka_unit_test(the_error_of_a_sink_that_fails_anywhere_is_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
