/*
 * Many runs as one story: what a row of restarts has in common.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/gate.h"
#include "cli/report_formats.h"
#include "cli/story.h"
#include "cli/terminal.h"
#include "report/calendar.h"
#include "report/units.h"

#define RED   "\x1b[31m"
#define BOLD  "\x1b[1m"
#define PLAIN "\x1b[0m"

#define SITES_LISTED 20

static void print_text(FILE *file, const char *text, int columns)
{
    char clean[256];

    snprintf(clean, sizeof(clean), "%-*.*s", columns, 200, text);
    ls_terminal_print(file, clean);
}

static void print_padded(FILE *file, void (*unit)(struct ls_text *, double), double value,
                         int columns)
{
    char bytes[64];
    struct ls_text text;

    ls_text_init(&text, bytes, sizeof(bytes));
    unit(&text, value);
    fprintf(file, "%*s", columns, bytes);
}

static void write_run(const struct ls_run *run, double now, bool has_color, FILE *file)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;
    bool is_bad = snapshot->verdict.state == LS_PROCESS_LEAKING ||
                  snapshot->verdict.state == LS_PROCESS_FRAGMENTING;
    char program[48];

    fputs("  ", file);
    print_padded(file, ls_calendar_readable, snapshot->process.started_at, 23);
    snprintf(program, sizeof(program), "  %.16s %d", snapshot->process.program,
             (int)snapshot->process.pid);
    print_text(file, program, 22);
    print_padded(file, ls_units_duration, snapshot->process.uptime_s, 13);
    print_padded(file, ls_units_size, snapshot->memory.rss_bytes, 11);
    fprintf(file, "  %-19s  %s%s%s\n", ls_ending_names[ls_story_ending(snapshot, now)],
            has_color && is_bad ? RED : "", ls_process_verdict_names[snapshot->verdict.state],
            has_color && is_bad ? PLAIN : "");
}

static void write_service(const struct ls_runs *runs, size_t first, double now, FILE *file)
{
    struct ls_service service = ls_story_sum_up(runs, first, now);
    char bytes[512];
    struct ls_text text;

    ls_text_init(&text, bytes, sizeof(bytes));
    ls_units_count(&text, (double)service.runs);
    ls_text_string(&text, service.runs == 1 ? " run" : " runs");
    if (service.restarts > 0) {
        ls_text_string(&text, ", ");
        ls_units_count(&text, (double)service.restarts);
        ls_text_string(&text, service.restarts == 1 ? " restart" : " restarts");
    }
    ls_text_string(&text, "; up ");
    ls_units_duration(&text, service.shortest_s);
    if (service.longest_s > service.shortest_s) {
        ls_text_string(&text, " to ");
        ls_units_duration(&text, service.longest_s);
    }
    for (size_t i = 0; i < LS_ENDING_COUNT; i++) {
        if (service.endings[i] == 0)
            continue;
        ls_text_string(&text, ", ");
        ls_units_count(&text, (double)service.endings[i]);
        ls_text_char(&text, ' ');
        ls_text_string(&text, ls_ending_names[i]);
    }
    fputs("  ", file);
    print_text(file, runs->items[first].summary.snapshot.process.command, 0);
    fprintf(file, "\n      %s\n", bytes);
}

static void write_heading(FILE *file, const char *heading, bool has_color)
{
    fprintf(file, "\n%s%s%s\n", has_color ? BOLD : "", heading, has_color ? PLAIN : "");
}

/* What rises, once for all runs. */
static int write_rising(const struct ls_runs *runs, bool has_color, FILE *file)
{
    struct ls_gate_result result;

    if (!ls_gate_judge(runs, &ls_criteria_default, &result))
        return -ENOMEM;
    if (result.count > 0)
        write_heading(file, "Rising", has_color);
    for (size_t i = 0; i < result.count && i < SITES_LISTED; i++) {
        fprintf(file, "  in %zu of %zu runs  ", result.findings[i].runs, runs->count);
        ls_terminal_print(file, result.findings[i].message);
        fputc('\n', file);
    }
    if (result.count > SITES_LISTED)
        fprintf(file, "  and %zu more\n", result.count - SITES_LISTED);
    ls_gate_free(&result);
    return 0;
}

int ls_report_story(const struct ls_runs *runs, double now, bool has_color, FILE *file)
{
    int error;

    fprintf(file, "%s%zu runs%s\n", has_color ? BOLD : "", runs->count, has_color ? PLAIN : "");
    for (size_t i = 0; i < runs->count; i++) {
        if (ls_story_is_first(runs, i))
            write_service(runs, i, now, file);
    }
    error = write_rising(runs, has_color, file);
    write_heading(file,
                  "Runs\n  started                  program and pid              up   resident"
                  "  ended                verdict",
                  has_color);
    for (size_t i = 0; i < runs->count; i++)
        write_run(&runs->items[i], now, has_color, file);
    fputs("\n  leakshim report DIR/RUN shows one of them.\n", file);
    return error;
}
