#include "cli/gate_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "report/units.h"

#define FILE_SCHEME "file://"

/* The path of a file:// address, with %XX turned into the byte it stands for. */
static void copy_path(const char *recorded, char *file, size_t size)
{
    struct ls_text text;
    bool is_address = strncmp(recorded, FILE_SCHEME, strlen(FILE_SCHEME)) == 0;

    ls_text_init(&text, file, size);
    recorded += is_address ? strlen(FILE_SCHEME) : 0;
    for (; *recorded != '\0'; recorded++) {
        char digits[3] = {0};
        char *end = digits;
        char byte = 0;

        if (is_address && *recorded == '%' && recorded[1] != '\0') {
            memcpy(digits, recorded + 1, 2);
            byte = (char)strtoul(digits, &end, 16);
        }
        if (end == digits + 2 && byte != '\0') {
            ls_text_char(&text, byte);
            recorded += 2;
        } else {
            ls_text_char(&text, *recorded);
        }
    }
}

/* Node's own files are in no checkout. */
static bool can_be_opened(const struct ls_snapshot_frame *frame)
{
    return *frame->file != '\0' && frame->line > 0 && strncmp(frame->file, "node:", 5) != 0;
}

/* Programs and libraries that were built elsewhere name files of that place. */
static bool is_here(const struct ls_snapshot_frame *frame)
{
    return strcmp(frame->language, "js") == 0 || access(frame->file, F_OK) == 0;
}

bool ls_site_source(const struct ls_snapshot_site *site, char *file, size_t size, unsigned *line)
{
    const struct ls_snapshot_frame *found = NULL;

    /* From the frame the site is named after outwards. */
    for (size_t i = site->named_frame; i < site->frame_count; i++) {
        const struct ls_snapshot_frame *frame = &site->frames[i];

        if (!can_be_opened(frame))
            continue;
        if (found == NULL || is_here(frame))
            found = frame;
        if (is_here(found))
            break;
    }
    if (found == NULL)
        return false;
    copy_path(found->file, file, size);
    *line = found->line;
    return true;
}

static void write_place(struct ls_text *text, const struct ls_snapshot_site *site)
{
    ls_text_string(text, *site->function != '\0' ? site->function : "(no name)");
    if (*site->location != '\0') {
        ls_text_string(text, ", ");
        ls_text_string(text, site->location);
    }
}

static void write_growth(struct ls_text *text, const struct ls_snapshot_site *site)
{
    if (ls_snapshot_site_is_counted(site))
        ls_units_count_rate(text, site->growth_count_per_s);
    else
        ls_units_size_rate(text, site->growth_bytes_per_s);
}

static void write_live(struct ls_text *text, const struct ls_snapshot_site *site)
{
    ls_text_string(text, site->estimated ? "~" : "");
    if (!ls_snapshot_site_is_counted(site)) {
        ls_units_size(text, site->live_bytes);
    } else {
        ls_units_count(text, site->live_count);
        ls_text_char(text, ' ');
        ls_text_string(text, ls_resource_names[site->resource]);
        ls_text_string(text, "s");
    }
    ls_text_string(text, " live");
}

static void write_rising(struct ls_text *text, const struct ls_finding *finding)
{
    ls_text_string(text, ls_resource_names[finding->site->resource]);
    ls_text_char(text, ' ');
    write_growth(text, finding->site);
    ls_text_string(text, " in ");
    write_place(text, finding->site);
    ls_text_string(text, " (");
    write_live(text, finding->site);
    ls_text_string(text, ", ");
    ls_units_share(text, finding->site->confidence);
    ls_text_string(text, " sure");
    if (finding->known_growth_bytes_per_s >= 0 && !ls_snapshot_site_is_counted(finding->site)) {
        ls_text_string(text, "; baseline ");
        ls_units_size_rate(text, finding->known_growth_bytes_per_s);
    }
    ls_text_char(text, ')');
}

static void write_too_much(struct ls_text *text, const struct ls_finding *finding,
                           const struct ls_criteria *criteria)
{
    ls_text_string(text, ls_resource_names[finding->site->resource]);
    ls_text_char(text, ' ');
    write_live(text, finding->site);
    ls_text_string(text, " in ");
    write_place(text, finding->site);
    ls_text_string(text, ", more than ");
    ls_units_size(text, criteria->max_live_bytes);
}

static void write_about_process(struct ls_text *text, const struct ls_finding *finding,
                                const struct ls_criteria *criteria)
{
    const struct ls_snapshot *snapshot = &finding->run->summary.snapshot;

    switch (finding->kind) {
    case LS_FINDING_TOGETHER:
        ls_text_string(text, "sites that rise by less than ");
        ls_units_size_rate(text, criteria->max_growth_bytes_per_s);
        ls_text_string(text, " each grow faster than that in sum");
        break;
    case LS_FINDING_UNLISTED:
        ls_units_count(text, snapshot->verdict.rising_sites);
        ls_text_string(text, " sites rise and not all are listed; raise the option top");
        break;
    case LS_FINDING_DEGRADED:
        ls_text_string(text, "part of the process was not tracked");
        if (snapshot->health.note_count > 0) {
            ls_text_string(text, ": ");
            ls_text_string(text, snapshot->health.notes[0]);
        }
        break;
    default:
        ls_text_string(text, snapshot->verdict.message);
        break;
    }
}

void ls_finding_write_message(struct ls_finding *finding, const struct ls_criteria *criteria)
{
    struct ls_text text;

    ls_text_init(&text, finding->message, sizeof(finding->message));
    if (finding->kind == LS_FINDING_RISING)
        write_rising(&text, finding);
    else if (finding->kind == LS_FINDING_LIVE)
        write_too_much(&text, finding, criteria);
    else
        write_about_process(&text, finding, criteria);
}
