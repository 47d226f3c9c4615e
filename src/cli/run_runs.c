#include "cli/run_runs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/summary.h"
#include "cli/terminal.h"
#include "report/calendar.h"
#include "report/units.h"

#define LINES_MAX    8
#define FOUND_MAX    4096
#define SECONDS_SLOP 2 /* a run's name has whole seconds */
#define TIME_LENGTH  16

struct found {
    char *line;
    double started_at;
    unsigned badness;
    bool is_command;
};

struct search {
    const char *mark;
    pid_t command;
    char earliest[TIME_LENGTH + 1];
    struct found *items;
    size_t count;
};

void ls_run_make_mark(char mark[LS_RUN_MARK_BYTES])
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(mark, LS_RUN_MARK_BYTES, "%d.%llx%08lx", (int)getpid(), (unsigned long long)now.tv_sec,
             (unsigned long)now.tv_nsec);
}

/* `<program>.<pid>.<start time>`, and not begun before the command. */
static bool is_candidate(const struct search *search, const char *name)
{
    size_t length = strlen(name);
    const char *time = name + length - TIME_LENGTH;

    if (length < TIME_LENGTH + 4 || time[-1] != '.' || !isdigit((unsigned char)time[-2]) ||
        time[TIME_LENGTH - 1] != 'Z')
        return false;
    return strcmp(time, search->earliest) >= 0;
}

static unsigned badness_of(const struct ls_snapshot *snapshot)
{
    static const unsigned badness[LS_PROCESS_VERDICT_COUNT] = {
        [LS_PROCESS_LEARNING] = 0,
        [LS_PROCESS_CLEAN] = 1,
        [LS_PROCESS_FRAGMENTING] = 2,
        [LS_PROCESS_LEAKING] = 3,
    };

    return badness[snapshot->verdict.state];
}

static void keep_run(struct search *search, const char *directory,
                     const struct ls_snapshot *snapshot)
{
    struct found *items = reallocarray(search->items, search->count + 1, sizeof(*items));
    bool is_degraded =
        snapshot->health.state == LS_HEALTH_DEGRADED && snapshot->health.note_count > 0;
    char *line;

    if (items == NULL)
        return;
    search->items = items;
    if (asprintf(&line, "%s: %s%s%s", directory, snapshot->verdict.message,
                 is_degraded ? "; not all is tracked: " : "",
                 is_degraded ? snapshot->health.notes[0] : "") < 0)
        return;
    items[search->count++] = (struct found){
        .line = line,
        .started_at = snapshot->process.started_at,
        .badness = badness_of(snapshot),
        .is_command = snapshot->process.pid == search->command,
    };
}

static void look_at_run(struct search *search, const char *directory, const char *name)
{
    char path[PATH_MAX];
    char summary_path[PATH_MAX + 16];
    char reason[LS_SUMMARY_REASON_MAX];
    struct ls_summary summary;
    struct stat facts;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path) ||
        lstat(path, &facts) != 0 || !S_ISDIR(facts.st_mode) || facts.st_uid != geteuid())
        return;
    snprintf(summary_path, sizeof(summary_path), "%s/summary.json", path);
    if (ls_summary_read(summary_path, &summary, reason) != 0)
        return; /* another command's, or of a file system that is full */
    if (strcmp(summary.snapshot.process.launch, search->mark) == 0)
        keep_run(search, path, &summary.snapshot);
    ls_summary_free(&summary);
}

static void look_into(struct search *search, const char *directory)
{
    DIR *stream = opendir(directory);
    const struct dirent *entry;

    if (stream == NULL)
        return;
    while (search->count < FOUND_MAX && (entry = readdir(stream)) != NULL) {
        if (is_candidate(search, entry->d_name))
            look_at_run(search, directory, entry->d_name);
    }
    closedir(stream);
}

static int by_importance(const void *left, const void *right)
{
    const struct found *a = left;
    const struct found *b = right;

    if (a->is_command != b->is_command)
        return a->is_command ? -1 : 1;
    if (a->badness != b->badness)
        return a->badness > b->badness ? -1 : 1;
    if (a->started_at != b->started_at)
        return a->started_at < b->started_at ? -1 : 1;
    return strcmp(a->line, b->line);
}

static void tell_none(const struct ls_options *options)
{
    char bytes[32];
    struct ls_text text;

    if (options->mode == LS_MODE_OFF)
        return;
    ls_text_init(&text, bytes, sizeof(bytes));
    ls_units_duration(&text, (double)options->interval_ns * 1e-9);
    ls_terminal_complain("no run was written: nothing that is tracked lived for an interval (%s)",
                         bytes);
}

/* The library goes there when it cannot write into its directory. */
static const char *fallback_directory(void)
{
    const char *temporary = getenv("TMPDIR");

    return temporary != NULL ? temporary : "/tmp";
}

static bool is_same_directory(const char *left, const char *right)
{
    struct stat a;
    struct stat b;

    return stat(left, &a) == 0 && stat(right, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

void ls_run_tell_runs(const struct ls_options *options, const char *mark, pid_t command,
                      double since)
{
    struct search search = {.mark = mark, .command = command};
    char earliest[TIME_LENGTH + 8];
    struct ls_text text;

    ls_text_init(&text, earliest, sizeof(earliest));
    ls_calendar_compact(&text, since - SECONDS_SLOP);
    snprintf(search.earliest, sizeof(search.earliest), "%.*s", TIME_LENGTH, earliest);
    look_into(&search, options->directory);
    if (!is_same_directory(options->directory, fallback_directory()))
        look_into(&search, fallback_directory());
    if (search.count == 0)
        tell_none(options);
    else
        qsort(search.items, search.count, sizeof(*search.items), by_importance);
    for (size_t i = 0; i < search.count; i++) {
        if (i < LINES_MAX)
            ls_terminal_complain("%s", search.items[i].line);
        free(search.items[i].line);
    }
    if (search.count > LINES_MAX)
        ls_terminal_complain("and %zu more runs of the command; 'leakshim report %s' shows all",
                             search.count - LINES_MAX, options->directory);
    free(search.items);
}
