/*
 * leakshim symbolize: names native frames by the debug information on this machine, or of
 * debuginfod servers, for people or as the summary anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/quantity.h"
#include "cli/symbolize_runs.h"
#include "cli/terminal.h"
#include "report/units.h"
#include "report/writers.h"

enum {
    OPTION_FORMAT = 256,
    OPTION_OUTPUT,
    OPTION_IN_PLACE,
    OPTION_DEBUG_PATH,
    OPTION_OFFLINE,
    OPTION_ALL,
};

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_COUNT };

static const char *const format_names[FORMAT_COUNT] = {"text", "json"};

static const struct ls_command_option options[] = {
    {"format", "FORMAT", OPTION_FORMAT, "text, or json: each summary again, with what was found"},
    {"output", "FILE", OPTION_OUTPUT, "write there instead of to stdout"},
    {"in-place", NULL, OPTION_IN_PLACE, "put each summary with what was found into its run"},
    {"debuginfo-path", "PATH", OPTION_DEBUG_PATH,
     "where separate debug files are searched; :.debug:/usr/lib/debug without this"},
    {"offline", NULL, OPTION_OFFLINE, "ask no server, even when DEBUGINFOD_URLS is set"},
    {"all", NULL, OPTION_ALL, "list the sites that do not rise, too"},
    LS_OPTION_HELP_ENTRY,
    LS_OPTIONS_END,
};

struct request {
    const char *output;
    const char *debug_path;
    size_t format; /* enum format */
    bool is_in_place;
    bool is_offline;
    bool lists_all;
};

/* -1, or the exit code to end with. */
static int read_arguments(int count, char **arguments, struct request *request)
{
    const struct ls_command *command = &ls_command_symbolize;
    int code;

    optind = 0;
    while ((code = ls_command_next_option(command, count, arguments)) != -1) {
        if (code == '?')
            return LS_EXIT_USAGE;
        if (code == LS_OPTION_HELP)
            return ls_command_print_help(command);
        if (code == OPTION_FORMAT &&
            !ls_quantity_word(optarg, format_names, FORMAT_COUNT, &request->format))
            return ls_command_bad_value(command, "format", "text or json");
        if (code == OPTION_OUTPUT)
            request->output = optarg;
        if (code == OPTION_DEBUG_PATH)
            request->debug_path = optarg;
        request->is_in_place = request->is_in_place || code == OPTION_IN_PLACE;
        request->is_offline = request->is_offline || code == OPTION_OFFLINE;
        request->lists_all = request->lists_all || code == OPTION_ALL;
    }
    if (optind < count)
        return -1;
    ls_terminal_complain("symbolize: no run is given; 'leakshim symbolize --help' says how");
    return LS_EXIT_USAGE;
}

static int write_json(const struct ls_run *run, FILE *file)
{
    struct ls_sink sink = {.write = ls_output_write, .context = file};

    return ls_report_write_json(&run->summary.snapshot, &sink);
}

static void write_growth(FILE *file, const struct ls_snapshot_site *site)
{
    char bytes[64];
    struct ls_text text;

    ls_text_init(&text, bytes, sizeof(bytes));
    if (ls_snapshot_site_is_counted(site))
        ls_units_count_rate(&text, site->growth_count_per_s);
    else
        ls_units_size_rate(&text, site->growth_bytes_per_s);
    fprintf(file, "%12s  ", bytes);
}

static void write_frame(FILE *file, const struct ls_snapshot_frame *frame)
{
    const char *slash = strrchr(frame->module, '/');

    fputs("      ", file);
    ls_terminal_print(file, *frame->function != '\0' ? frame->function : "(no name)");
    if (frame->inlined)
        fputs(" (inlined)", file);
    if (*frame->file != '\0') {
        fputs("  ", file);
        ls_terminal_print(file, frame->file);
        if (frame->line > 0)
            fprintf(file, ":%u", frame->line);
    } else if (*frame->module != '\0') {
        fputs("  ", file);
        ls_terminal_print(file, slash != NULL ? slash + 1 : frame->module);
        fprintf(file, "+0x%lx", (unsigned long)frame->offset);
    }
    fputc('\n', file);
}

static void write_site(FILE *file, const struct ls_snapshot_site *site)
{
    fprintf(file, "\n  %-6s ", ls_resource_names[site->resource]);
    write_growth(file, site);
    fprintf(file, "%-8s  ", ls_verdict_names[site->verdict]);
    ls_terminal_print(file, *site->function != '\0' ? site->function : "(no name)");
    if (*site->location != '\0') {
        fputs("  ", file);
        ls_terminal_print(file, site->location);
    }
    fputc('\n', file);
    for (size_t i = 0; i < site->frame_count; i++)
        write_frame(file, &site->frames[i]);
}

static void write_text(const struct request *request, const struct ls_run *run, FILE *file)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;
    size_t left = 0;

    ls_terminal_print(file, run->directory);
    fputs(": ", file);
    ls_terminal_print(file, snapshot->verdict.message);
    fputc('\n', file);
    for (size_t i = 0; i < snapshot->site_count; i++) {
        if (request->lists_all || snapshot->sites[i].verdict == LS_VERDICT_RISING)
            write_site(file, &snapshot->sites[i]);
        else
            left++;
    }
    if (left > 0)
        fprintf(file, "\n  %zu %s not rise; --all lists %s\n", left,
                left == 1 ? "site does" : "sites do", left == 1 ? "it" : "them");
}

/* Whole or not at all, as the library replaces it. */
static int replace_summary(const struct ls_run *run)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    struct stat facts;
    FILE *file = NULL;
    int descriptor;
    int error;

    if ((size_t)snprintf(path, sizeof(path), "%s/summary.json", run->directory) >= sizeof(path) ||
        (size_t)snprintf(temporary, sizeof(temporary), "%s/.summary.XXXXXX", run->directory) >=
            sizeof(temporary))
        return -ENAMETOOLONG;
    descriptor = mkostemp(temporary, O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    if (stat(path, &facts) == 0)
        fchmod(descriptor, facts.st_mode & 0777);
    file = fdopen(descriptor, "w");
    error = file != NULL ? write_json(run, file) : -ENOMEM;
    if (file != NULL && fclose(file) != 0 && error == 0)
        error = -EIO;
    if (error == 0 && rename(temporary, path) != 0)
        error = -errno;
    if (error != 0)
        unlink(temporary);
    return error;
}

static int replace_all(const struct ls_runs *runs)
{
    int code = LS_EXIT_CLEAN;

    for (size_t i = 0; i < runs->count; i++) {
        int error = replace_summary(&runs->items[i]);

        if (error == 0)
            continue;
        ls_terminal_complain("%s/summary.json cannot be replaced: %s", runs->items[i].directory,
                             strerror(-error));
        code = LS_EXIT_USAGE;
    }
    return code;
}

static int print_runs(const struct request *request, const struct ls_runs *runs)
{
    FILE *file = ls_output_open(request->output);
    int error = 0;

    if (file == NULL)
        return LS_EXIT_USAGE;
    for (size_t i = 0; i < runs->count && error == 0; i++) {
        if (i > 0 && request->format != FORMAT_JSON)
            fputc('\n', file);
        if (request->format == FORMAT_JSON)
            error = write_json(&runs->items[i], file);
        else
            write_text(request, &runs->items[i], file);
    }
    return ls_output_finish(file, request->output, error == 0 ? LS_EXIT_CLEAN : LS_EXIT_USAGE);
}

/* What keeps lines from being known, a line for each module that some were wanted of. */
static void tell_problems(const struct ls_symbolizer *symbolizer)
{
    static const char *const problems[LS_SYMBOLIZER_STATE_COUNT] = {
        [LS_SYMBOLIZER_NAMES] = "no debug information was found",
        [LS_SYMBOLIZER_MISSING] = "is not here, and no debug file of its build id was found",
        [LS_SYMBOLIZER_OTHER_BUILD] =
            "is not the build that ran, and no debug file of that one was found",
        [LS_SYMBOLIZER_UNVERIFIED] =
            "has no build id and has changed since it ran: it cannot be told to be the same",
    };
    struct ls_symbolizer_module module;

    for (size_t i = 0; ls_symbolizer_module(symbolizer, i, &module); i++) {
        if (module.path[0] == '/' && problems[module.state] != NULL)
            ls_terminal_complain("%s: %s (build id %s; %zu %s)", module.path,
                                 problems[module.state],
                                 *module.build_id != '\0' ? module.build_id : "none",
                                 module.addresses, module.addresses == 1 ? "frame" : "frames");
    }
}

static int run_symbolize(int count, char **arguments)
{
    struct request request = {0};
    struct ls_symbolizer *symbolizer;
    struct ls_runs runs;
    int code = read_arguments(count, arguments, &request);
    int written = LS_EXIT_CLEAN;

    if (code >= 0)
        return code;
    symbolizer = ls_symbolizer_make(request.debug_path, !request.is_offline);
    code = ls_runs_read(arguments + optind, (size_t)(count - optind), &runs) ? LS_EXIT_CLEAN
                                                                             : LS_EXIT_USAGE;
    if (symbolizer == NULL || !ls_symbolize_runs(symbolizer, &runs)) {
        ls_terminal_complain("symbolize: out of memory");
        code = LS_EXIT_USAGE;
    } else if (runs.count > 0) {
        tell_problems(symbolizer);
        written = request.is_in_place ? replace_all(&runs) : print_runs(&request, &runs);
    }
    ls_runs_free(&runs);
    ls_symbolizer_free(symbolizer);
    return written != LS_EXIT_CLEAN ? written : code;
}

const struct ls_command ls_command_symbolize = {
    .name = "symbolize",
    .synopsis = "[OPTION]... DIR...",
    .meaning = "Names native frames by debug information: file, line, inlined functions.",
    .notes = "The program and its libraries, or their debug files, are to be those that ran: build "
             "ids\nare compared. 'report', 'check' and 'diff' do the same with what is on this "
             "machine and\nask no server.\n",
    .options = options,
    .run = run_symbolize,
};
