#include "cli/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/terminal.h"
#include "report/utf8.h"

/* term.h takes the common words of its capabilities for macros. */
#undef columns
#undef lines

#define COLUMNS_MAX   512
#define ESCAPE_KEY    27
#define ESCAPE_MS     25
#define EMPTY_KEYS    16
#define REDRAW_LETTER 12 /* ctrl-L */

enum { PAIR_RED = 1, PAIR_YELLOW, PAIR_GREEN };

static SCREEN *screen;
static bool has_utf8;

static bool can_be_drawn_on(void)
{
    const char *name = getenv("TERM");
    bool can_move;
    int result;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        ls_terminal_complain("top: needs a terminal; 'leakshim report' prints without one");
        return false;
    }
    if (name == NULL || *name == '\0' || setupterm(NULL, STDOUT_FILENO, &result) != OK) {
        ls_terminal_complain("top: the terminal '%s' is not known here; set TERM, or use "
                             "'leakshim report'",
                             name != NULL ? name : "");
        return false;
    }
    can_move = tigetstr("cup") != NULL;
    del_curterm(cur_term);
    if (!can_move) {
        ls_terminal_complain("top: the terminal '%s' cannot be drawn on; 'leakshim report' prints",
                             name);
        return false;
    }
    return true;
}

static void start_colors(void)
{
    const char *off = getenv("NO_COLOR");

    if ((off != NULL && *off != '\0') || !has_colors())
        return;
    start_color();
    use_default_colors();
    init_pair(PAIR_RED, COLOR_RED, -1);
    init_pair(PAIR_YELLOW, COLOR_YELLOW, -1);
    init_pair(PAIR_GREEN, COLOR_GREEN, -1);
}

bool ls_top_screen_open(void)
{
    if (!can_be_drawn_on())
        return false;
    setlocale(LC_CTYPE, "");
    has_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        ls_terminal_complain("top: the terminal cannot be set up");
        return false;
    }
    start_colors();
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(ESCAPE_MS);
    curs_set(0);
    return true;
}

void ls_top_screen_close(void)
{
    if (screen == NULL)
        return;
    endwin();
    delscreen(screen);
    screen = NULL;
}

struct ls_top_size ls_top_screen_size(void)
{
    return (struct ls_top_size){.rows = getmaxy(stdscr), .columns = getmaxx(stdscr)};
}

static int translate(int key)
{
    switch (key) {
    case KEY_UP:
        return LS_TOP_KEY_UP;
    case KEY_DOWN:
        return LS_TOP_KEY_DOWN;
    case KEY_PPAGE:
        return LS_TOP_KEY_PAGE_UP;
    case KEY_NPAGE:
        return LS_TOP_KEY_PAGE_DOWN;
    case KEY_HOME:
        return LS_TOP_KEY_HOME;
    case KEY_END:
        return LS_TOP_KEY_END;
    case KEY_ENTER:
    case KEY_RIGHT:
    case '\r':
    case '\n':
        return LS_TOP_KEY_ENTER;
    case ESCAPE_KEY:
    case KEY_LEFT:
    case KEY_BACKSPACE:
    case '\b':
    case 127:
        return LS_TOP_KEY_BACK;
    case KEY_RESIZE:
        return LS_TOP_KEY_RESIZED;
    case REDRAW_LETTER:
        ls_top_screen_repair();
        return LS_TOP_KEY_RESIZED;
    default:
        return key > 0 && key < 256 ? key : LS_TOP_KEY_NONE;
    }
}

int ls_top_screen_key(int milliseconds)
{
    static int empty;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int key = getch();

    /* What curses has read ahead does not make the descriptor ready. */
    if (key == ERR) {
        int ready = poll(&input, 1, milliseconds);

        if (ready > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
            return LS_TOP_KEY_GONE;
        key = getch();
        /* A terminal that has hung up is ready for ever and gives nothing. */
        empty = ready > 0 && key == ERR ? empty + 1 : 0;
        if (empty > EMPTY_KEYS)
            return LS_TOP_KEY_GONE;
    }
    return key == ERR ? LS_TOP_KEY_NONE : translate(key);
}

void ls_top_screen_begin(void)
{
    erase();
}

void ls_top_screen_end(void)
{
    refresh();
}

void ls_top_screen_repair(void)
{
    clearok(stdscr, TRUE);
}

static attr_t attribute_of(unsigned style, short *pair)
{
    attr_t attribute = A_NORMAL;

    *pair = 0;
    if (style & LS_TOP_BOLD)
        attribute |= A_BOLD;
    if (style & LS_TOP_DIM)
        attribute |= A_DIM;
    if (style & LS_TOP_REVERSE)
        attribute |= A_REVERSE;
    if (style & LS_TOP_RED)
        *pair = PAIR_RED;
    if (style & LS_TOP_YELLOW)
        *pair = PAIR_YELLOW;
    if (style & LS_TOP_GREEN)
        *pair = PAIR_GREEN;
    return attribute;
}

static void set_style(unsigned style)
{
    short pair;
    attr_t attribute = attribute_of(style, &pair);

    attr_set(attribute, pair, NULL);
}

static int width_of(wchar_t character)
{
    int width = wcwidth(character);

    return width > 0 ? width : 0;
}

/* A harmless character that this terminal has. */
static wchar_t harmless(uint32_t character)
{
    if (!has_utf8)
        return character >= ' ' && character <= '~' ? (wchar_t)character : L'?';
    if (ls_utf8_is_control(character) || wcwidth((wchar_t)character) < 0)
        return (wchar_t)LS_UTF8_REPLACEMENT;
    return (wchar_t)character;
}

/* How many characters; their columns in `columns`. */
static size_t decode(const char *text, wchar_t wide[COLUMNS_MAX], int *columns)
{
    size_t length = strlen(text);
    size_t used = 0;

    *columns = 0;
    for (size_t i = 0; i < length && used < COLUMNS_MAX;) {
        uint32_t character;

        i += ls_utf8_decode(text + i, length - i, &character);
        wide[used] = harmless(character);
        *columns += width_of(wide[used++]);
    }
    return used;
}

int ls_top_columns(const char *text)
{
    wchar_t wide[COLUMNS_MAX];
    int columns;

    decode(text, wide, &columns);
    return columns;
}

static wchar_t ellipsis(void)
{
    return has_utf8 ? L'\u2026' : L'~';
}

int ls_top_put(int row, int column, int columns, const char *text, unsigned style)
{
    wchar_t wide[COLUMNS_MAX];
    int width;
    size_t count = decode(text, wide, &width);

    if (columns <= 0)
        return 0;
    if (width > columns) {
        while (count > 0 && width + 1 > columns)
            width -= width_of(wide[--count]);
        wide[count++] = ellipsis();
        width++;
    }
    set_style(style);
    mvaddnwstr(row, column, wide, (int)count);
    set_style(LS_TOP_PLAIN);
    return width;
}

void ls_top_put_right(int row, int column, int columns, const char *text, unsigned style)
{
    int width = ls_top_columns(text);

    ls_top_put(row, width < columns ? column + columns - width : column, columns, text, style);
}

void ls_top_put_path(int row, int column, int columns, const char *path, unsigned style)
{
    wchar_t wide[COLUMNS_MAX];
    size_t length = strlen(path);
    int width;
    size_t count;
    size_t first = 0;

    /* The end of what is longer than any screen. */
    count = decode(length > COLUMNS_MAX ? path + length - COLUMNS_MAX : path, wide, &width);
    if (columns <= 0)
        return;
    if (width > columns) {
        while (first < count && width + 1 > columns)
            width -= width_of(wide[first++]);
        if (first > 0)
            wide[--first] = ellipsis();
    }
    set_style(style);
    mvaddnwstr(row, column, wide + first, (int)(count - first));
    set_style(LS_TOP_PLAIN);
}

void ls_top_put_bar(int row, unsigned style)
{
    short pair;
    attr_t attribute = attribute_of(style, &pair);

    mvchgat(row, 0, -1, attribute, pair, NULL);
}

void ls_top_put_curve(int row, int column, const double *values, int count, unsigned style)
{
    static const wchar_t blocks[] = L"\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588";
    static const wchar_t letters[] = L"_.-=+*%#";
    const wchar_t *steps = has_utf8 ? blocks : letters;
    double largest = 0;

    for (int i = 0; i < count; i++)
        largest = values[i] > largest ? values[i] : largest;
    set_style(style);
    for (int i = 0; i < count; i++) {
        int step = largest > 0 && values[i] > 0 ? (int)(values[i] / largest * 7.99) : 0;

        mvaddnwstr(row, column + i, &steps[step], 1);
    }
    set_style(LS_TOP_PLAIN);
}

const char *ls_top_sort_mark(void)
{
    return has_utf8 ? "\xe2\x96\xbe" : "*";
}
