/*
 * leakshim diff: what a second run, or a set of them, does that the first did not. Sites are found
 * again as by a baseline. Something was found when a site of the second rises that is new or
 * faster.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/baseline.h"
#include "cli/commands.h"
#include "cli/quantity.h"
#include "cli/runs.h"
#include "cli/symbolize_runs.h"
#include "cli/terminal.h"
#include "report/units.h"

#define RED   "\x1b[31m"
#define GREEN "\x1b[32m"
#define PLAIN "\x1b[0m"

enum {
    OPTION_MARGIN = 256,
    OPTION_ALL,
    OPTION_COLOR,
    OPTION_NO_SYMBOLIZE,
};

static const struct ls_command_option options[] = {
    {"margin", "SHARE", OPTION_MARGIN, "how much faster is still the same; 50% without this"},
    {"all", NULL, OPTION_ALL, "list sites that rise in neither, too"},
    {"color", "WHEN", OPTION_COLOR, "auto, always or never"},
    LS_SYMBOLIZE_OPTION(OPTION_NO_SYMBOLIZE),
    LS_OPTION_HELP_ENTRY,
    LS_OPTIONS_END,
};

enum change { CHANGE_NEW, CHANGE_FASTER, CHANGE_SAME, CHANGE_SLOWER, CHANGE_GONE, CHANGE_COUNT };

static const char *const change_names[CHANGE_COUNT] = {"new", "faster", "same", "slower", "gone"};

struct side {
    struct ls_runs runs;
    struct ls_symbolizer *symbolizer;
    struct ls_baseline sites;  /* all of them */
    struct ls_baseline rising; /* those that rise */
    double rss_growth_bytes_per_s;
    double rss_bytes;
};

struct request {
    double margin;
    bool is_all;
    bool stays_raw;
    enum ls_color_choice color;
};

/* The figures of a site on both sides; absent is all zero. */
struct difference {
    enum change change;
    const struct ls_baseline_site *site;
    struct ls_baseline_site before;
    struct ls_baseline_site after;
};

struct differences {
    struct difference *items;
    size_t count;
};

static bool gather(const struct request *request, char *path, struct side *side)
{
    if (!ls_runs_read(&path, 1, &side->runs))
        return false;
    if (!request->stays_raw)
        side->symbolizer = ls_symbolize_by_the_way(&side->runs);
    for (size_t i = 0; i < side->runs.count; i++) {
        const struct ls_snapshot *snapshot = &side->runs.items[i].summary.snapshot;

        if (snapshot->memory.rss_growth_bytes_per_s > side->rss_growth_bytes_per_s || i == 0)
            side->rss_growth_bytes_per_s = snapshot->memory.rss_growth_bytes_per_s;
        if (snapshot->memory.rss_bytes > side->rss_bytes)
            side->rss_bytes = snapshot->memory.rss_bytes;
        for (size_t j = 0; j < snapshot->site_count; j++) {
            const struct ls_snapshot_site *site = &snapshot->sites[j];

            if (!ls_baseline_add(&side->sites, site) ||
                (site->verdict == LS_VERDICT_RISING && !ls_baseline_add(&side->rising, site)))
                return false;
        }
    }
    return true;
}

static struct ls_snapshot_site probe(const struct ls_baseline_site *site)
{
    return (struct ls_snapshot_site){
        .id = site->id,
        .resource = site->resource,
        .function = site->sought_function != NULL ? site->sought_function : site->function,
        .location = site->sought_place != NULL ? site->sought_place : site->location,
    };
}

static bool is_faster(double after, double before, double margin)
{
    return after > before * (1 + margin) && after > 0;
}

static bool is_faster_site(const struct ls_baseline_site *after,
                           const struct ls_baseline_site *before, double margin)
{
    if (after->is_counted)
        return is_faster(after->growth_count_per_s, before->growth_count_per_s, margin);
    return is_faster(after->growth_bytes_per_s, before->growth_bytes_per_s, margin);
}

static void add(struct differences *list, enum change change, const struct ls_baseline_site *site,
                struct ls_baseline_site before, struct ls_baseline_site after)
{
    list->items[list->count++] =
        (struct difference){.change = change, .site = site, .before = before, .after = after};
}

/* Sites that rise in the second, against what they did in the first. */
static void compare_risen(const struct side *first, const struct side *second, double margin,
                          struct differences *list)
{
    for (size_t i = 0; i < second->rising.count; i++) {
        const struct ls_baseline_site *site = &second->rising.sites[i];
        struct ls_snapshot_site sought = probe(site);
        struct ls_baseline_site before = {0};
        enum change change = CHANGE_NEW;

        /* A site that stood in the first and rises in the second is new as a leak. */
        if (ls_baseline_find(&first->rising, &sought, &before)) {
            change = is_faster_site(site, &before, margin)   ? CHANGE_FASTER
                     : is_faster_site(&before, site, margin) ? CHANGE_SLOWER
                                                             : CHANGE_SAME;
        } else {
            (void)ls_baseline_find(&first->sites, &sought, &before);
        }
        add(list, change, site, before, *site);
    }
}

static void compare_gone(const struct side *first, const struct side *second,
                         struct differences *list)
{
    for (size_t i = 0; i < first->rising.count; i++) {
        const struct ls_baseline_site *site = &first->rising.sites[i];
        struct ls_snapshot_site sought = probe(site);
        struct ls_baseline_site after = {0};

        if (ls_baseline_find(&second->rising, &sought, &after))
            continue;
        (void)ls_baseline_find(&second->sites, &sought, &after);
        add(list, CHANGE_GONE, site, *site, after);
    }
}

static void compare_others(const struct side *first, const struct side *second,
                           struct differences *list)
{
    for (size_t i = 0; i < second->sites.count; i++) {
        const struct ls_baseline_site *site = &second->sites.sites[i];
        struct ls_snapshot_site sought = probe(site);
        struct ls_baseline_site before = {0};

        if (ls_baseline_find(&second->rising, &sought, &before) ||
            ls_baseline_find(&first->rising, &sought, &before))
            continue;
        before = (struct ls_baseline_site){0};
        (void)ls_baseline_find(&first->sites, &sought, &before);
        add(list, CHANGE_SAME, site, before, *site);
    }
}

static void print_figure(void (*unit)(struct ls_text *, double), double value, int columns)
{
    char bytes[64];
    struct ls_text text;

    ls_text_init(&text, bytes, sizeof(bytes));
    unit(&text, value);
    printf("%*s", columns, bytes);
}

static void print_rate(bool is_counted, const struct ls_baseline_site *site)
{
    if (is_counted)
        print_figure(ls_units_count_rate, site->growth_count_per_s, 13);
    else
        print_figure(ls_units_size_rate, site->growth_bytes_per_s, 13);
}

static void print_difference(const struct difference *difference, bool has_color)
{
    bool is_worse = difference->change <= CHANGE_FASTER;
    const char *color = is_worse ? RED : difference->change >= CHANGE_SLOWER ? GREEN : "";

    printf("  %s%-6s%s", has_color ? color : "", change_names[difference->change],
           has_color ? PLAIN : "");
    print_rate(difference->site->is_counted, &difference->before);
    print_rate(difference->site->is_counted, &difference->after);
    print_figure(ls_units_size, difference->before.live_bytes, 11);
    print_figure(ls_units_size, difference->after.live_bytes, 11);
    printf("  %-6s  ", ls_resource_names[difference->site->resource]);
    ls_terminal_print(stdout, *difference->site->function != '\0' ? difference->site->function
                                                                  : "(no name)");
    fputs("  ", stdout);
    ls_terminal_print(stdout, difference->site->location);
    fputc('\n', stdout);
}

static void print_head(const struct side *first, const struct side *second)
{
    fputs("resident memory", stdout);
    print_figure(ls_units_size, first->rss_bytes, 10);
    fputs(" ->", stdout);
    print_figure(ls_units_size, second->rss_bytes, 10);
    fputs(", growth", stdout);
    print_figure(ls_units_size_rate, first->rss_growth_bytes_per_s, 12);
    fputs(" ->", stdout);
    print_figure(ls_units_size_rate, second->rss_growth_bytes_per_s, 12);
    fputc('\n', stdout);
}

static int print_differences(const struct side *first, const struct side *second,
                             const struct differences *list, bool has_color)
{
    size_t counts[CHANGE_COUNT] = {0};

    print_head(first, second);
    for (size_t i = 0; i < list->count; i++)
        counts[list->items[i].change]++;
    printf("sites that rise: %zu new, %zu faster, %zu slower, %zu gone\n", counts[CHANGE_NEW],
           counts[CHANGE_FASTER], counts[CHANGE_SLOWER], counts[CHANGE_GONE]);
    if (list->count > 0)
        puts("\n          growth before        after live before      after  kind    function and "
             "place");
    for (size_t change = 0; change < CHANGE_COUNT; change++) {
        for (size_t i = 0; i < list->count; i++) {
            if (list->items[i].change == change)
                print_difference(&list->items[i], has_color);
        }
    }
    return counts[CHANGE_NEW] + counts[CHANGE_FASTER] > 0 ? LS_EXIT_FOUND : LS_EXIT_CLEAN;
}

static int compare(const struct request *request, const struct side *first,
                   const struct side *second)
{
    struct differences list = {
        .items = calloc(first->sites.count + second->sites.count + 1, sizeof(*list.items))};
    int code;

    if (list.items == NULL) {
        ls_terminal_complain("diff: out of memory");
        return LS_EXIT_USAGE;
    }
    compare_risen(first, second, request->margin, &list);
    compare_gone(first, second, &list);
    if (request->is_all)
        compare_others(first, second, &list);
    code = print_differences(first, second, &list, ls_terminal_has_color(stdout, request->color));
    free(list.items);
    return ls_terminal_finish(code);
}

/* -1, or the exit code to end with. */
static int read_arguments(int count, char **arguments, struct request *request)
{
    const struct ls_command *command = &ls_command_diff;
    int code;

    optind = 0;
    while ((code = ls_command_next_option(command, count, arguments)) != -1) {
        if (code == '?')
            return LS_EXIT_USAGE;
        if (code == LS_OPTION_HELP)
            return ls_command_print_help(command);
        if (code == OPTION_ALL)
            request->is_all = true;
        if (code == OPTION_NO_SYMBOLIZE)
            request->stays_raw = true;
        if (code == OPTION_MARGIN && !ls_quantity_share(optarg, &request->margin))
            return ls_command_bad_value(command, "margin", "a share, as in 50%");
        if (code == OPTION_COLOR && !ls_terminal_read_color(optarg, &request->color))
            return ls_command_bad_value(command, "color", "auto, always or never");
    }
    if (count - optind == 2)
        return -1;
    ls_terminal_complain("diff: two runs, or folders of runs, are needed");
    return LS_EXIT_USAGE;
}

static void release(struct side *side)
{
    ls_baseline_free(&side->sites);
    ls_baseline_free(&side->rising);
    ls_runs_free(&side->runs);
    ls_symbolizer_free(side->symbolizer);
}

static int run_diff(int count, char **arguments)
{
    struct request request = {.margin = 0.5};
    struct side first = {0};
    struct side second = {0};
    int code = read_arguments(count, arguments, &request);

    if (code >= 0)
        return code;
    code = LS_EXIT_USAGE;
    if (gather(&request, arguments[optind], &first) &&
        gather(&request, arguments[optind + 1], &second))
        code = compare(&request, &first, &second);
    release(&first);
    release(&second);
    return code;
}

const struct ls_command ls_command_diff = {
    .name = "diff",
    .synopsis = "[OPTION]... DIR DIR",
    .meaning = "Compares two runs, or two sets of them: what rises that did not before, or faster.",
    .notes = "Ends with 1 when a site rises in the second that is new or faster.\n",
    .options = options,
    .run = run_diff,
};
