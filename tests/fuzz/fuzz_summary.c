/*
 * A summary.json of any bytes is refused with a reason or read as a snapshot that can be printed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
    ls_summary_free(&summary);
    return 0;
}
