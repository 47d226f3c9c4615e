#include <string.h>

#include "cli/report_formats.h"
#include "cli/terminal.h"

/* A semicolon ends a frame and a line feed a stack. */
static void write_name(FILE *file, const char *name)
{
    char piece[1024];
    size_t used = 0;

    for (; *name != '\0' && used + 1 < sizeof(piece); name++)
        piece[used++] = *name == ';' ? ':' : *name;
    piece[used] = '\0';
    ls_terminal_print(file, piece);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static void write_frame(FILE *file, const struct ls_snapshot_frame *frame)
{
    if (*frame->function != '\0')
        write_name(file, frame->function);
    else if (*frame->module != '\0') {
        write_name(file, base_name(frame->module));
        fprintf(file, "+0x%lx", (unsigned long)frame->offset);
    } else
        fputs(strcmp(frame->language, "js") == 0 ? "(anonymous)" : "(no name)", file);
    if (*frame->file != '\0') {
        fputs(" (", file);
        write_name(file, base_name(frame->file));
        fprintf(file, ":%u)", frame->line);
    }
}

static double value_of(const struct ls_snapshot_site *site, enum ls_report_value value)
{
    if (value == LS_REPORT_GROWTH)
        return site->growth_bytes_per_s * 60;
    return value == LS_REPORT_COUNT ? site->live_count : site->live_bytes;
}

static void write_site(FILE *file, const struct ls_snapshot *snapshot,
                       const struct ls_snapshot_site *site, enum ls_report_value value)
{
    double weight = value_of(site, value);

    if (!(weight >= 1) || weight > 9e15)
        return;
    write_name(file, snapshot->process.program);
    for (size_t i = site->frame_count; i-- > 0;) {
        fputc(';', file);
        write_frame(file, &site->frames[i]);
    }
    if (site->frame_count == 0) {
        fputc(';', file);
        write_name(file, *site->function != '\0' ? site->function : "(no stack)");
    }
    fprintf(file, " %.0f\n", weight);
}

int ls_report_folded(const struct ls_runs *runs, enum ls_report_value value, FILE *file)
{
    for (size_t i = 0; i < runs->count; i++) {
        const struct ls_snapshot *snapshot = &runs->items[i].summary.snapshot;

        for (size_t j = 0; j < snapshot->site_count; j++)
            write_site(file, snapshot, &snapshot->sites[j], value);
    }
    return 0;
}
