/*
 * leakshim check: judges the runs below the paths given and says so in the exit code. Whatever
 * could not be read is exit code 2, whatever else was found: a gate that did not see everything
 * must not be green, nor pass for a leak.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/check_formats.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/quantity.h"
#include "cli/symbolize_runs.h"
#include "cli/terminal.h"

enum {
    OPTION_FAIL_ON = 256,
    OPTION_MAX_GROWTH,
    OPTION_MAX_LIVE,
    OPTION_RESOURCE,
    OPTION_BASELINE,
    OPTION_BASELINE_MARGIN,
    OPTION_WRITE_BASELINE,
    OPTION_SUPPRESSIONS,
    OPTION_FORMAT,
    OPTION_OUTPUT,
    OPTION_SOURCE_ROOT,
    OPTION_COLOR,
    OPTION_NO_SYMBOLIZE,
};

static const struct ls_command_option options[] = {
    {"fail-on", "VERDICTS", OPTION_FAIL_ON,
     "what fails: leaking, fragmenting, learning (too short for a verdict), degraded\n"
     "(part of it was not tracked) or none, joined by commas; leaking without this"},
    {"max-growth", "RATE", OPTION_MAX_GROWTH,
     "a rising site, and all that pass together, may grow this fast: 1M/min, 500kB/h"},
    {"max-live", "SIZE", OPTION_MAX_LIVE, "no site may hold more, rising or not: 64M"},
    {"resource", "LIST", OPTION_RESOURCE,
     "only sites of these kinds count: heap, map, js, thread, socket, file, custom"},
    {"baseline", "FILE", OPTION_BASELINE, "only sites that are not in FILE, or faster, fail"},
    {"baseline-margin", "SHARE", OPTION_BASELINE_MARGIN,
     "how much faster is still the same; 50% without this"},
    {"write-baseline", "FILE", OPTION_WRITE_BASELINE,
     "write what would fail without a baseline into FILE and end with 0"},
    {"suppressions", "FILE", OPTION_SUPPRESSIONS,
     "leave out what is listed in FILE, in the format of LeakSanitizer: leak:PATTERN"},
    {"format", "FORMAT", OPTION_FORMAT, "text, json, junit, sarif or github; text without this"},
    {"output", "FILE", OPTION_OUTPUT, "write there instead of to stdout"},
    {"source-root", "DIR", OPTION_SOURCE_ROOT,
     "files below DIR are named relative to it; $GITHUB_WORKSPACE, $CI_PROJECT_DIR or the\n"
     "working directory without this"},
    {"color", "WHEN", OPTION_COLOR, "auto, always or never"},
    LS_SYMBOLIZE_OPTION(OPTION_NO_SYMBOLIZE),
    LS_OPTION_HELP_ENTRY,
    LS_OPTIONS_END,
};

enum { FORMAT_COUNT = 5 };

static const char *const format_names[FORMAT_COUNT] = {"text", "json", "junit", "sarif", "github"};
static ls_check_writer *const format_writers[FORMAT_COUNT] = {
    ls_check_write_text,  ls_check_write_json,   ls_check_write_junit,
    ls_check_write_sarif, ls_check_write_github,
};

struct request {
    struct ls_criteria criteria;
    struct ls_baseline baseline;
    struct ls_suppressions suppressions;
    const char *baseline_path;
    const char *write_baseline_path;
    const char *source_root;
    const char *output;
    size_t format;
    enum ls_color_choice color;
    bool stays_raw;
};

/* NULL, or what the value of a threshold should have been. */
static const char *read_threshold(struct request *request, int code)
{
    struct ls_criteria *criteria = &request->criteria;
    bool is_valid = true;
    const char *expected = "";

    if (code == OPTION_FAIL_ON) {
        is_valid =
            ls_quantity_set(optarg, ls_fail_on_names, LS_FAIL_ON_COUNT, &criteria->fail_on) &&
            ((criteria->fail_on & (1U << LS_FAIL_ON_NONE)) == 0 ||
             criteria->fail_on == 1U << LS_FAIL_ON_NONE);
        expected = "leaking, fragmenting, learning and degraded joined by commas, or none";
    } else if (code == OPTION_MAX_GROWTH) {
        is_valid = ls_quantity_rate(optarg, &criteria->max_growth_bytes_per_s);
        expected = "a size for each /s, /min or /h, as in 1M/min";
    } else if (code == OPTION_MAX_LIVE) {
        is_valid = ls_quantity_size(optarg, &criteria->max_live_bytes);
        expected = "a size, as in 64M";
    } else if (code == OPTION_RESOURCE) {
        is_valid =
            ls_quantity_set(optarg, ls_resource_names, LS_RESOURCE_COUNT, &criteria->resources);
        expected = "heap, map, js, thread, socket, file and custom joined by commas";
    } else if (code == OPTION_BASELINE_MARGIN) {
        is_valid = ls_quantity_share(optarg, &criteria->baseline_margin);
        expected = "a share, as in 50%";
    }
    return is_valid ? NULL : expected;
}

static const char *read_output(struct request *request, int code)
{
    if (code == OPTION_FORMAT)
        return ls_quantity_word(optarg, format_names, FORMAT_COUNT, &request->format)
                   ? NULL
                   : "text, json, junit, sarif or github";
    if (code == OPTION_COLOR)
        return ls_terminal_read_color(optarg, &request->color) ? NULL : "auto, always or never";
    if (code == OPTION_BASELINE)
        request->baseline_path = optarg;
    if (code == OPTION_WRITE_BASELINE)
        request->write_baseline_path = optarg;
    if (code == OPTION_SOURCE_ROOT)
        request->source_root = optarg;
    if (code == OPTION_OUTPUT)
        request->output = optarg;
    if (code == OPTION_NO_SYMBOLIZE)
        request->stays_raw = true;
    return NULL;
}

static const char *name_of(int code)
{
    const struct ls_command_option *option = options;

    while (option->name != NULL && option->code != code)
        option++;
    return option->name;
}

/* -1, or the exit code to end with. */
static int read_arguments(int count, char **arguments, struct request *request)
{
    int code;

    optind = 0;
    while ((code = ls_command_next_option(&ls_command_check, count, arguments)) != -1) {
        const char *expected;

        if (code == '?')
            return LS_EXIT_USAGE;
        if (code == LS_OPTION_HELP)
            return ls_command_print_help(&ls_command_check);
        if (code == OPTION_SUPPRESSIONS) {
            if (!ls_suppressions_read(optarg, &request->suppressions))
                return LS_EXIT_USAGE;
            continue;
        }
        expected = read_threshold(request, code);
        if (expected == NULL)
            expected = read_output(request, code);
        if (expected != NULL)
            return ls_command_bad_value(&ls_command_check, name_of(code), expected);
    }
    if (optind >= count) {
        ls_terminal_complain("check: no run is given; 'leakshim check --help' says how");
        return LS_EXIT_USAGE;
    }
    if (request->baseline_path != NULL &&
        !ls_baseline_read(request->baseline_path, &request->baseline))
        return LS_EXIT_USAGE;
    return -1;
}

/* The sources may lie elsewhere here than where the process ran: a root that is not there is taken
 * as it is. */
static void find_source_root(const char *given, char root[PATH_MAX])
{
    const char *chosen = given;
    size_t length;

    if (chosen == NULL)
        chosen = getenv("GITHUB_WORKSPACE");
    if (chosen == NULL)
        chosen = getenv("CI_PROJECT_DIR");
    if (chosen == NULL)
        chosen = ".";
    if (realpath(chosen, root) == NULL)
        snprintf(root, PATH_MAX, "%s", *chosen == '/' ? chosen : "");
    length = strlen(root);
    while (length > 0 && root[length - 1] == '/')
        root[--length] = '\0';
}

bool ls_check_source(const struct ls_check *check, const struct ls_snapshot_site *site, char *file,
                     size_t size, unsigned *line)
{
    size_t length = strlen(check->source_root);

    if (!ls_site_source(site, file, size, line))
        return false;
    if (length > 0 && strncmp(file, check->source_root, length) == 0 && file[length] == '/')
        memmove(file, file + length + 1, strlen(file + length + 1) + 1);
    return true;
}

static int write_baseline(const char *path, const struct ls_gate_result *result)
{
    struct ls_baseline baseline = {0};
    bool written = true;

    for (size_t i = 0; i < result->count; i++) {
        const struct ls_finding *finding = &result->findings[i];

        if (finding->site != NULL && finding->state != LS_FINDING_SUPPRESSED)
            written = ls_baseline_add(&baseline, finding->site) && written;
    }
    written = written && ls_baseline_write(path, &baseline);
    if (written)
        printf("%zu %s written to %s\n", baseline.count, baseline.count == 1 ? "site" : "sites",
               path);
    ls_baseline_free(&baseline);
    return written ? ls_terminal_finish(LS_EXIT_CLEAN) : LS_EXIT_USAGE;
}

static int print_result(const struct request *request, const struct ls_runs *runs,
                        const struct ls_gate_result *result)
{
    char root[PATH_MAX];
    struct ls_check check = {
        .runs = runs,
        .result = result,
        .suppressions = &request->suppressions,
        .source_root = root,
    };
    FILE *file = ls_output_open(request->output);

    if (file == NULL)
        return LS_EXIT_USAGE;
    find_source_root(request->source_root, root);
    check.has_color = ls_terminal_has_color(file, request->color);
    format_writers[request->format](&check, file);
    return ls_output_finish(file, request->output,
                            result->failed > 0 ? LS_EXIT_FOUND : LS_EXIT_CLEAN);
}

/* A green gate that judged nothing should not go unseen, whatever the format. */
static void warn_if_nothing_was_judged(const struct ls_runs *runs,
                                       const struct ls_gate_result *result)
{
    if (result->learning == runs->count && result->failed == 0)
        ls_terminal_complain("check: no run was long enough for a verdict; "
                             "--fail-on=leaking,learning makes that fail");
}

static int judge(struct request *request, char **paths, size_t path_count)
{
    struct ls_gate_result result = {0};
    struct ls_symbolizer *symbolizer = NULL;
    struct ls_runs runs;
    int code = LS_EXIT_USAGE;

    if (request->write_baseline_path != NULL)
        request->criteria.baseline = NULL;
    if (!ls_runs_read(paths, path_count, &runs)) {
        ls_runs_free(&runs);
        return LS_EXIT_USAGE;
    }
    if (!request->stays_raw)
        symbolizer = ls_symbolize_by_the_way(&runs);
    if (!ls_gate_judge(&runs, &request->criteria, &result))
        ls_terminal_complain("check: out of memory");
    else if (request->write_baseline_path != NULL)
        code = write_baseline(request->write_baseline_path, &result);
    else
        code = print_result(request, &runs, &result);
    if (code != LS_EXIT_USAGE)
        warn_if_nothing_was_judged(&runs, &result);
    ls_gate_free(&result);
    ls_runs_free(&runs);
    ls_symbolizer_free(symbolizer);
    return code;
}

static int run_check(int count, char **arguments)
{
    struct request request = {
        .criteria = ls_criteria_default,
    };
    int code = read_arguments(count, arguments, &request);

    if (code < 0) {
        request.criteria.suppressions = &request.suppressions;
        request.criteria.baseline = request.baseline_path != NULL ? &request.baseline : NULL;
        code = judge(&request, arguments + optind, (size_t)(count - optind));
    }
    ls_suppressions_free(&request.suppressions);
    ls_baseline_free(&request.baseline);
    return code;
}

const struct ls_command ls_command_check = {
    .name = "check",
    .synopsis = "[OPTION]... DIR...",
    .meaning = "Fails when something leaks in a run. DIR is a run, a directory of runs, or a tree "
               "of them.",
    .notes = "Sizes take K, M, G (powers of 1024) and kB, MB, GB (powers of 1000).\n",
    .options = options,
    .run = run_check,
};
