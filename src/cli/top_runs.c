#include "cli/top_runs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/symbolize_runs.h"
#include "cli/terminal.h"
#include "runtime/options.h"

#define SUMMARY_NAME      "summary.json"
#define RUNS_MAX          512
#define DEPTH_MAX         3
#define ENVIRONMENT_BYTES (256U << 10)
/* A run that has missed this many summaries does not write any more. */
#define INTERVALS_MISSED 3
#define SECONDS_SPARE    5

static bool join(char path[PATH_MAX], const char *directory, const char *name)
{
    return (size_t)snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

static bool is_pid(const char *text)
{
    struct stat facts;

    return *text != '\0' && text[strspn(text, "0123456789")] == '\0' && stat(text, &facts) != 0;
}

/* The value of a variable in the environment a process was started with; "" when it had none. */
static void read_variable(const char *pid, const char *name, char *value, size_t size)
{
    static char bytes[ENVIRONMENT_BYTES];
    char path[64];
    size_t used;
    size_t length = strlen(name);
    FILE *file;

    *value = '\0';
    snprintf(path, sizeof(path), "/proc/%.20s/environ", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    used = fread(bytes, 1, sizeof(bytes) - 1, file);
    fclose(file);
    bytes[used] = '\0';
    for (const char *entry = bytes; entry < bytes + used; entry += strlen(entry) + 1) {
        if (strncmp(entry, name, length) == 0 && entry[length] == '=')
            snprintf(value, size, "%s", entry + length + 1);
    }
}

/* Where the library of a process writes its runs, seen from here. */
static void directory_of_process(const char *pid, char directory[PATH_MAX])
{
    static char text[LS_OPTIONS_DIRECTORY_MAX + 4096];
    static struct ls_options options;

    read_variable(pid, "LEAKSHIM_OPTIONS", text, sizeof(text));
    ls_options_defaults(&options);
    ls_options_parse(&options, text, NULL, NULL);
    if (options.directory[0] == '/')
        snprintf(directory, PATH_MAX, "%.4000s", options.directory);
    else
        snprintf(directory, PATH_MAX, "/proc/%.20s/cwd/%.4000s", pid, options.directory);
}

/* `<program>.<pid>.<start time>` of this pid; the newest start time is the present run. */
static bool find_run_of_process(const char *directory, const char *pid, char found[PATH_MAX])
{
    char best[NAME_MAX + 1] = "";
    DIR *stream = opendir(directory);
    const struct dirent *entry;

    if (stream == NULL)
        return false;
    while ((entry = readdir(stream)) != NULL) {
        const char *time = strrchr(entry->d_name, '.');
        const char *start = time;
        const char *best_time = strrchr(best, '.');

        while (start != NULL && start > entry->d_name && isdigit((unsigned char)start[-1]))
            start--;
        if (start == NULL || start == entry->d_name || start[-1] != '.' ||
            (size_t)(time - start) != strlen(pid) || strncmp(start, pid, strlen(pid)) != 0)
            continue;
        if (best_time == NULL || strcmp(time, best_time) > 0)
            snprintf(best, sizeof(best), "%s", entry->d_name);
    }
    closedir(stream);
    return *best != '\0' && join(found, directory, best);
}

static bool open_process(struct ls_top_runs *runs, const char *pid)
{
    char directory[PATH_MAX];
    char temporary[PATH_MAX];
    char path[64];

    directory_of_process(pid, directory);
    read_variable(pid, "TMPDIR", temporary, sizeof(temporary));
    if (find_run_of_process(directory, pid, runs->root) ||
        find_run_of_process(*temporary != '\0' ? temporary : "/tmp", pid, runs->root))
        return true;
    snprintf(path, sizeof(path), "/proc/%.20s", pid);
    if (access(path, F_OK) != 0)
        ls_terminal_complain("top: there is no process %s", pid);
    else
        ls_terminal_complain(
            "top: process %s has no run in %s; is it tracked, and an interval old?", pid,
            directory);
    return false;
}

bool ls_top_runs_open(struct ls_top_runs *runs, const char *named)
{
    struct stat facts;

    if (is_pid(named))
        return open_process(runs, named);
    if (strlen(named) >= sizeof(runs->root) || stat(named, &facts) != 0) {
        ls_terminal_complain("top: '%s' cannot be read: %s", named, strerror(errno));
        return false;
    }
    if (!S_ISDIR(facts.st_mode)) {
        ls_terminal_complain("top: '%s' is no directory", named);
        return false;
    }
    snprintf(runs->root, sizeof(runs->root), "%s", named);
    for (size_t length = strlen(runs->root); length > 1 && runs->root[length - 1] == '/';)
        runs->root[--length] = '\0';
    return true;
}

void ls_top_runs_close(struct ls_top_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        if (runs->items[i]->is_read)
            ls_summary_free(&runs->items[i]->summary);
        free(runs->items[i]->directory);
        free(runs->items[i]);
    }
    free(runs->items);
    ls_symbolizer_free(runs->symbolizer);
}

static void add_run(struct ls_top_runs *runs, const char *directory)
{
    struct ls_top_run **items;
    struct ls_top_run *run;

    for (size_t i = 0; i < runs->count; i++) {
        if (strcmp(runs->items[i]->directory, directory) == 0)
            return;
    }
    items = reallocarray(runs->items, runs->count + 1, sizeof(struct ls_top_run *));
    run = calloc(1, sizeof(*run));
    if (items != NULL)
        runs->items = items;
    if (run != NULL)
        run->directory = strdup(directory);
    if (items == NULL || run == NULL || run->directory == NULL) {
        free(run);
        return;
    }
    items[runs->count++] = run;
}

static void scan(struct ls_top_runs *runs, const char *directory, unsigned depth)
{
    char path[PATH_MAX];
    struct stat facts;
    const struct dirent *entry;
    DIR *stream;

    if (join(path, directory, SUMMARY_NAME) && stat(path, &facts) == 0) {
        add_run(runs, directory);
        return;
    }
    stream = depth < DEPTH_MAX ? opendir(directory) : NULL;
    while (stream != NULL && runs->count < RUNS_MAX && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] != '.' && join(path, directory, entry->d_name) &&
            lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
            scan(runs, path, depth + 1);
    }
    if (stream != NULL)
        closedir(stream);
}

static bool is_same_file(const struct stat *left, const struct stat *right)
{
    return left->st_ino == right->st_ino && left->st_dev == right->st_dev &&
           left->st_size == right->st_size && left->st_mtim.tv_sec == right->st_mtim.tv_sec &&
           left->st_mtim.tv_nsec == right->st_mtim.tv_nsec;
}

/* True when there was something new. */
static bool read_run(struct ls_top_runs *runs, struct ls_top_run *run)
{
    char path[PATH_MAX];
    struct stat facts;
    struct ls_summary summary;

    if (!join(path, run->directory, SUMMARY_NAME) || stat(path, &facts) != 0 ||
        is_same_file(&facts, &run->facts))
        return false;
    run->facts = facts;
    if (ls_summary_read(path, &summary, run->reason) != 0)
        return true;
    run->reason[0] = '\0';
    if (run->is_read)
        ls_summary_free(&run->summary);
    run->summary = summary;
    run->is_read = true;
    if (runs->symbolizer != NULL)
        ls_symbolize_summary(runs->symbolizer, &run->summary);
    return true;
}

bool ls_top_runs_refresh(struct ls_top_runs *runs)
{
    bool is_new = false;

    scan(runs, runs->root, 0);
    for (size_t i = 0; i < runs->count; i++)
        is_new = read_run(runs, runs->items[i]) || is_new;
    return is_new;
}

enum ls_top_state ls_top_run_state(const struct ls_top_run *run, double now)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;

    if (snapshot->final)
        return LS_TOP_ENDED;
    return now - snapshot->written_at <
                   INTERVALS_MISSED * snapshot->settings.interval_s + SECONDS_SPARE
               ? LS_TOP_RUNNING
               : LS_TOP_STALE;
}

bool ls_top_run_is_bad(const struct ls_top_run *run)
{
    return run->summary.snapshot.verdict.state == LS_PROCESS_LEAKING ||
           run->summary.snapshot.verdict.state == LS_PROCESS_FRAGMENTING;
}

static bool goes_first(const struct ls_top_run *left, const struct ls_top_run *right, double now)
{
    bool left_runs;
    bool right_runs;

    if (!left->is_read || !right->is_read)
        return left->is_read && !right->is_read;
    left_runs = ls_top_run_state(left, now) == LS_TOP_RUNNING;
    right_runs = ls_top_run_state(right, now) == LS_TOP_RUNNING;
    if (left_runs != right_runs)
        return left_runs;
    if (ls_top_run_is_bad(left) != ls_top_run_is_bad(right))
        return ls_top_run_is_bad(left);
    return left->summary.snapshot.process.started_at > right->summary.snapshot.process.started_at;
}

struct ls_top_run *ls_top_runs_choose(const struct ls_top_runs *runs, double now)
{
    struct ls_top_run *best = NULL;

    for (size_t i = 0; i < runs->count; i++) {
        if (best == NULL || goes_first(runs->items[i], best, now))
            best = runs->items[i];
    }
    return best;
}

void ls_top_runs_sort(struct ls_top_runs *runs, double now)
{
    /* By insertion: they hardly change from one time to the next. */
    for (size_t i = 1; i < runs->count; i++) {
        struct ls_top_run *run = runs->items[i];
        size_t place = i;

        while (place > 0 && goes_first(run, runs->items[place - 1], now)) {
            runs->items[place] = runs->items[place - 1];
            place--;
        }
        runs->items[place] = run;
    }
}
