/*
 * The terminal of `leakshim top`: the one part that knows curses. Text is UTF-8 that is not
 * trusted; it is cut to the columns it is given, and in a terminal that has no UTF-8 what is not
 * ASCII becomes "?".
 */
#ifndef LS_CLI_TOP_SCREEN_H
#define LS_CLI_TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

enum ls_top_style {
    LS_TOP_PLAIN = 0,
    LS_TOP_BOLD = 1,
    LS_TOP_DIM = 2,
    LS_TOP_REVERSE = 4,
    LS_TOP_RED = 8,
    LS_TOP_YELLOW = 16,
    LS_TOP_GREEN = 32,
};

enum ls_top_key {
    LS_TOP_KEY_NONE = 0, /* others are characters */
    LS_TOP_KEY_UP = 256,
    LS_TOP_KEY_DOWN,
    LS_TOP_KEY_PAGE_UP,
    LS_TOP_KEY_PAGE_DOWN,
    LS_TOP_KEY_HOME,
    LS_TOP_KEY_END,
    LS_TOP_KEY_ENTER,
    LS_TOP_KEY_BACK,
    LS_TOP_KEY_RESIZED,
    LS_TOP_KEY_GONE, /* the terminal is no more */
};

struct ls_top_size {
    int rows;
    int columns;
};

/* False, told on stderr, when there is no terminal that can be drawn on. */
bool ls_top_screen_open(void);
/* Gives the terminal back as it was; safe to call twice. */
void ls_top_screen_close(void);

struct ls_top_size ls_top_screen_size(void);
/* Waits so long for a key. */
int ls_top_screen_key(int milliseconds);

/* Between the two everything is drawn; what is not is blank. */
void ls_top_screen_begin(void);
void ls_top_screen_end(void);
/* What the terminal shows is not trusted any more and is drawn anew. */
void ls_top_screen_repair(void);

/* Columns a text takes. */
int ls_top_columns(const char *text);
/* Left in its columns, cut at the end. Returns how many it took. */
int ls_top_put(int row, int column, int columns, const char *text, unsigned style);
/* Right in its columns. */
void ls_top_put_right(int row, int column, int columns, const char *text, unsigned style);
/* Left, and cut at the start: the end of a path tells more. */
void ls_top_put_path(int row, int column, int columns, const char *path, unsigned style);
/* A whole row in a style. */
void ls_top_put_bar(int row, unsigned style);
/* A curve of blocks, a column each, from 0 to the largest. */
void ls_top_put_curve(int row, int column, const double *values, int count, unsigned style);
/* A mark for the column a list is sorted by. */
const char *ls_top_sort_mark(void);

#endif
