#include "report/run_files.h"

#include <errno.h>
#include <fcntl.h>

#include "system/syscall.h"

const char *const ls_run_file_names[] = {
    "summary.txt",       "summary.json",      "metrics.prom",
    "history.jsonl",     "history.1.jsonl",   ".summary.txt.tmp",
    ".summary.json.tmp", ".metrics.prom.tmp", NULL,
};

int ls_run_open(int directory, const char *path, int flags, mode_t mode)
{
    long fd;

    do {
        fd = ls_sys_openat(directory, path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, mode);
    } while (fd == -EINTR);
    if (fd >= 0 && fd <= 2) {
        long high = ls_sys_fcntl((int)fd, F_DUPFD_CLOEXEC, 3);

        ls_sys_close((int)fd);
        return (int)high;
    }
    return (int)fd;
}

int ls_run_open_directory(int directory, const char *path, bool allow_root, struct stat *status)
{
    int fd = ls_run_open(directory, path, O_RDONLY | O_DIRECTORY, 0);
    long result;

    if (fd < 0)
        return fd;
    result = ls_sys_fstat(fd, status);
    if (result == 0 && status->st_uid != ls_sys_geteuid() && !(allow_root && status->st_uid == 0))
        result = -EPERM;
    if (result != 0) {
        ls_sys_close(fd);
        return (int)result;
    }
    return fd;
}
