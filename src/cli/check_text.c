#include <string.h>

#include "cli/check_formats.h"
#include "cli/terminal.h"

#define BOLD_RED "\x1b[1;31m"
#define GREEN    "\x1b[32m"
#define YELLOW   "\x1b[33m"
#define PLAIN    "\x1b[0m"

static void write_colored(const struct ls_check *check, FILE *file, const char *color,
                          const char *text)
{
    fprintf(file, "%s%s%s", check->has_color ? color : "", text, check->has_color ? PLAIN : "");
}

static void write_finding(const struct ls_check *check, FILE *file,
                          const struct ls_finding *finding)
{
    char label[16];

    snprintf(label, sizeof(label), "%-10s", ls_finding_state_names[finding->state]);
    fputs("  ", file);
    write_colored(check, file, finding->state == LS_FINDING_FAILS ? BOLD_RED : YELLOW, label);
    fputc(' ', file);
    ls_terminal_print(file, finding->message);
    if (finding->suppression != NULL) {
        fputs(", by leak:", file);
        ls_terminal_print(file, finding->suppression->pattern);
    }
    fputs("\n             ", file);
    if (finding->runs > 1)
        fprintf(file, "in %zu runs, worst ", finding->runs);
    fputs("in ", file);
    ls_terminal_print(file, finding->run->directory);
    fputc('\n', file);
}

static void write_unused(const struct ls_check *check, FILE *file)
{
    for (size_t i = 0; i < check->suppressions->count; i++) {
        if (check->suppressions->items[i].used > 0)
            continue;
        fputs("  suppression that fits nothing: leak:", file);
        ls_terminal_print(file, check->suppressions->items[i].pattern);
        fputc('\n', file);
    }
}

void ls_check_write_text(const struct ls_check *check, FILE *file)
{
    const struct ls_gate_result *result = check->result;

    if (result->failed > 0)
        write_colored(check, file, BOLD_RED, "failed");
    else
        write_colored(check, file, GREEN, "passed");
    fprintf(file, ": %zu %s, %zu %s", check->runs->count, check->runs->count == 1 ? "run" : "runs",
            result->failed, result->failed == 1 ? "finding" : "findings");
    if (result->count > result->failed)
        fprintf(file, ", %zu suppressed, known or tolerated", result->count - result->failed);
    fputc('\n', file);
    for (size_t i = 0; i < result->count; i++)
        write_finding(check, file, &result->findings[i]);
    write_unused(check, file);
    if (result->learning > 0) {
        fputs("  ", file);
        write_colored(check, file, YELLOW, "too short");
        fprintf(file, "  %zu of %zu %s ended before there was a verdict%s\n", result->learning,
                check->runs->count, check->runs->count == 1 ? "run" : "runs",
                result->learning == check->runs->count ? ": nothing was judged" : "");
    }
}
