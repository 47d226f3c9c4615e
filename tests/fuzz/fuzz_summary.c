/*
 * A summary.json of any bytes is refused with a reason or read as a snapshot that can be printed,
 * and made into a page that is not much larger than it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/html_data.h"
#include "cli/summary.h"
#include "report/writers.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static int drop(void *context, const char *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    (void)length;
    return 0;
}

/* A number is written in at most 20 bytes, a character escaped in at most six. */
static void make_page_data(const struct ls_summary *summary, size_t length)
{
    struct ls_run run = {.directory = "/nonexistent", .name = "run", .summary = *summary};
    struct ls_runs runs = {.items = &run, .count = 1};
    json_t *data = ls_html_data(&runs, 1e9);
    char *text = json_dumps(data, JSON_COMPACT);

    if (text == NULL || strlen(text) > 20 * length + 4096)
        abort();
    free(text);
    json_decref(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char reason[LS_SUMMARY_REASON_MAX] = "";
    struct ls_sink sink = {.write = drop};
    struct ls_summary summary;

    if (ls_summary_parse((const char *)bytes, length, &summary, reason) != 0) {
        if (reason[0] == '\0')
            abort();
        return 0;
    }
    if (ls_report_write_text(&summary.snapshot, &sink) != 0 ||
        ls_report_write_json(&summary.snapshot, &sink) != 0)
        abort();
    make_page_data(&summary, length);
    ls_summary_free(&summary);
    return 0;
}
