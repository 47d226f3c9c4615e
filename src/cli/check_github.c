/*
 * Annotations of GitHub Actions: "::error file=F,line=N,title=T::message", with what would end a
 * part written as %XX.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
#include <stdbool.h>
#include <string.h>

#include "cli/check_formats.h"
#include "cli/terminal.h"

static void write_escaped(FILE *file, const char *text, bool is_property)
{
    for (; *text != '\0'; text++) {
        if (strchr("%\r\n", *text) != NULL || (is_property && strchr(":,", *text) != NULL))
            fprintf(file, "%%%02X", (unsigned char)*text);
        else
            fputc((unsigned char)*text < 0x20 ? '?' : *text, file);
    }
}

static const char *level_of(const struct ls_finding *finding)
{
    return finding->state == LS_FINDING_FAILS ? "error" : "notice";
}

static void write_finding(const struct ls_check *check, FILE *file,
                          const struct ls_finding *finding)
{
    char source[4096];
    unsigned line;

    fprintf(file, "::%s ", level_of(finding));
    if (finding->site != NULL &&
        ls_check_source(check, finding->site, source, sizeof(source), &line)) {
        fputs("file=", file);
        write_escaped(file, source, true);
        fprintf(file, ",line=%u,", line);
    }
    fprintf(file, "title=leakshim%%3A %s::", ls_finding_names[finding->kind]);
    write_escaped(file, finding->message, false);
    if (finding->state != LS_FINDING_FAILS)
        fprintf(file, " (%s)", ls_finding_state_names[finding->state]);
    if (finding->runs > 1)
        fprintf(file, " [in %zu runs]", finding->runs);
    fputc('\n', file);
}

void ls_check_write_github(const struct ls_check *check, FILE *file)
{
    for (size_t i = 0; i < check->result->count; i++)
        write_finding(check, file, &check->result->findings[i]);
    if (check->result->learning > 0)
        fprintf(file,
                "::warning title=leakshim::%zu of %zu runs ended before there was a verdict\n",
                check->result->learning, check->runs->count);
}
