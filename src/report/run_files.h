/*
 * What run_directory.c and run_prune.c share: opening things safely. Private to the run directory.
 */
#ifndef LS_REPORT_RUN_FILES_H
#define LS_REPORT_RUN_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Every name a file of a run can have; the array ends with NULL. */
extern const char *const ls_run_file_names[];

/* openat with O_CLOEXEC and O_NOFOLLOW whose result is never 0, 1 or 2: a host that closed its
 * standard streams would otherwise print into our file. Returns the descriptor or -errno. */
int ls_run_open(int directory, const char *path, int flags, mode_t mode);
/* The same for a directory of this user, or of root when `allow_root`; -EPERM when it belongs to
 * someone else. */
int ls_run_open_directory(int directory, const char *path, bool allow_root, struct stat *status);

#endif
