/*
 * leakshim report: what the summaries say, for people and for the tools that draw profiles. It
 * shows and does not judge: what leaks is in the text, not in the exit code.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/quantity.h"
#include "cli/report_formats.h"
#include "cli/symbolize_runs.h"
#include "cli/terminal.h"

enum {
    OPTION_FORMAT = 256,
    OPTION_VALUE,
    OPTION_OUTPUT,
    OPTION_COLOR,
    OPTION_NO_SYMBOLIZE,
};

enum format { FORMAT_TEXT, FORMAT_HTML, FORMAT_FOLDED, FORMAT_PPROF, FORMAT_COUNT };
enum { VALUE_COUNT = 3 };

static const char *const format_names[FORMAT_COUNT] = {"text", "html", "folded", "pprof"};
static const char *const value_names[VALUE_COUNT] = {"live", "growth", "count"};

static const struct ls_command_option options[] = {
    {"format", "FORMAT", OPTION_FORMAT,
     "text; html, one page with curves and flame graphs; folded, for flamegraph.pl and\n"
     "speedscope; pprof, for go tool pprof"},
    {"value", "VALUE", OPTION_VALUE,
     "what folded stacks weigh: live (bytes), growth (bytes a minute) or count"},
    {"output", "FILE", OPTION_OUTPUT, "write there instead of to stdout"},
    {"color", "WHEN", OPTION_COLOR, "auto, always or never"},
    LS_SYMBOLIZE_OPTION(OPTION_NO_SYMBOLIZE),
    LS_OPTION_HELP_ENTRY,
    LS_OPTIONS_END,
};

struct request {
    size_t format;
    size_t value;
    const char *output;
    enum ls_color_choice color;
    bool stays_raw;
};

/* -1, or the exit code to end with. */
static int read_arguments(int count, char **arguments, struct request *request)
{
    const struct ls_command *command = &ls_command_report;
    int code;

    optind = 0;
    while ((code = ls_command_next_option(command, count, arguments)) != -1) {
        if (code == '?')
            return LS_EXIT_USAGE;
        if (code == LS_OPTION_HELP)
            return ls_command_print_help(command);
        if (code == OPTION_FORMAT &&
            !ls_quantity_word(optarg, format_names, FORMAT_COUNT, &request->format))
            return ls_command_bad_value(command, "format", "text, html, folded or pprof");
        if (code == OPTION_VALUE &&
            !ls_quantity_word(optarg, value_names, VALUE_COUNT, &request->value))
            return ls_command_bad_value(command, "value", "live, growth or count");
        if (code == OPTION_COLOR && !ls_terminal_read_color(optarg, &request->color))
            return ls_command_bad_value(command, "color", "auto, always or never");
        if (code == OPTION_OUTPUT)
            request->output = optarg;
        if (code == OPTION_NO_SYMBOLIZE)
            request->stays_raw = true;
    }
    if (optind < count)
        return -1;
    ls_terminal_complain("report: no run is given; 'leakshim report --help' says how");
    return LS_EXIT_USAGE;
}

static int write_report(const struct request *request, const struct ls_runs *runs, FILE *file)
{
    bool has_color = ls_terminal_has_color(file, request->color);

    if (request->format == FORMAT_HTML)
        return ls_report_html(runs, (double)time(NULL), file);
    if (request->format == FORMAT_FOLDED)
        return ls_report_folded(runs, (enum ls_report_value)request->value, file);
    if (request->format == FORMAT_PPROF)
        return ls_report_pprof(runs, file);
    if (runs->count == 1)
        return ls_report_text(&runs->items[0], has_color, file);
    return ls_report_story(runs, (double)time(NULL), has_color, file);
}

static int print_report(const struct request *request, const struct ls_runs *runs)
{
    FILE *file = ls_output_open(request->output);
    int error;

    if (file == NULL)
        return LS_EXIT_USAGE;
    if (request->format == FORMAT_PPROF && isatty(fileno(file))) {
        ls_terminal_complain("report: a pprof profile is no text; name a file with --output");
        return ls_output_finish(file, request->output, LS_EXIT_USAGE);
    }
    error = write_report(request, runs, file);
    if (error != 0)
        ls_terminal_complain("report: cannot be made: %s", strerror(-error));
    return ls_output_finish(file, request->output, error == 0 ? LS_EXIT_CLEAN : LS_EXIT_USAGE);
}

static int run_report(int count, char **arguments)
{
    struct request request = {0};
    struct ls_symbolizer *symbolizer = NULL;
    struct ls_runs runs;
    int code = read_arguments(count, arguments, &request);

    if (code >= 0)
        return code;
    /* What can be read is shown; that something could not is in the exit code. */
    code = ls_runs_read(arguments + optind, (size_t)(count - optind), &runs) ? LS_EXIT_CLEAN
                                                                             : LS_EXIT_USAGE;
    if (!request.stays_raw)
        symbolizer = ls_symbolize_by_the_way(&runs);
    if (runs.count > 0 && print_report(&request, &runs) != LS_EXIT_CLEAN)
        code = LS_EXIT_USAGE;
    ls_runs_free(&runs);
    ls_symbolizer_free(symbolizer);
    return code;
}

const struct ls_command ls_command_report = {
    .name = "report",
    .synopsis = "[OPTION]... DIR...",
    .meaning = "Shows a run, or many as one story: restarts, uptimes, endings, what rises.",
    .notes = "A report shows and does not judge: it ends with 0 whatever leaks.\n",
    .options = options,
    .run = run_report,
};
