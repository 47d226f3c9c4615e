#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/run_directory.h"
#include "report_fixture.h"
#include "run_directory_fixture.h"

static void a_run_writes_four_private_files(void **state)
{
    mode_t mask = umask(0);

    (void)state;
    start_run(under_root("a/b/out//"), NULL);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    umask(mask);
    assert_string_equal(run.reason, "");
    assert_int_equal(mode_of(under_root("a")), 0700);
    assert_int_equal(mode_of(under_root("a/b/out")), 0700);
    assert_int_equal(mode_of(run_path("")), 0700);
    assert_int_equal(mode_of(run_path("summary.txt")), 0600);
    assert_int_equal(mode_of(run_path("summary.json")), 0600);
    assert_int_equal(mode_of(run_path("history.jsonl")), 0600);
    assert_int_equal(mode_of(run_path("metrics.prom")), 0600);
    assert_int_equal(count_entries(run_path("")), 4);
}

static void the_name_says_program_pid_and_start(void **state)
{
    char expected[128];
    struct ls_run_directory_options options = {
        .directory = root, .program = "../.evil name\n", .pid = 7, .started_at = STARTED};

    (void)state;
    start_run(root, NULL);
    snprintf(expected, sizeof(expected), "node.%d.20261121T083006Z", getpid());
    assert_string_equal(run.name, expected);
    ls_run_directory_init(&run, &options);
    assert_string_equal(run.name, "_._.evil_name_.7.20261121T083006Z");
    options.program = "";
    ls_run_directory_init(&run, &options);
    assert_string_equal(run.name, "unknown.7.20261121T083006Z");
}

static void a_relative_directory_stays_where_the_process_started(void **state)
{
    (void)state;
    assert_int_equal(chdir(root), 0);
    start_run("out", NULL);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_true(size_of(run_path("summary.txt")) > 0);
    assert_int_equal(mode_of(under_root("out")), 0700);
}

static void an_unusable_directory_falls_back_and_says_why(void **state)
{
    (void)state;
    write_text(under_root("file"), "x");
    assert_int_equal(mkdir(under_root("tmp"), 0700), 0);
    start_run(under_root("file/out"), under_root("tmp"));
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_true(size_of(run_path("summary.txt")) > 0);
    assert_non_null(strstr(run.reason, "/file/out (not a directory, or a link); writing to "));
    assert_non_null(strstr(run.reason, "/tmp instead"));
    assert_int_equal(run.chosen, 1);
    /* The second summary goes to the same place. */
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_int_equal(run.chosen, 1);
    assert_int_equal(count_entries(under_root("tmp")), 1);
}

static void when_nothing_can_be_written_the_first_error_comes_back(void **state)
{
    (void)state;
    start_run("/proc/none", "/proc/none2");
    assert_true(ls_run_directory_write(&run, &snapshot) < 0);
    assert_non_null(strstr(run.reason, "/proc/none ("));
    assert_non_null(strstr(run.reason, ", /proc/none2 ("));
    /* And once it can, it is. */
    strcpy(run.candidates[0], root);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_string_equal(run.reason, "");
}

static void a_path_too_long_falls_back(void **state)
{
    static char path[4096];

    (void)state;
    memset(path, 'p', sizeof(path) - 1);
    path[0] = '/';
    start_run(path, root);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_non_null(strstr(run.reason, "the directory given (path too long)"));
}

static void nothing_is_written_through_a_link(void **state)
{
    char path[4096];

    (void)state;
    assert_int_equal(mkdir(under_root("elsewhere"), 0700), 0);
    assert_int_equal(mkdir(under_root("tmp"), 0700), 0);
    assert_int_equal(symlink(under_root("elsewhere"), under_root("link")), 0);
    start_run(under_root("link/"), under_root("tmp"));
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_int_equal(count_entries(under_root("elsewhere")), 0);
    assert_non_null(strstr(run.reason, "link (not a directory, or a link)"));

    /* The run's own directory planted as a link. */
    start_run(under_root("out"), "/proc/none");
    assert_int_equal(mkdir(under_root("out"), 0700), 0);
    snprintf(path, sizeof(path), "%s/%s", under_root("out"), run.name);
    assert_int_equal(symlink(under_root("elsewhere"), path), 0);
    assert_true(ls_run_directory_write(&run, &snapshot) < 0);
    assert_int_equal(count_entries(under_root("elsewhere")), 0);
}

static void planted_files_are_replaced_and_never_followed(void **state)
{
    (void)state;
    write_text(under_root("victim"), "precious");
    start_run(under_root("out"), NULL);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_int_equal(symlink(under_root("victim"), run_path(".summary.txt.tmp")), 0);
    assert_int_equal(unlink(run_path("history.jsonl")), 0);
    assert_int_equal(symlink(under_root("victim"), run_path("history.jsonl")), 0);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), -ELOOP);
    assert_int_equal(size_of(under_root("victim")), 8);
    assert_int_equal(count_entries(run_path("")), 4);
}

static void a_directory_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(under_root("theirs"), 0777), 0);
    assert_int_equal(chown(under_root("theirs"), 4711, 4711), 0);
    start_run(under_root("theirs"), root);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_int_equal(count_entries(under_root("theirs")), 0);
    assert_non_null(strstr(run.reason, "theirs (belongs to another user)"));
}

static int fail_halfway(const struct ls_snapshot *ignored, const struct ls_sink *sink)
{
    (void)ignored;
    assert_int_equal(sink->write(sink->context, "half", 4), 0);
    return -ENOSPC;
}

static int write_hundred(const struct ls_snapshot *ignored, const struct ls_sink *sink)
{
    static const char line[101] = "123456789 123456789 123456789 123456789 123456789 "
                                  "123456789 123456789 123456789 123456789 12345678\n";

    (void)ignored;
    return sink->write(sink->context, line, 99);
}

static void a_failed_write_leaves_the_old_file_and_no_temporary_one(void **state)
{
    long before;

    (void)state;
    start_run(under_root("out"), NULL);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    before = size_of(run_path("summary.txt"));
    assert_int_equal(ls_run_directory_replace(&run, "summary.txt", fail_halfway, &snapshot),
                     -ENOSPC);
    assert_int_equal(size_of(run_path("summary.txt")), before);
    assert_int_equal(count_entries(run_path("")), 4);
}

/* A limit on the size of files stands in for a full disk: write returns an error after a part. */
static void a_disk_that_fills_up_leaves_whole_files(void **state)
{
    struct rlimit old;
    struct rlimit limit;
    long text;
    long history;

    (void)state;
    start_run(under_root("out"), NULL);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    text = size_of(run_path("summary.txt"));
    history = size_of(run_path("history.jsonl"));
    fixture_leaking_node(&snapshot);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit = old;
    limit.rlim_cur = (rlim_t)(history + 10);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(size_of(run_path("summary.txt")), text);
    assert_int_equal(size_of(run_path("history.jsonl")), history);
    assert_int_equal(count_entries(run_path("")), 4);
}

static void a_directory_removed_under_the_run_is_made_again(void **state)
{
    (void)state;
    start_run(under_root("out"), NULL);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_int_equal(remove_tree(under_root("out")), 0);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    assert_int_equal(count_entries(run_path("")), 4);
}

static void the_history_rotates_at_its_cap(void **state)
{
    (void)state;
    start_run(under_root("out"), NULL);
    run.history_cap_bytes = 250;
    for (int i = 0; i < 5; i++)
        assert_int_equal(ls_run_directory_append(&run, write_hundred, &snapshot), 0);
    assert_int_equal(size_of(run_path("history.1.jsonl")), 198);
    assert_int_equal(size_of(run_path("history.jsonl")), 99);
    assert_int_equal(ls_run_directory_append(&run, fail_halfway, &snapshot), -ENOSPC);
    assert_int_equal(size_of(run_path("history.jsonl")), 99);
}

static void a_history_that_cannot_rotate_does_not_grow(void **state)
{
    (void)state;
    start_run(under_root("out"), NULL);
    run.history_cap_bytes = 150;
    assert_int_equal(ls_run_directory_append(&run, write_hundred, &snapshot), 0);
    assert_int_equal(mkdir(run_path("history.1.jsonl"), 0700), 0);
    assert_int_equal(ls_run_directory_append(&run, write_hundred, &snapshot), -EISDIR);
    assert_int_equal(size_of(run_path("history.jsonl")), 99);
    assert_int_equal(rmdir(run_path("history.1.jsonl")), 0);
    assert_int_equal(ls_run_directory_append(&run, write_hundred, &snapshot), 0);
    assert_int_equal(size_of(run_path("history.jsonl")), 99);
}

static int note_descriptors(const struct ls_snapshot *ignored, const struct ls_sink *sink)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    int low = 0;

    (void)ignored;
    (void)sink;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        int fd = atoi(entry->d_name);

        /* opendir's own descriptor may be low: it took the first that was free. */
        if (entry->d_name[0] != '.' && fd != dirfd(directory)) {
            low += fd <= 2;
            low += (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0 ? 100 : 0;
        }
    }
    if (directory != NULL)
        closedir(directory);
    return -1000 - low;
}

static void descriptors_are_never_standard_streams_and_close_on_exec(void **state)
{
    pid_t child;
    int status;

    (void)state;
    start_run(under_root("out"), NULL);
    child = fork();
    if (child == 0) {
        int result;

        for (int fd = 0; fd < 256; fd++)
            close(fd);
        result = ls_run_directory_replace(&run, "summary.txt", note_descriptors, &snapshot);
        _exit(result == -1000 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOT(a_run_writes_four_private_files),
        IN_ROOT(the_name_says_program_pid_and_start),
        IN_ROOT(a_relative_directory_stays_where_the_process_started),
        IN_ROOT(an_unusable_directory_falls_back_and_says_why),
        IN_ROOT(when_nothing_can_be_written_the_first_error_comes_back),
        IN_ROOT(a_path_too_long_falls_back),
        IN_ROOT(nothing_is_written_through_a_link),
        IN_ROOT(planted_files_are_replaced_and_never_followed),
        IN_ROOT(a_directory_of_another_user_is_refused),
        IN_ROOT(a_failed_write_leaves_the_old_file_and_no_temporary_one),
        IN_ROOT(a_disk_that_fills_up_leaves_whole_files),
        IN_ROOT(a_directory_removed_under_the_run_is_made_again),
        IN_ROOT(the_history_rotates_at_its_cap),
        IN_ROOT(a_history_that_cannot_rotate_does_not_grow),
        IN_ROOT(descriptors_are_never_standard_streams_and_close_on_exec),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
