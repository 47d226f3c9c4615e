/*
 * JUnit's XML as Apache Ant writes it, the strictest of its forms: one suite for each run, one case
 * for each finding at its worst run, one passed case for a run without.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/check_formats.h"
#include "report/utf8.h"

/* XML 1.0 has no way to write a control character, not even escaped: they become U+FFFD. */
static void write_escaped(FILE *file, const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length;) {
        uint32_t character;
        char bytes[4];

        i += ls_utf8_decode(text + i, length - i, &character);
        if (ls_utf8_is_control(character) || character == 0xfffe || character == 0xffff)
            character = LS_UTF8_REPLACEMENT;
        if (character == '&')
            fputs("&amp;", file);
        else if (character == '<')
            fputs("&lt;", file);
        else if (character == '>')
            fputs("&gt;", file);
        else if (character == '"')
            fputs("&quot;", file);
        else
            fwrite(bytes, 1, ls_utf8_encode(character, bytes), file);
    }
}

static void write_attribute(FILE *file, const char *name, const char *value)
{
    fprintf(file, " %s=\"", name);
    write_escaped(file, value);
    fputc('"', file);
}

static void write_stack(FILE *file, const struct ls_snapshot_site *site)
{
    for (size_t i = 0; site != NULL && i < site->frame_count; i++) {
        const struct ls_snapshot_frame *frame = &site->frames[i];

        fputs("\n    at ", file);
        write_escaped(file, *frame->function != '\0' ? frame->function : "(no name)");
        if (*frame->file != '\0') {
            fputs(" (", file);
            write_escaped(file, frame->file);
            fprintf(file, ":%u)", frame->line);
        } else if (*frame->module != '\0') {
            fputs(" (", file);
            write_escaped(file, frame->module);
            fprintf(file, "+0x%lx)", (unsigned long)frame->offset);
        }
    }
}

static void begin_case(FILE *file, const struct ls_run *run, const char *kind, const char *subject)
{
    fputs("    <testcase", file);
    write_attribute(file, "classname", run->summary.snapshot.process.program);
    fputs(" name=\"", file);
    write_escaped(file, kind);
    if (*subject != '\0') {
        fputs(": ", file);
        write_escaped(file, subject);
    }
    fprintf(file, "\" time=\"%.3f\"", run->summary.snapshot.process.uptime_s);
}

/* Without figures: services that follow a case over time know it by its name. */
static void write_case(FILE *file, const struct ls_finding *finding)
{
    const struct ls_snapshot_site *site = finding->site;
    char subject[512] = "";

    if (site != NULL)
        snprintf(subject, sizeof(subject), "%s %s, %s", ls_resource_names[site->resource],
                 site->function, site->location);
    begin_case(file, finding->run, ls_finding_names[finding->kind], subject);
    if (finding->state != LS_FINDING_FAILS) {
        fputs("/>\n", file);
        return;
    }
    fputs(">\n      <failure", file);
    write_attribute(file, "type", ls_finding_names[finding->kind]);
    write_attribute(file, "message", finding->message);
    fputc('>', file);
    write_escaped(file, finding->message);
    write_stack(file, site);
    fputs("</failure>\n    </testcase>\n", file);
}

static size_t count_of_run(const struct ls_check *check, const struct ls_run *run, bool only_failed)
{
    size_t count = 0;

    for (size_t i = 0; i < check->result->count; i++) {
        const struct ls_finding *finding = &check->result->findings[i];

        count += finding->run == run && (!only_failed || finding->state == LS_FINDING_FAILS);
    }
    return count;
}

static void begin_suite(const struct ls_check *check, FILE *file, size_t index, size_t cases)
{
    const struct ls_run *run = &check->runs->items[index];
    const struct ls_snapshot *snapshot = &run->summary.snapshot;
    time_t started = (time_t)snapshot->process.started_at;
    struct tm date = {0};
    char timestamp[32] = "1970-01-01T00:00:00";

    if (gmtime_r(&started, &date) != NULL)
        strftime(timestamp, sizeof(timestamp), "%Y-%m-%dT%H:%M:%S", &date);
    fprintf(file, "  <testsuite id=\"%zu\"", index);
    write_attribute(file, "package", "leakshim");
    write_attribute(file, "name", run->name);
    fprintf(file, " timestamp=\"%s\" hostname=\"localhost\" tests=\"%zu\" failures=\"%zu\"",
            timestamp, cases, count_of_run(check, run, true));
    fprintf(file, " errors=\"0\" time=\"%.3f\">\n    <properties>\n", snapshot->process.uptime_s);
    fputs("      <property name=\"verdict\"", file);
    write_attribute(file, "value", ls_process_verdict_names[snapshot->verdict.state]);
    fputs("/>\n    </properties>\n", file);
}

static void write_suite(const struct ls_check *check, FILE *file, size_t index)
{
    const struct ls_run *run = &check->runs->items[index];
    size_t findings = count_of_run(check, run, false);

    begin_suite(check, file, index, findings > 0 ? findings : 1);
    for (size_t i = 0; i < check->result->count; i++) {
        if (check->result->findings[i].run == run)
            write_case(file, &check->result->findings[i]);
    }
    if (findings == 0) {
        begin_case(file, run, "nothing found", "");
        fputs("/>\n", file);
    }
    fputs("    <system-out>", file);
    write_escaped(file, run->summary.snapshot.verdict.message);
    fputs("</system-out>\n    <system-err></system-err>\n  </testsuite>\n", file);
}

void ls_check_write_junit(const struct ls_check *check, FILE *file)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", file);
    for (size_t i = 0; i < check->runs->count; i++)
        write_suite(check, file, i);
    fputs("</testsuites>\n", file);
}
