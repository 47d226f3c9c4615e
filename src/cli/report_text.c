#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/report_formats.h"
#include "report/writers.h"

#define RED    "\x1b[1;31m"
#define YELLOW "\x1b[1;33m"
#define GREEN  "\x1b[1;32m"
#define BOLD   "\x1b[1m"
#define PLAIN  "\x1b[0m"

struct painter {
    FILE *file;
    size_t line;
    bool in_rising;
    const char *verdict_color;
};

/* The library's text says what a line is by where it starts: headings stand at the margin, numbered
 * sites one column in. */
static const char *color_of(struct painter *painter, const char *line)
{
    if (painter->line == 0)
        return painter->verdict_color;
    if (painter->line == 1 || *line == '\n')
        return NULL;
    if (*line != ' ') {
        painter->in_rising = strncmp(line, "Rising\n", 7) == 0;
        return BOLD;
    }
    return painter->in_rising && strncmp(line, "   ", 3) != 0 ? RED : NULL;
}

static void paint(struct painter *painter, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        const char *color = color_of(painter, text);

        if (color != NULL)
            fputs(color, painter->file);
        fwrite(text, 1, length, painter->file);
        if (color != NULL)
            fputs(PLAIN, painter->file);
        text += length;
        if (*text == '\n')
            fputc(*text++, painter->file);
        painter->line++;
    }
}

static const char *verdict_color(enum ls_process_verdict verdict)
{
    static const char *const colors[LS_PROCESS_VERDICT_COUNT] = {
        [LS_PROCESS_LEARNING] = YELLOW, [LS_PROCESS_CLEAN] = GREEN,
        [LS_PROCESS_LEAKING] = RED,     [LS_PROCESS_FRAGMENTING] = YELLOW,
        [LS_PROCESS_BACKLOG] = YELLOW,
    };

    return colors[verdict];
}

int ls_report_text(const struct ls_run *run, bool has_color, FILE *file)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;
    struct painter painter = {.file = file,
                              .verdict_color = verdict_color(snapshot->verdict.state)};
    struct ls_sink sink = {.write = ls_output_write, .context = file};
    char *text = NULL;
    size_t length = 0;
    FILE *memory;
    int error;

    if (!has_color)
        return ls_report_write_text(snapshot, &sink);
    memory = open_memstream(&text, &length);
    if (memory == NULL)
        return -ENOMEM;
    sink.context = memory;
    error = ls_report_write_text(snapshot, &sink);
    if (fclose(memory) == 0 && error == 0)
        paint(&painter, text);
    free(text);
    return error;
}
