/*
 * What the parts of `leakshim top` share: which run is shown, which view of it, and what is chosen
 * there. Drawing reads it, keys and new summaries change it, all on one thread.
 */
#ifndef LS_CLI_TOP_H
#define LS_CLI_TOP_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/symbolizer.h"
#include "cli/top_runs.h"
#include "cli/top_screen.h"

enum ls_top_view {
    LS_TOP_SITES,
    LS_TOP_STACK,
    LS_TOP_PROCESSES,
    LS_TOP_HELP,
};

enum ls_top_order { LS_TOP_BY_GROWTH, LS_TOP_BY_LIVE, LS_TOP_BY_COUNT, LS_TOP_ORDER_COUNT };

extern const char *const ls_top_order_names[LS_TOP_ORDER_COUNT];

/* A list that is longer than the screen. */
struct ls_top_list {
    size_t count;
    size_t chosen;
    size_t first; /* shown */
};

#define LS_TOP_ALL_KINDS LS_RESOURCE_COUNT

struct ls_top {
    struct ls_top_runs runs;
    struct ls_top_run *run; /* that is shown; NULL before there is one */
    bool has_looked;        /* for runs, which takes a while where debug information is large */
    bool was_touched;       /* a key was pressed: what is shown is the person's choice */
    enum ls_top_view view;
    enum ls_top_order order;
    enum ls_resource kind; /* the only one shown, or LS_TOP_ALL_KINDS */
    const struct ls_snapshot_site **sites;
    struct ls_top_list site_list;
    uint64_t chosen_id; /* of the site that stays chosen; 0: whichever is in its place */
    enum ls_resource chosen_kind;
    struct ls_top_list stack_list; /* nothing is chosen in it */
    struct ls_top_list process_list;
    double now; /* seconds since 1970 */
};

/* NULL when there is none. */
const struct ls_snapshot *ls_top_snapshot(const struct ls_top *top);
const struct ls_snapshot_site *ls_top_chosen_site(const struct ls_top *top);

/* Lists the sites of the run that is shown anew; the chosen one stays chosen when it is still
 * there. */
void ls_top_arrange(struct ls_top *top);
/* The next kind that has sites, behind the last one all of them. */
void ls_top_next_kind(struct ls_top *top);

/* Keeps what is chosen in the list and on a screen of so many rows. */
void ls_top_list_settle(struct ls_top_list *list, size_t rows);
void ls_top_list_move(struct ls_top_list *list, long steps);

/* Draws the whole screen. */
void ls_top_draw(struct ls_top *top);

/* The parts of it; each is given its rows and the columns of the screen. */
int ls_top_draw_header(const struct ls_top *top, struct ls_top_size size);
void ls_top_draw_sites(struct ls_top *top, int row, int rows, int columns);
void ls_top_draw_stack(struct ls_top *top, int row, int rows, int columns);
void ls_top_draw_processes(struct ls_top *top, int row, int rows, int columns);

#endif
