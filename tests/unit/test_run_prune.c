#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/run_directory.h"
#include "run_directory_fixture.h"

static void make_run(const char *parent, const char *name, const char *file)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", parent, name);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/%s", parent, name, file);
    write_text(path, "{}");
}

/* A process id that was just in use and is not any more. */
static pid_t finished_pid(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return child;
}

static void pruning_removes_the_oldest_finished_runs(void **state)
{
    char name[128];
    pid_t gone = finished_pid();

    (void)state;
    start_run(under_root("out"), NULL);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "job.v2.%d.2026010%dT000000Z", gone, i + 1);
        make_run(under_root("out"), name, i % 2 == 0 ? "summary.txt" : "summary.json");
    }
    assert_int_equal(ls_run_directory_prune(&run, 4, (double)time(NULL)), 3);
    assert_int_equal(count_entries(under_root("out")), 4);
    snprintf(name, sizeof(name), "out/job.v2.%d.20260104T000000Z", gone);
    assert_int_equal(mode_of(under_root(name)), 0700);
    assert_int_equal(ls_run_directory_prune(&run, 4, (double)time(NULL)), 0);
    assert_int_equal(ls_run_directory_prune(&run, 0, (double)time(NULL)), 3);
    assert_int_equal(count_entries(under_root("out")), 1);
    assert_int_equal(count_entries(run_path("")), 4);
}

static void pruning_many_runs_takes_several_calls(void **state)
{
    char name[128];
    pid_t gone = finished_pid();
    int removed = 0;

    (void)state;
    start_run(under_root("out"), NULL);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "node.%d.202601%02dT0000%02dZ", gone, i % 28 + 1, i);
        make_run(under_root("out"), name, "summary.txt");
    }
    for (int call = 0; call < 4; call++)
        removed += ls_run_directory_prune(&run, 2, (double)time(NULL));
    assert_int_equal(removed, 39);
    assert_int_equal(count_entries(under_root("out")), 2);
    /* The youngest stays, whatever the order of the directory. */
    snprintf(name, sizeof(name), "out/node.%d.20260128T000027Z", gone);
    assert_int_equal(mode_of(under_root(name)), 0700);
}

static void pruning_keeps_what_is_not_certainly_a_finished_run(void **state)
{
    pid_t gone = finished_pid();
    char name[256];

    (void)state;
    start_run(under_root("out"), NULL);
    assert_int_equal(ls_run_directory_write(&run, &snapshot), 0);
    /* A live process. */
    snprintf(name, sizeof(name), "node.%d.20260101T000000Z", getppid());
    make_run(under_root("out"), name, "summary.txt");
    /* Our own pid, written this minute. */
    snprintf(name, sizeof(name), "node.%d.20260101T000000Z", getpid());
    make_run(under_root("out"), name, "summary.txt");
    /* No summary; a file that is not ours; names that are not quite a run's. */
    snprintf(name, sizeof(name), "node.%d.20260101T000001Z", gone);
    make_run(under_root("out"), name, "history.jsonl");
    snprintf(name, sizeof(name), "node.%d.20260101T000002Z", gone);
    make_run(under_root("out"), name, "summary.txt");
    snprintf(name, sizeof(name), "out/node.%d.20260101T000002Z/core", gone);
    write_text(under_root(name), "x");
    snprintf(name, sizeof(name), "node.%d.20260101T00000Z", gone);
    make_run(under_root("out"), name, "summary.txt");
    snprintf(name, sizeof(name), "%d.20260101T000000Z", gone);
    make_run(under_root("out"), name, "summary.txt");
    make_run(under_root("out"), "node.99999999999.20260101T000000Z", "summary.txt");
    make_run(under_root("out"), "node.x.20260101T000000Z", "summary.txt");
    /* A link that leads to a run. */
    snprintf(name, sizeof(name), "node.%d.20260101T000003Z", gone);
    make_run(root, name, "summary.txt");
    snprintf(name, sizeof(name), "out/node.%d.20260101T000003Z", gone);
    assert_int_equal(symlink(under_root(name + 4), under_root(name)), 0);

    assert_int_equal(ls_run_directory_prune(&run, 0, (double)time(NULL)), 0);
    assert_int_equal(count_entries(under_root("out")), 10);
    /* The run of our own pid is an earlier container's once it is old. A file's time may be a tick
     * ahead of time(), and so in the next second. */
    assert_int_equal(ls_run_directory_prune(&run, 0, (double)time(NULL) + 62), 1);
    assert_int_equal(count_entries(under_root("out")), 9);
}

static void pruning_without_a_directory_returns_the_error(void **state)
{
    (void)state;
    start_run(under_root("missing"), NULL);
    assert_int_equal(ls_run_directory_prune(&run, 1, 0), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOT(pruning_removes_the_oldest_finished_runs),
        IN_ROOT(pruning_many_runs_takes_several_calls),
        IN_ROOT(pruning_keeps_what_is_not_certainly_a_finished_run),
        IN_ROOT(pruning_without_a_directory_returns_the_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
