#include "cli/runs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/terminal.h"

#define DEPTH_MAX    16
#define SUMMARY_NAME "summary.json"

static bool add_run(struct ls_runs *runs, const char *directory, const char *path)
{
    char reason[LS_SUMMARY_REASON_MAX] = "";
    struct ls_summary summary;
    struct ls_run *items;
    const char *slash = strrchr(directory, '/');

    if (ls_summary_read(path, &summary, reason) != 0) {
        ls_terminal_complain("%s %s", path, reason);
        return false;
    }
    items = reallocarray(runs->items, runs->count + 1, sizeof(*items));
    if (items == NULL) {
        ls_terminal_complain("out of memory");
        ls_summary_free(&summary);
        return false;
    }
    runs->items = items;
    items[runs->count++] = (struct ls_run){
        .directory = strdup(directory),
        .name = strdup(slash != NULL && slash[1] != '\0' ? slash + 1 : directory),
        .summary = summary,
    };
    return true;
}

static bool is_there(const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat facts;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return lstat(path, &facts) == 0;
}

/* A run has other files than its summary; without it they say nothing that could be judged. */
static bool is_headless_run(const char *directory)
{
    return is_there(directory, "summary.txt") || is_there(directory, "history.jsonl") ||
           is_there(directory, "metrics.prom");
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool walk(struct ls_runs *runs, const char *directory, unsigned depth);

static bool walk_entries(struct ls_runs *runs, const char *directory, unsigned depth)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_visible, by_name);
    bool whole = count >= 0;

    if (count < 0)
        ls_terminal_complain("%s cannot be read: %s", directory, strerror(errno));
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat facts;

        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        if (lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode) && !walk(runs, path, depth + 1))
            whole = false;
        free(entries[i]);
    }
    free(entries);
    return whole;
}

static bool walk(struct ls_runs *runs, const char *directory, unsigned depth)
{
    char path[PATH_MAX];

    if (strlen(directory) + sizeof(SUMMARY_NAME) + 1 > sizeof(path) || depth > DEPTH_MAX) {
        ls_terminal_complain("%s is too deep", directory);
        return false;
    }
    if (is_there(directory, SUMMARY_NAME)) {
        snprintf(path, sizeof(path), "%s/%s", directory, SUMMARY_NAME);
        return add_run(runs, directory, path);
    }
    if (is_headless_run(directory)) {
        ls_terminal_complain("%s has no " SUMMARY_NAME, directory);
        return false;
    }
    return walk_entries(runs, directory, depth);
}

static bool read_path(struct ls_runs *runs, const char *given)
{
    char path[PATH_MAX];
    struct stat facts;
    size_t before = runs->count;
    size_t length = strlen(given);
    bool whole;

    if (length == 0 || length >= sizeof(path) || stat(given, &facts) != 0) {
        ls_terminal_complain("'%s' cannot be read: %s", given,
                             length == 0              ? "the path is empty"
                             : length >= sizeof(path) ? "the path is too long"
                                                      : strerror(errno));
        return false;
    }
    memcpy(path, given, length + 1);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    if (!S_ISDIR(facts.st_mode)) {
        char *slash;
        char file[PATH_MAX];

        memcpy(file, path, length + 1);
        slash = strrchr(path, '/');
        if (slash == NULL)
            snprintf(path, sizeof(path), ".");
        else
            slash[slash == path ? 1 : 0] = '\0';
        return add_run(runs, path, file);
    }
    whole = walk(runs, path, 0);
    if (whole && runs->count == before) {
        ls_terminal_complain("%s holds no run: there is no " SUMMARY_NAME " in it", given);
        whole = false;
    }
    return whole;
}

static int by_start(const void *left, const void *right)
{
    const struct ls_run *a = left;
    const struct ls_run *b = right;
    double first = a->summary.snapshot.process.started_at;
    double second = b->summary.snapshot.process.started_at;

    if (first != second)
        return first < second ? -1 : 1;
    return strcmp(a->directory, b->directory);
}

bool ls_runs_read(char *const *paths, size_t path_count, struct ls_runs *runs)
{
    bool whole = true;

    *runs = (struct ls_runs){0};
    for (size_t i = 0; i < path_count; i++)
        whole = read_path(runs, paths[i]) && whole;
    if (runs->count > 1)
        qsort(runs->items, runs->count, sizeof(runs->items[0]), by_start);
    return whole;
}

void ls_runs_free(struct ls_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        free(runs->items[i].directory);
        free(runs->items[i].name);
        ls_summary_free(&runs->items[i].summary);
    }
    free(runs->items);
    *runs = (struct ls_runs){0};
}
