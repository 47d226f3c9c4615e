#include "report/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "report/calendar.h"
#include "report/run_files.h"
#include "system/syscall.h"

#define PROGRAM_BYTES_MAX 64
#define HISTORY           "history.jsonl"
#define OLD_HISTORY       "history.1.jsonl"

static const char *describe(int error)
{
    switch (-error) {
    case EACCES:
        return "permission denied";
    case EPERM:
        return "belongs to another user";
    case EROFS:
        return "read-only file system";
    case ENOSPC:
        return "no space left";
    case EDQUOT:
        return "disk quota exceeded";
    case ENOTDIR:
        return "not a directory, or a link";
    case ELOOP:
        return "a link";
    case ENOENT:
        return "no such directory";
    case ENAMETOOLONG:
        return "path too long";
    case EIO:
        return "input/output error";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    default:
        return NULL;
    }
}

/* Each failure is told with its path, in order of the attempts. */
static void add_reason(struct ls_run_directory *run, const char *path, int error)
{
    struct ls_text text;
    const char *words = describe(error);
    size_t length = strlen(run->reason);

    ls_text_init(&text, run->reason + length, sizeof(run->reason) - length);
    ls_text_string(&text, length == 0 ? "cannot write to " : ", ");
    ls_text_string(&text, path);
    ls_text_string(&text, " (");
    if (words != NULL) {
        ls_text_string(&text, words);
    } else {
        ls_text_string(&text, "error ");
        ls_text_signed(&text, -(int64_t)error);
    }
    ls_text_char(&text, ')');
}

static void add_outcome(struct ls_run_directory *run)
{
    struct ls_text text;
    size_t length = strlen(run->reason);

    ls_text_init(&text, run->reason + length, sizeof(run->reason) - length);
    ls_text_string(&text, "; writing to ");
    ls_text_string(&text, run->candidates[run->chosen]);
    ls_text_string(&text, " instead");
}

/* The absolute form of `path` without trailing slashes, which would let O_NOFOLLOW follow. */
static void make_absolute(char *absolute, size_t capacity, const char *path)
{
    struct ls_text text;

    ls_text_init(&text, absolute, capacity);
    if (path[0] != '/') {
        long length = ls_sys_call6(SYS_getcwd, (long)absolute, (long)capacity, 0, 0, 0, 0);

        /* The kernel says "(unreachable)…" for a directory outside the root. */
        if (length <= 1 || absolute[0] != '/') {
            absolute[0] = '\0';
            return;
        }
        text.length = (size_t)length - 1;
        if (text.length > 1)
            ls_text_char(&text, '/');
    }
    ls_text_string(&text, path);
    if (text.truncated) {
        absolute[0] = '\0';
        return;
    }
    while (text.length > 1 && absolute[text.length - 1] == '/')
        absolute[--text.length] = '\0';
}

static bool is_plain(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '-' || character == '_' ||
           character == '+' || character == '.';
}

static void make_name(struct ls_run_directory *run, const struct ls_run_directory_options *options)
{
    struct ls_text text;
    const char *program = options->program[0] != '\0' ? options->program : "unknown";

    ls_text_init(&text, run->name, sizeof(run->name));
    for (size_t i = 0; program[i] != '\0' && i < PROGRAM_BYTES_MAX; i++) {
        bool hidden = i == 0 && program[i] == '.';

        ls_text_char(&text, is_plain(program[i]) && !hidden ? program[i] : '_');
    }
    ls_text_char(&text, '.');
    ls_text_signed(&text, options->pid);
    ls_text_char(&text, '.');
    ls_calendar_compact(&text, options->started_at);
}

void ls_run_directory_init(struct ls_run_directory *run,
                           const struct ls_run_directory_options *options)
{
    const char *paths[LS_RUN_CANDIDATES] = {
        options->directory, options->temporary != NULL ? options->temporary : "/tmp"};

    memset(run, 0, sizeof(*run));
    for (size_t i = 0; i < LS_RUN_CANDIDATES; i++) {
        if (paths[i] != NULL && paths[i][0] != '\0')
            make_absolute(run->candidates[i], sizeof(run->candidates[i]), paths[i]);
    }
    run->pid = options->pid;
    run->history_cap_bytes =
        options->history_cap_bytes > 0 ? options->history_cap_bytes : LS_RUN_HISTORY_BYTES;
    make_name(run, options);
}

/* Makes every missing directory on the way. Returns the last error other than "exists", or 0. */
static int make_directories(const char *path)
{
    char prefix[LS_RUN_PATH_MAX];
    size_t length = strlen(path);
    int last = 0;

    memcpy(prefix, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        prefix[i] = '\0';
        last = (int)ls_sys_mkdirat(AT_FDCWD, prefix, 0700);
        prefix[i] = path[i];
    }
    return last == -EEXIST ? 0 : last;
}

/* The directory that holds the runs. Root's is allowed, for /tmp and for mounted volumes: nobody
 * but us can write into the run inside, which is checked to be ours. */
static int open_parent(const char *path)
{
    struct stat status;
    int fd = ls_run_open_directory(AT_FDCWD, path, true, &status);

    if (fd == -ENOENT) {
        int made = make_directories(path);

        fd = made != 0 ? made : ls_run_open_directory(AT_FDCWD, path, true, &status);
    }
    return fd;
}

static int open_candidate(const char *path, const char *name)
{
    struct stat status = {0};
    int parent = open_parent(path);
    int fd;

    if (parent < 0)
        return parent;
    fd = (int)ls_sys_mkdirat(parent, name, 0700);
    if (fd == 0 || fd == -EEXIST)
        fd = ls_run_open_directory(parent, name, false, &status);
    ls_sys_close(parent);
    if (fd >= 0 && (status.st_mode & 0077) != 0)
        ls_sys_call6(SYS_fchmod, fd, 0700, 0, 0, 0, 0);
    return fd;
}

/* Errors that say nothing about the place: another place would not help. */
static bool is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

/* A descriptor of the run's directory, or the error of the first candidate. */
static int open_run(struct ls_run_directory *run)
{
    size_t start = run->chosen;
    int first_error = 0;

    for (size_t i = start; i < LS_RUN_CANDIDATES; i++) {
        int fd = -ENAMETOOLONG;

        if (run->candidates[i][0] != '\0')
            fd = open_candidate(run->candidates[i], run->name);
        else if (i != 0)
            continue;
        if (fd >= 0) {
            run->chosen = i;
            if (i == 0)
                run->reason[0] = '\0';
            else if (i != start)
                add_outcome(run);
            return fd;
        }
        if (is_shortage(fd))
            return fd;
        if (first_error == 0) {
            run->reason[0] = '\0';
            first_error = fd;
        }
        add_reason(run, run->candidates[i][0] != '\0' ? run->candidates[i] : "the directory given",
                   fd);
    }
    run->chosen = 0;
    return first_error;
}

struct file_sink {
    int fd;
    uint64_t length;
};

static int write_to_file(void *context, const char *bytes, size_t length)
{
    struct file_sink *file = context;

    file->length += length;
    return ls_sys_write_all(file->fd, bytes, length);
}

static int count_bytes(void *context, const char *bytes, size_t length)
{
    struct file_sink *file = context;

    (void)bytes;
    file->length += length;
    return 0;
}

static int replace_in(int directory, const char *file, ls_run_writer *writer,
                      const struct ls_snapshot *snapshot)
{
    char temporary[64];
    struct ls_text text;
    struct file_sink context = {0};
    struct ls_sink sink = {write_to_file, &context};
    int error;
    int closed;

    ls_text_init(&text, temporary, sizeof(temporary));
    ls_text_char(&text, '.');
    ls_text_string(&text, file);
    ls_text_string(&text, ".tmp");
    if (text.truncated)
        return -ENAMETOOLONG;

    context.fd = ls_run_open(directory, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (context.fd == -EEXIST) {
        /* Left by a writer that was killed: it is not ours to trust, so it goes. */
        ls_sys_unlinkat(directory, temporary, 0);
        context.fd = ls_run_open(directory, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    }
    if (context.fd < 0)
        return context.fd;
    error = writer(snapshot, &sink);
    /* Network file systems and quotas may report a failed write only here. */
    closed = (int)ls_sys_close(context.fd);
    if (error == 0 && closed != -EINTR)
        error = closed;
    if (error == 0)
        error = (int)ls_sys_renameat(directory, temporary, directory, file);
    if (error != 0)
        ls_sys_unlinkat(directory, temporary, 0);
    return error;
}

/* Opens the history with room for `length` bytes more, rotating it when there is none. */
static int open_history(int directory, uint64_t length, uint64_t cap, struct stat *status)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        int fd = ls_run_open(directory, HISTORY, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0600);
        long result;

        if (fd < 0)
            return fd;
        result = ls_sys_fstat(fd, status);
        if (result == 0 && (!S_ISREG(status->st_mode) || status->st_uid != ls_sys_geteuid()))
            result = -EPERM;
        if (result == 0 && (status->st_size == 0 || (uint64_t)status->st_size + length <= cap))
            return fd;
        ls_sys_close(fd);
        if (result == 0)
            result = ls_sys_renameat(directory, HISTORY, directory, OLD_HISTORY);
        if (result != 0)
            return (int)result;
    }
    return -EAGAIN;
}

static int append_in(int directory, uint64_t cap, ls_run_writer *writer,
                     const struct ls_snapshot *snapshot)
{
    struct file_sink context = {0};
    struct ls_sink sink = {count_bytes, &context};
    struct stat status;
    int error = writer(snapshot, &sink);
    int closed;

    if (error != 0)
        return error;
    context.fd = open_history(directory, context.length, cap, &status);
    if (context.fd < 0)
        return context.fd;
    sink.write = write_to_file;
    error = writer(snapshot, &sink);
    if (error != 0)
        ls_sys_ftruncate(context.fd, status.st_size);
    closed = (int)ls_sys_close(context.fd);
    return error == 0 && closed != -EINTR ? closed : error;
}

int ls_run_directory_replace(struct ls_run_directory *run, const char *file, ls_run_writer *writer,
                             const struct ls_snapshot *snapshot)
{
    int directory = open_run(run);
    int error;

    if (directory < 0)
        return directory;
    error = replace_in(directory, file, writer, snapshot);
    ls_sys_close(directory);
    return error;
}

int ls_run_directory_append(struct ls_run_directory *run, ls_run_writer *writer,
                            const struct ls_snapshot *snapshot)
{
    int directory = open_run(run);
    int error;

    if (directory < 0)
        return directory;
    error = append_in(directory, run->history_cap_bytes, writer, snapshot);
    ls_sys_close(directory);
    return error;
}

int ls_run_directory_write(struct ls_run_directory *run, const struct ls_snapshot *snapshot)
{
    static const struct {
        const char *file;
        ls_run_writer *writer;
    } files[] = {
        {"summary.txt", ls_report_write_text},
        {"summary.json", ls_report_write_json},
        {"metrics.prom", ls_report_write_metrics},
    };
    int directory = open_run(run);
    int first_error = 0;
    int error;

    if (directory < 0)
        return directory;
    for (size_t i = 0; i < LS_ARRAY_LENGTH(files); i++) {
        error = replace_in(directory, files[i].file, files[i].writer, snapshot);
        if (first_error == 0)
            first_error = error;
    }
    error = append_in(directory, run->history_cap_bytes, ls_report_write_history, snapshot);
    ls_sys_close(directory);
    return first_error != 0 ? first_error : error;
}

void ls_run_directory_path(const struct ls_run_directory *run, struct ls_text *text)
{
    ls_text_string(text, run->candidates[run->chosen]);
    if (strcmp(run->candidates[run->chosen], "/") != 0)
        ls_text_char(text, '/');
    ls_text_string(text, run->name);
}
