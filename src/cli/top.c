/*
 * leakshim top: a run as it goes on. Summaries are read again when they are replaced; nothing is
 * asked of the process that is watched.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/top.h"
#include "runtime/options.h"

#define LOOK_MS 250

enum { OPTION_NO_SYMBOLIZE = 256 };

static const struct ls_command_option options[] = {
    {"no-symbolize", NULL, OPTION_NO_SYMBOLIZE,
     "leave native frames as they are, without files and lines"},
    LS_OPTION_HELP_ENTRY,
    LS_OPTIONS_END,
};

/* The signal that asks to end; the loop gives the terminal back and then dies of it. */
static volatile sig_atomic_t end_signal;

static void remember_signal(int number)
{
    end_signal = number;
}

static void watch_signals(void)
{
    static const int numbers[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                  SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2};
    const struct sigaction action = {.sa_handler = remember_signal};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
}

static void die_of_signal(void)
{
    const struct sigaction standard = {.sa_handler = SIG_DFL};

    if (end_signal == 0)
        return;
    sigaction(end_signal, &standard, NULL);
    raise(end_signal);
}

static double time_of_day(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void remember_choice(struct ls_top *top)
{
    const struct ls_snapshot_site *site = ls_top_chosen_site(top);

    top->chosen_id = site != NULL ? site->id : 0;
    top->chosen_kind = site != NULL ? site->resource : LS_RESOURCE_HEAP;
}

static void show_run(struct ls_top *top, struct ls_top_run *run)
{
    top->run = run;
    top->site_list = (struct ls_top_list){0};
    top->chosen_id = 0;
    top->kind = LS_TOP_ALL_KINDS;
    top->view = LS_TOP_SITES;
    ls_top_arrange(top);
}

/* Until a key is pressed: a process that begins to leak goes before one that does not. */
static void choose_run(struct ls_top *top)
{
    struct ls_top_run *best = ls_top_runs_choose(&top->runs, top->now);

    if (top->run == NULL || !top->run->is_read ||
        (!top->was_touched && best != top->run && ls_top_run_is_bad(best) &&
         !ls_top_run_is_bad(top->run)))
        top->run = best;
}

static void refresh(struct ls_top *top)
{
    top->now = time_of_day();
    if (!ls_top_runs_refresh(&top->runs))
        return;
    choose_run(top);
    ls_top_arrange(top);
}

static void open_processes(struct ls_top *top)
{
    ls_top_runs_sort(&top->runs, top->now);
    top->view = LS_TOP_PROCESSES;
    top->process_list = (struct ls_top_list){.count = top->runs.count};
    for (size_t i = 0; i < top->runs.count; i++) {
        if (top->runs.items[i] == top->run)
            top->process_list.chosen = i;
    }
}

static void open_chosen(struct ls_top *top)
{
    if (top->view == LS_TOP_PROCESSES && top->process_list.chosen < top->runs.count) {
        show_run(top, top->runs.items[top->process_list.chosen]);
    } else if (top->view == LS_TOP_SITES && ls_top_chosen_site(top) != NULL) {
        remember_choice(top);
        top->stack_list = (struct ls_top_list){0};
        top->view = LS_TOP_STACK;
    }
}

static void set_order(struct ls_top *top, enum ls_top_order order)
{
    top->order = order;
    top->chosen_id = 0;
    top->site_list.chosen = 0;
    ls_top_arrange(top);
}

static struct ls_top_list *list_of(struct ls_top *top)
{
    if (top->view == LS_TOP_STACK)
        return &top->stack_list;
    return top->view == LS_TOP_PROCESSES ? &top->process_list : &top->site_list;
}

/* False when the key moves nothing. */
static bool move(struct ls_top *top, int key)
{
    struct ls_top_list *list = list_of(top);
    long page = ls_top_screen_size().rows / 2;

    if (key == LS_TOP_KEY_UP || key == 'k')
        ls_top_list_move(list, -1);
    else if (key == LS_TOP_KEY_DOWN || key == 'j')
        ls_top_list_move(list, 1);
    else if (key == LS_TOP_KEY_PAGE_UP)
        ls_top_list_move(list, -page);
    else if (key == LS_TOP_KEY_PAGE_DOWN || key == ' ')
        ls_top_list_move(list, page);
    else if (key == LS_TOP_KEY_HOME)
        ls_top_list_move(list, -(long)list->count);
    else if (key == LS_TOP_KEY_END)
        ls_top_list_move(list, (long)list->count);
    else
        return false;
    if (top->view == LS_TOP_SITES)
        remember_choice(top);
    return true;
}

static void sort_or_filter(struct ls_top *top, int key)
{
    if (key == 's')
        set_order(top, (enum ls_top_order)((top->order + 1) % LS_TOP_ORDER_COUNT));
    else if (key == 'g')
        set_order(top, LS_TOP_BY_GROWTH);
    else if (key == 'l')
        set_order(top, LS_TOP_BY_LIVE);
    else if (key == 'c')
        set_order(top, LS_TOP_BY_COUNT);
    else if (key == 'f') {
        ls_top_next_kind(top);
        set_order(top, top->order);
    }
}

/* False to quit. */
static bool obey(struct ls_top *top, int key)
{
    if (key == 'q' || key == 'Q' || key == LS_TOP_KEY_GONE)
        return false;
    top->was_touched = top->was_touched || (key != LS_TOP_KEY_NONE && key != LS_TOP_KEY_RESIZED);
    if (move(top, key))
        return true;
    if (key == LS_TOP_KEY_BACK)
        top->view = LS_TOP_SITES;
    else if (key == LS_TOP_KEY_ENTER && top->view == LS_TOP_STACK)
        top->view = LS_TOP_SITES;
    else if (key == LS_TOP_KEY_ENTER)
        open_chosen(top);
    else if (key == 'p')
        open_processes(top);
    else if (key == '?' || key == 'h')
        top->view = LS_TOP_HELP;
    else if (top->view == LS_TOP_SITES)
        sort_or_filter(top, key);
    return true;
}

static void watch(struct ls_top *top)
{
    bool goes_on = true;

    ls_top_draw(top);
    top->has_looked = true;
    while (goes_on && end_signal == 0) {
        refresh(top);
        ls_top_draw(top);
        goes_on = obey(top, ls_top_screen_key(LOOK_MS));
    }
}

static const char *standard_directory(void)
{
    static struct ls_options defaults;

    ls_options_defaults(&defaults);
    ls_options_parse(&defaults, getenv("LEAKSHIM_OPTIONS"), NULL, NULL);
    return defaults.directory;
}

/* -1, or the exit code to end with. */
static int read_arguments(int count, char **arguments, bool *stays_raw)
{
    int code;

    optind = 0;
    while ((code = ls_command_next_option(&ls_command_top, count, arguments)) != -1) {
        if (code == '?')
            return LS_EXIT_USAGE;
        if (code == LS_OPTION_HELP)
            return ls_command_print_help(&ls_command_top);
        *stays_raw = code == OPTION_NO_SYMBOLIZE;
    }
    if (count - optind <= 1)
        return -1;
    ls_terminal_complain("top: one directory or process is shown at a time");
    return LS_EXIT_USAGE;
}

static int run_top(int count, char **arguments)
{
    static struct ls_top top = {.kind = LS_TOP_ALL_KINDS};
    bool stays_raw = false;
    int code = read_arguments(count, arguments, &stays_raw);

    if (code >= 0)
        return code;
    if (!ls_top_runs_open(&top.runs, optind < count ? arguments[optind] : standard_directory()))
        return LS_EXIT_USAGE;
    if (!ls_top_screen_open())
        return LS_EXIT_USAGE;
    watch_signals();
    if (!stays_raw)
        top.runs.symbolizer = ls_symbolizer_make(NULL, false);
    watch(&top);
    ls_top_screen_close();
    ls_top_runs_close(&top.runs);
    free(top.sites);
    die_of_signal();
    return LS_EXIT_CLEAN;
}

const struct ls_command ls_command_top = {
    .name = "top",
    .synopsis = "[OPTION]... [DIR|PID]",
    .meaning = "Shows a run as it goes on: verdict, memory, sites, stacks; q quits, ? lists keys.",
    .notes =
        "DIR is a run, or a directory of runs, leakshim-out or that of LEAKSHIM_OPTIONS without\n"
        "it; PID is a process that is tracked.\n",
    .options = options,
    .run = run_top,
};
