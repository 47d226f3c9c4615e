/*
 * One site: its figures, the curve of what it held, its stack, and whom its sockets talked to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/top.h"
#include "report/units.h"

#define LINES_MAX  512
#define ROWS_ROOMY 8 /* with fewer the stack needs them all */
#define CURVE_MAX  64

struct line {
    char left[256];
    char right[1024];
    unsigned style;
    bool is_path;
};

struct lines {
    struct line *items;
    size_t count;
};

static struct line *add(struct lines *lines)
{
    static struct line spare;

    if (lines->count == LINES_MAX)
        return &spare;
    lines->items[lines->count] = (struct line){0};
    return &lines->items[lines->count++];
}

static void add_frame(struct lines *lines, const struct ls_snapshot_frame *frame, bool is_named)
{
    struct line *line = add(lines);
    const char *slash = strrchr(frame->module, '/');
    const char *file = strncmp(frame->file, "file://", 7) == 0 ? frame->file + 7 : frame->file;

    snprintf(line->left, sizeof(line->left), "%s %.200s%s", is_named ? ">" : " ",
             *frame->function != '\0' ? frame->function : "(no name)",
             frame->inlined ? " (inlined)" : "");
    if (*file != '\0' && frame->line > 0)
        snprintf(line->right, sizeof(line->right), "%.1000s:%u", file, frame->line);
    else if (*file != '\0')
        snprintf(line->right, sizeof(line->right), "%.1000s", file);
    else if (*frame->module != '\0')
        snprintf(line->right, sizeof(line->right), "%.900s+0x%lx",
                 slash != NULL ? slash + 1 : frame->module, (unsigned long)frame->offset);
    line->style = is_named ? LS_TOP_BOLD : LS_TOP_PLAIN;
    line->is_path = true;
}

static void add_peer(struct lines *lines, const struct ls_snapshot_peer *peer)
{
    struct line *line = add(lines);
    struct ls_text text;

    snprintf(line->left, sizeof(line->left), "  %.200s",
             *peer->address != '\0' ? peer->address : "(all others)");
    ls_text_init(&text, line->right, sizeof(line->right));
    ls_units_count(&text, peer->live);
    ls_text_string(&text, " open, ");
    ls_units_count_rate(&text, peer->opened_per_s);
    if (peer->failed > 0) {
        ls_text_string(&text, ", ");
        ls_units_count(&text, peer->failed);
        ls_text_string(&text, " failed");
        if (peer->error_count > 0) {
            ls_text_string(&text, " (");
            ls_text_string(&text, peer->errors[0].name);
            ls_text_char(&text, ')');
        }
        line->style = LS_TOP_YELLOW;
    }
}

static void add_heading(struct lines *lines, const char *text)
{
    struct line *line = add(lines);

    line->style = LS_TOP_BOLD;
    snprintf(line->left, sizeof(line->left), "%s", text);
}

static void collect(struct lines *lines, const struct ls_snapshot_site *site)
{
    for (size_t i = 0; i < site->frame_count; i++)
        add_frame(lines, &site->frames[i], i == site->named_frame);
    if (site->frame_count == 0)
        add_heading(lines, "this site has no stack");
    if (site->peer_count > 0)
        add_heading(lines, "peers");
    for (size_t i = 0; i < site->peer_count; i++)
        add_peer(lines, &site->peers[i]);
}

static void tell_growth(const struct ls_snapshot_site *site, struct ls_text *text)
{
    ls_text_string(text, ls_resource_names[site->resource]);
    ls_text_string(text, "  ");
    ls_text_string(text, ls_verdict_names[site->verdict]);
    if (site->verdict != LS_VERDICT_LEARNING) {
        ls_text_string(text, " (");
        ls_units_share(text, site->confidence);
        ls_text_string(text, " sure)  ");
        if (ls_snapshot_site_is_counted(site))
            ls_units_count_rate(text, site->growth_count_per_s);
        else
            ls_units_size_rate(text, site->growth_bytes_per_s);
    }
}

static void tell_live(const struct ls_snapshot_site *site, struct ls_text *text)
{
    const char *mark = site->estimated ? "~" : "";

    if (!ls_snapshot_site_is_counted(site)) {
        ls_text_string(text, mark);
        ls_units_size(text, site->live_bytes);
        ls_text_string(text, " live, ");
        if (site->peak_live_bytes > site->live_bytes) {
            ls_text_string(text, "at most ");
            ls_units_size(text, site->peak_live_bytes);
            ls_text_string(text, ", ");
        }
    }
    ls_text_string(text, mark);
    ls_units_count(text, site->live_count);
    ls_text_string(text, ls_snapshot_site_is_counted(site) ? " live" : " pieces");
    if (site->median_age_s >= 0) {
        ls_text_string(text, ", half older than ");
        ls_units_duration(text, site->median_age_s);
    }
}

static void draw_curve(const struct ls_snapshot_site *site, int row, int columns)
{
    bool is_counted = ls_snapshot_site_is_counted(site);
    double values[CURVE_MAX];
    int room = columns < CURVE_MAX ? columns : CURVE_MAX;
    size_t skip = site->point_count > (size_t)room ? site->point_count - (size_t)room : 0;
    int count = (int)(site->point_count - skip);
    char bytes[64];
    struct ls_text text;

    for (int i = 0; i < count; i++) {
        const struct ls_snapshot_point *point = &site->points[skip + (size_t)i];

        values[i] = is_counted ? point->live_count : point->live_bytes;
    }
    ls_top_put_curve(row, 0, values, count,
                     site->verdict == LS_VERDICT_RISING ? LS_TOP_RED : LS_TOP_PLAIN);
    if (count < 2)
        return;
    ls_text_init(&text, bytes, sizeof(bytes));
    ls_text_string(&text, "live, ");
    ls_units_duration(&text,
                      site->points[site->point_count - 1].time_s - site->points[skip].time_s);
    ls_top_put(row, count + 1, columns - count - 1, bytes, LS_TOP_DIM);
}

static int draw_figures(const struct ls_snapshot_site *site, int row, int rows, int columns)
{
    char bytes[256];
    struct ls_text text;
    unsigned style = site->verdict == LS_VERDICT_RISING ? LS_TOP_RED : LS_TOP_PLAIN;

    ls_text_init(&text, bytes, sizeof(bytes));
    tell_growth(site, &text);
    ls_top_put(row, 0, columns, bytes, style | LS_TOP_BOLD);
    ls_text_init(&text, bytes, sizeof(bytes));
    tell_live(site, &text);
    ls_top_put(row + 1, 0, columns, bytes, LS_TOP_PLAIN);
    if (rows < ROWS_ROOMY)
        return row + 2;
    draw_curve(site, row + 2, columns);
    return row + 4;
}

static void draw_line(const struct line *line, int row, int left_columns, int columns)
{
    int right = left_columns + 1;

    ls_top_put(row, 0, *line->right != '\0' ? left_columns : columns, line->left, line->style);
    if (line->is_path)
        ls_top_put_path(row, right, columns - right, line->right, line->style);
    else
        ls_top_put(row, right, columns - right, line->right, line->style);
}

/* As wide as the widest name, and at most half. */
static int left_columns_of(const struct lines *lines, int columns)
{
    int widest = 0;

    for (size_t i = 0; i < lines->count; i++) {
        int width = ls_top_columns(lines->items[i].left);

        if (width > widest && lines->items[i].right[0] != '\0')
            widest = width;
    }
    return widest + 1 < columns / 2 ? widest + 1 : columns / 2;
}

void ls_top_draw_stack(struct ls_top *top, int row, int rows, int columns)
{
    const struct ls_snapshot_site *site = ls_top_chosen_site(top);
    struct ls_top_list *list = &top->stack_list;
    struct lines lines = {.items = calloc(LINES_MAX, sizeof(*lines.items))};
    int end = row + rows;
    int left;

    if (lines.items == NULL)
        return;
    collect(&lines, site);
    row = draw_figures(site, row, rows, columns);
    left = left_columns_of(&lines, columns);
    list->count = lines.count;
    /* Nothing is chosen here: what moves is the first line shown. */
    if (list->chosen + (size_t)(end - row) > lines.count)
        list->chosen = lines.count > (size_t)(end - row) ? lines.count - (size_t)(end - row) : 0;
    for (size_t i = list->chosen; i < lines.count && row < end; i++)
        draw_line(&lines.items[i], row++, left, columns);
    free(lines.items);
}
