/*
 * The directory of one run, `<dir>/<program>.<pid>.<start time>/`, and the files in it.
 *
 * Promises: nothing is written through a link or into a directory of another user; directories
 * are 0700 and files 0600; a reader sees a whole old file or a whole new one; after a failed
 * write the old file stands, the temporary one is gone, and the error comes back.
 *
 * No descriptor is kept between calls: a host that closes or replaces descriptors it does not know
 * (daemons do) can neither break a run nor have its own file written to. Descriptors in use are
 * close-on-exec and never 0, 1 or 2.
 *
 * Blocks in the file system, so never on a thread of the host that is at work. One thread at a
 * time on one run. State is the caller's struct, fixed in size; no allocation. A forked child that
 * is to write calls ls_run_directory_init for itself: the parent's run is not the child's.
 */
#ifndef LS_REPORT_RUN_DIRECTORY_H
#define LS_REPORT_RUN_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"
#include "report/writers.h"

#define LS_RUN_PATH_MAX            1024
#define LS_RUN_NAME_MAX            128
#define LS_RUN_REASON_MAX          1280
#define LS_RUN_CANDIDATES          2
#define LS_RUN_HISTORY_BYTES       (UINT64_C(1) << 20)
#define LS_RUN_SAME_PID_SPARE_SECS 60

struct ls_run_directory_options {
    const char *directory; /* option `dir`; relative to the working directory at init */
    const char *temporary; /* $TMPDIR; NULL when it is not set: then /tmp */
    const char *program;   /* base name of the executable, any bytes */
    pid_t pid;
    double started_at;          /* seconds since 1970 */
    uint64_t history_cap_bytes; /* 0: LS_RUN_HISTORY_BYTES */
};

struct ls_run_directory {
    char candidates[LS_RUN_CANDIDATES][LS_RUN_PATH_MAX]; /* absolute; "" when unusable */
    size_t chosen;                                       /* the candidate that worked last */
    char name[LS_RUN_NAME_MAX];
    pid_t pid;
    uint64_t history_cap_bytes;
    /* Why the first choice could not be used, or nothing can; "" while all is well. */
    char reason[LS_RUN_REASON_MAX];
};

typedef int ls_run_writer(const struct ls_snapshot *snapshot, const struct ls_sink *sink);

/* Remembers absolute paths and touches nothing. A path too long or a working directory that has
 * no name makes that candidate unusable and is told in `reason` by the first write. */
void ls_run_directory_init(struct ls_run_directory *run,
                           const struct ls_run_directory_options *options);

/*
 * Writes all four files, making the directory when needed: in `directory`, else in `temporary`. A
 * file that fails does not keep the others from being tried. 0, or the first error as -errno;
 * `reason` says when a fallback is used or none worked.
 */
int ls_run_directory_write(struct ls_run_directory *run, const struct ls_snapshot *snapshot);

/* One file of the run, replaced by what `writer` makes. 0 or -errno. */
int ls_run_directory_replace(struct ls_run_directory *run, const char *file, ls_run_writer *writer,
                             const struct ls_snapshot *snapshot);
/* Appends what `writer` makes to history.jsonl, which first becomes history.1.jsonl when it would
 * outgrow its cap. All of the line is added or nothing. 0 or -errno. */
int ls_run_directory_append(struct ls_run_directory *run, ls_run_writer *writer,
                            const struct ls_snapshot *snapshot);

/*
 * Removes the oldest runs beside ours until `keep` are left, ours among them. Only what is
 * certainly a finished run: a directory named like one, owned by this user, that holds a summary
 * and nothing but files of a run, of a process that is gone. The number of runs removed by one
 * call is bounded, so a full directory takes several. Returns how many, or -errno.
 *
 * `now`: seconds since 1970. A run of our own pid is one of an earlier container (each starts at
 * pid 1); it is spared for LS_RUN_SAME_PID_SPARE_SECS after its last summary, in case two
 * containers share the directory.
 */
int ls_run_directory_prune(struct ls_run_directory *run, unsigned keep, double now);

/* The run's absolute path as last used. */
void ls_run_directory_path(const struct ls_run_directory *run, struct ls_text *text);

#endif
