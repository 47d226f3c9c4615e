#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report/run_directory.h"
#include "report/run_files.h"
#include "system/syscall.h"

/* Runs removed by one call: bounds the stack and the time it takes. */
#define BATCH        16
#define STAMP_LENGTH 16

/* struct linux_dirent64 of getdents64(2). */
struct entry {
    uint64_t inode;
    int64_t next;
    unsigned short length;
    unsigned char type;
    char name[];
};

struct finished_run {
    char stamp[STAMP_LENGTH + 1];
    char name[LS_RUN_NAME_MAX];
};

struct survey {
    const struct ls_run_directory *run;
    double now;
    int parent;
    unsigned runs; /* all of ours, the live ones too */
    size_t oldest_count;
    struct finished_run oldest[BATCH]; /* sorted, oldest first */
};

typedef int visit(void *context, const char *name);

/* Calls `visit` for every entry but . and ..; stops at its first non-zero result. */
static int for_each_entry(int directory, visit *visit_entry, void *context)
{
    _Alignas(struct entry) char buffer[4096];
    long length;

    while ((length = ls_sys_getdents64(directory, buffer, sizeof(buffer))) > 0) {
        for (long at = 0; at < length;) {
            const struct entry *entry = (const struct entry *)(const void *)(buffer + at);
            int result = 0;

            at += entry->length;
            if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0)
                result = visit_entry(context, entry->name);
            if (result != 0)
                return result;
        }
    }
    return (int)length;
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool is_stamp(const char *text)
{
    for (size_t i = 0; i < STAMP_LENGTH; i++) {
        bool fits = i == 8 ? text[i] == 'T' : i == 15 ? text[i] == 'Z' : is_digit(text[i]);

        if (!fits)
            return false;
    }
    return text[STAMP_LENGTH] == '\0';
}

/* <program>.<pid>.<stamp>; false when the name is anything else. */
static bool parse_name(const char *name, pid_t *pid, const char **stamp)
{
    size_t length = strlen(name);
    size_t at;
    int64_t value = 0;
    int64_t scale = 1;

    if (length >= LS_RUN_NAME_MAX || length < STAMP_LENGTH + 4 || name[0] == '.')
        return false;
    *stamp = name + length - STAMP_LENGTH;
    at = length - STAMP_LENGTH - 1;
    if (!is_stamp(*stamp) || name[at] != '.')
        return false;
    while (at > 0 && is_digit(name[at - 1])) {
        if (scale > 1000000000)
            return false;
        value += scale * (name[--at] - '0');
        scale *= 10;
    }
    *pid = (pid_t)value;
    return scale > 1 && value > 0 && value <= INT32_MAX && at > 1 && name[at - 1] == '.';
}

static int is_known_file(void *context, const char *name)
{
    bool *summary = context;

    for (size_t i = 0; ls_run_file_names[i] != NULL; i++) {
        if (strcmp(name, ls_run_file_names[i]) == 0) {
            *summary =
                *summary || strcmp(name, "summary.txt") == 0 || strcmp(name, "summary.json") == 0;
            return 0;
        }
    }
    return -EEXIST;
}

static bool stat_file(int directory, const char *name, struct stat *status)
{
    return ls_sys_call6(SYS_newfstatat, directory, (long)name, (long)status, AT_SYMLINK_NOFOLLOW, 0,
                        0) == 0 &&
           S_ISREG(status->st_mode);
}

/* Opens what is certainly a run of ours, or returns -errno. `written_at`: its last summary. */
static int open_finished_run(int parent, const char *name, double *written_at)
{
    struct stat status;
    bool summary = false;
    int fd = ls_run_open_directory(parent, name, false, &status);
    int result;

    if (fd < 0)
        return fd;
    result = for_each_entry(fd, is_known_file, &summary);
    if (result == 0 && !(summary && (stat_file(fd, "summary.txt", &status) ||
                                     stat_file(fd, "summary.json", &status))))
        result = -ENOENT;
    if (result != 0) {
        ls_sys_close(fd);
        return result;
    }
    *written_at = (double)status.st_mtim.tv_sec;
    return fd;
}

static bool is_over(const struct survey *survey, pid_t pid, double written_at)
{
    if (pid == survey->run->pid)
        return survey->now - written_at > LS_RUN_SAME_PID_SPARE_SECS;
    return ls_sys_call6(SYS_kill, pid, 0, 0, 0, 0, 0) == -ESRCH;
}

/* Into the sorted list of the oldest, the youngest of which falls out when it is full. */
static void add_finished(struct survey *survey, const char *name, const char *stamp)
{
    size_t at = survey->oldest_count;

    if (at == BATCH) {
        if (strcmp(stamp, survey->oldest[BATCH - 1].stamp) >= 0)
            return;
        at--;
    } else {
        survey->oldest_count++;
    }
    for (; at > 0 && strcmp(stamp, survey->oldest[at - 1].stamp) < 0; at--)
        survey->oldest[at] = survey->oldest[at - 1];
    memcpy(survey->oldest[at].stamp, stamp, STAMP_LENGTH + 1);
    memcpy(survey->oldest[at].name, name, strlen(name) + 1);
}

static int survey_entry(void *context, const char *name)
{
    struct survey *survey = context;
    const char *stamp;
    double written_at = 0;
    pid_t pid;
    int fd;

    if (strcmp(name, survey->run->name) == 0) {
        survey->runs++;
        return 0;
    }
    if (!parse_name(name, &pid, &stamp))
        return 0;
    fd = open_finished_run(survey->parent, name, &written_at);
    if (fd < 0)
        return 0;
    ls_sys_close(fd);
    survey->runs++;
    if (is_over(survey, pid, written_at))
        add_finished(survey, name, stamp);
    return 0;
}

/* Nothing but the files of a run is unlinked, so a file that came in since leaves the directory
 * standing. */
static bool remove_run(int parent, const char *name)
{
    double written_at;
    int fd = open_finished_run(parent, name, &written_at);

    if (fd < 0)
        return false;
    for (size_t i = 0; ls_run_file_names[i] != NULL; i++)
        ls_sys_unlinkat(fd, ls_run_file_names[i], 0);
    ls_sys_close(fd);
    return ls_sys_unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

int ls_run_directory_prune(struct ls_run_directory *run, unsigned keep, double now)
{
    struct survey survey = {.run = run, .now = now};
    struct stat status;
    int removed = 0;
    int result;

    survey.parent = ls_run_open_directory(AT_FDCWD, run->candidates[run->chosen], true, &status);
    if (survey.parent < 0)
        return survey.parent;
    result = for_each_entry(survey.parent, survey_entry, &survey);
    for (size_t i = 0; i < survey.oldest_count && survey.runs > keep; i++) {
        if (remove_run(survey.parent, survey.oldest[i].name)) {
            survey.runs--;
            removed++;
        }
    }
    ls_sys_close(survey.parent);
    return result < 0 ? result : removed;
}
