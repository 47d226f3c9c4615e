/*
 * The views below the header: sites, processes, help. That of one site is in top_stack.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/top.h"
#include "report/units.h"

enum {
    KIND_COLUMNS = 7,
    GROWTH_COLUMNS = 13,
    FIGURE_COLUMNS = 10,
    VERDICT_COLUMNS = 8,
    GAP = 2,
    WIDE_ENOUGH_FOR_LIVE = 52,
    WIDE_ENOUGH_FOR_VERDICT = 70,
    WIDE_ENOUGH_FOR_COUNT = 96,
    WIDE_ENOUGH_FOR_PLACE = 30, /* of what the figures leave */
    FUNCTION_LEAST = 12,
    PROGRAM_COLUMNS = 16,
    STATE_COLUMNS = 10,
};

/* Where each column of the table of sites begins; 0 columns: there is no room for it. */
struct columns {
    int growth;
    int live;
    int live_columns;
    int count;
    int count_columns;
    int verdict;
    int verdict_columns;
    int function;
    int function_columns;
    int place;
    int place_columns;
};

/* `name` and `place` are the columns the widest of each would take. */
static struct columns lay_out(int width, int name, int place)
{
    struct columns columns = {.growth = KIND_COLUMNS};
    int next = KIND_COLUMNS + GROWTH_COLUMNS;
    int rest;

    columns.live_columns = width >= WIDE_ENOUGH_FOR_LIVE ? FIGURE_COLUMNS : 0;
    columns.live = next + 1;
    next += columns.live_columns > 0 ? FIGURE_COLUMNS + 1 : 0;
    columns.count_columns = width >= WIDE_ENOUGH_FOR_COUNT ? FIGURE_COLUMNS : 0;
    columns.count = next + 1;
    next += columns.count_columns > 0 ? FIGURE_COLUMNS + 1 : 0;
    columns.verdict_columns = width >= WIDE_ENOUGH_FOR_VERDICT ? VERDICT_COLUMNS : 0;
    columns.verdict = next + GAP;
    next += columns.verdict_columns > 0 ? VERDICT_COLUMNS + GAP : 0;
    columns.function = next + GAP;
    rest = width - columns.function;
    columns.function_columns = rest >= WIDE_ENOUGH_FOR_PLACE ? rest / 2 : rest;
    if (columns.function_columns < rest &&
        (name < columns.function_columns || name + 1 + place <= rest))
        columns.function_columns = name > FUNCTION_LEAST ? name : FUNCTION_LEAST;
    columns.place = columns.function + columns.function_columns + 1;
    columns.place_columns = rest >= WIDE_ENOUGH_FOR_PLACE ? width - columns.place : 0;
    return columns;
}

static void put_heading(int row, int column, int columns, const char *name, bool is_sorted)
{
    char text[32];

    snprintf(text, sizeof(text), "%s%s", is_sorted ? ls_top_sort_mark() : "", name);
    ls_top_put_right(row, column, columns, text, LS_TOP_PLAIN);
}

static void draw_headings(const struct ls_top *top, const struct columns *columns, int row)
{
    ls_top_put(row, 0, KIND_COLUMNS, "kind", LS_TOP_PLAIN);
    put_heading(row, columns->growth, GROWTH_COLUMNS, "growth", top->order == LS_TOP_BY_GROWTH);
    put_heading(row, columns->live, columns->live_columns, "live", top->order == LS_TOP_BY_LIVE);
    put_heading(row, columns->count, columns->count_columns, "count",
                top->order == LS_TOP_BY_COUNT);
    ls_top_put(row, columns->verdict, columns->verdict_columns, "verdict", LS_TOP_PLAIN);
    ls_top_put(row, columns->function, columns->function_columns, "function", LS_TOP_PLAIN);
    ls_top_put(row, columns->place, columns->place_columns, "place", LS_TOP_PLAIN);
    ls_top_put_bar(row, LS_TOP_REVERSE);
}

static void put_figure(int row, int column, int columns, void (*unit)(struct ls_text *, double),
                       double value, const char *mark, unsigned style)
{
    char bytes[64];
    struct ls_text text;

    ls_text_init(&text, bytes, sizeof(bytes));
    ls_text_string(&text, mark);
    unit(&text, value);
    ls_top_put_right(row, column, columns, bytes, style);
}

static void put_growth(const struct ls_snapshot_site *site, int row, int column, unsigned style)
{
    bool is_told = site->verdict == LS_VERDICT_RISING || site->verdict == LS_VERDICT_SETTLING ||
                   site->verdict == LS_VERDICT_FALLING;

    if (!is_told) /* a slope within the noise reads like a leak */
        ls_top_put_right(row, column, GROWTH_COLUMNS, "-", style);
    else if (ls_snapshot_site_is_counted(site))
        put_figure(row, column, GROWTH_COLUMNS, ls_units_count_rate, site->growth_count_per_s, "",
                   style);
    else
        put_figure(row, column, GROWTH_COLUMNS, ls_units_size_rate, site->growth_bytes_per_s, "",
                   style);
}

static const char *name_of(const struct ls_snapshot_site *site)
{
    return *site->function != '\0' ? site->function : "(no name)";
}

static const char *place_of(const struct ls_snapshot_site *site)
{
    const char *place = *site->location != '\0' ? site->location : site->module;

    return strncmp(place, "file://", 7) == 0 ? place + 7 : place;
}

static void draw_site(const struct ls_snapshot_site *site, const struct columns *columns, int row,
                      bool is_chosen)
{
    bool rises = site->verdict == LS_VERDICT_RISING;
    unsigned style = rises && !is_chosen ? LS_TOP_RED : LS_TOP_PLAIN;
    const char *mark = site->estimated ? "~" : "";

    ls_top_put(row, 0, KIND_COLUMNS, ls_resource_names[site->resource], style);
    put_growth(site, row, columns->growth, style);
    if (ls_snapshot_site_is_counted(site) && columns->count_columns > 0)
        ls_top_put_right(row, columns->live, columns->live_columns, "-", style);
    else if (ls_snapshot_site_is_counted(site))
        put_figure(row, columns->live, columns->live_columns, ls_units_count, site->live_count,
                   mark, style);
    else
        put_figure(row, columns->live, columns->live_columns, ls_units_size, site->live_bytes, mark,
                   style);
    put_figure(row, columns->count, columns->count_columns, ls_units_count, site->live_count, mark,
               style);
    ls_top_put(row, columns->verdict, columns->verdict_columns, ls_verdict_names[site->verdict],
               style);
    ls_top_put(row, columns->function, columns->function_columns, name_of(site), style);
    ls_top_put_path(row, columns->place, columns->place_columns, place_of(site), style);
    if (is_chosen)
        ls_top_put_bar(row, LS_TOP_REVERSE);
}

static int widest(const struct ls_top *top,
                  const char *(*text_of)(const struct ls_snapshot_site *site))
{
    int columns = 0;

    for (size_t i = 0; i < top->site_list.count; i++) {
        int width = ls_top_columns(text_of(top->sites[i]));

        columns = width > columns ? width : columns;
    }
    return columns;
}

void ls_top_draw_sites(struct ls_top *top, int row, int rows, int width)
{
    struct columns columns = lay_out(width, widest(top, name_of), widest(top, place_of));
    struct ls_top_list *list = &top->site_list;

    draw_headings(top, &columns, row);
    ls_top_list_settle(list, (size_t)(rows - 1));
    if (list->count == 0)
        ls_top_put(row + 1, 0, width,
                   top->kind == LS_TOP_ALL_KINDS ? "no sites" : "no sites of this kind",
                   LS_TOP_DIM);
    for (int i = 0; i + 1 < rows && list->first + (size_t)i < list->count; i++)
        draw_site(top->sites[list->first + (size_t)i], &columns, row + 1 + i,
                  list->first + (size_t)i == list->chosen);
}

static const char *state_name(const struct ls_top_run *run, double now)
{
    static const char *const names[] = {
        [LS_TOP_RUNNING] = "running",
        [LS_TOP_ENDED] = "ended",
        [LS_TOP_STALE] = "no news",
    };

    return run->is_read ? names[ls_top_run_state(run, now)] : "unreadable";
}

static void draw_process(const struct ls_top *top, const struct ls_top_run *run, int row, int width,
                         bool is_chosen)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;
    const int figures = PROGRAM_COLUMNS + GAP + STATE_COLUMNS + 1;
    const int message = figures + FIGURE_COLUMNS + GAP;
    char name[64];
    unsigned style = LS_TOP_PLAIN;

    ls_top_put(row, PROGRAM_COLUMNS + GAP, STATE_COLUMNS, state_name(run, top->now), LS_TOP_PLAIN);
    if (run->is_read) {
        snprintf(name, sizeof(name), "%.40s %d", snapshot->process.program,
                 (int)snapshot->process.pid);
        put_figure(row, figures, FIGURE_COLUMNS, ls_units_size, snapshot->memory.rss_bytes, "",
                   LS_TOP_PLAIN);
        if (snapshot->verdict.state == LS_PROCESS_LEAKING && !is_chosen)
            style = LS_TOP_RED;
        ls_top_put(row, 0, PROGRAM_COLUMNS, name, style);
        ls_top_put(row, message, width - message, snapshot->verdict.message, style);
    } else {
        ls_top_put_path(row, 0, PROGRAM_COLUMNS, run->directory, LS_TOP_PLAIN);
        ls_top_put(row, message, width - message, run->reason, LS_TOP_YELLOW);
    }
    if (is_chosen)
        ls_top_put_bar(row, LS_TOP_REVERSE);
}

void ls_top_draw_processes(struct ls_top *top, int row, int rows, int columns)
{
    struct ls_top_list *list = &top->process_list;

    ls_top_put(row, 0, PROGRAM_COLUMNS, "process", LS_TOP_PLAIN);
    ls_top_put(row, PROGRAM_COLUMNS + GAP, STATE_COLUMNS, "state", LS_TOP_PLAIN);
    ls_top_put_right(row, PROGRAM_COLUMNS + GAP + STATE_COLUMNS + 1, FIGURE_COLUMNS, "resident",
                     LS_TOP_PLAIN);
    ls_top_put(row, PROGRAM_COLUMNS + STATE_COLUMNS + FIGURE_COLUMNS + 2 * GAP + 1, FIGURE_COLUMNS,
               "verdict", LS_TOP_PLAIN);
    ls_top_put_bar(row, LS_TOP_REVERSE);
    list->count = top->runs.count;
    ls_top_list_settle(list, (size_t)(rows - 1));
    for (int i = 0; i + 1 < rows && list->first + (size_t)i < list->count; i++)
        draw_process(top, top->runs.items[list->first + (size_t)i], row + 1 + i, columns,
                     list->first + (size_t)i == list->chosen);
}

static void draw_help(int row, int rows, int columns)
{
    static const char *const lines[][2] = {
        {"up, down, j, k", "choose"},
        {"page up, page down", "a screen further"},
        {"home, end", "to the first, to the last"},
        {"enter", "the stack of the site, or the process"},
        {"esc, left", "back"},
        {"s", "sort by the next: growth, live, count"},
        {"g, l, c", "sort by growth, live, count"},
        {"f", "only sites of the next kind, then all"},
        {"p", "choose the process"},
        {"ctrl-L", "draw the screen anew"},
        {"q", "quit"},
    };

    for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])) && i < rows; i++) {
        ls_top_put(row + i, 2, 20, lines[i][0], LS_TOP_BOLD);
        ls_top_put(row + i, 22, columns - 22, lines[i][1], LS_TOP_PLAIN);
    }
}

static void draw_footer(const struct ls_top *top, struct ls_top_size size)
{
    const char *kind = top->kind == LS_TOP_ALL_KINDS ? "all" : ls_resource_names[top->kind];
    char text[160];

    if (top->view == LS_TOP_SITES)
        snprintf(text, sizeof(text),
                 "q quit  enter stack  s sort: %s  f kind: %s  p process (%zu)"
                 "  ? help",
                 ls_top_order_names[top->order], kind, top->runs.count);
    else
        snprintf(text, sizeof(text), "q quit  esc back%s",
                 top->view == LS_TOP_PROCESSES ? "  enter choose" : "");
    ls_top_put(size.rows - 1, 0, size.columns, text, LS_TOP_DIM);
}

void ls_top_draw(struct ls_top *top)
{
    struct ls_top_size size = ls_top_screen_size();
    int row;
    int rows;

    ls_top_screen_begin();
    row = ls_top_draw_header(top, size);
    rows = size.rows - row - 1;
    if (rows < 2) {
        ls_top_screen_end();
        return;
    }
    if (top->view == LS_TOP_HELP)
        draw_help(row, rows, size.columns);
    else if (top->view == LS_TOP_PROCESSES)
        ls_top_draw_processes(top, row, rows, size.columns);
    else if (top->view == LS_TOP_STACK && ls_top_chosen_site(top) != NULL)
        ls_top_draw_stack(top, row, rows, size.columns);
    else if (ls_top_snapshot(top) != NULL)
        ls_top_draw_sites(top, row, rows, size.columns);
    draw_footer(top, size);
    ls_top_screen_end();
}
