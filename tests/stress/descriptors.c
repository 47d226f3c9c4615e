/* Threads that open, copy and close real descriptors, with the records in the hooks' order. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/descriptors.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "stress.h"
#include "system/memory.h"

#define THREADS 4
#define HELD    24
#define FIRST   100 /* numbers below are the test's own */

static _Atomic int stopping;
static bool blindly; /* every thread closes and overwrites what others have opened */

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 1024, .slots = 65536, .ring_events = 256};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_thread_start(NULL) != 0)
        return -1;
    closefrom(FIRST); /* inherited */
    ls_resource_adopt_process();
    ls_resource_set_tracked(1u << LS_RESOURCE_SOCKET | 1u << LS_RESOURCE_FILE);
    return 0;
}

/* Past the thread sanitizer, to which two threads that use one number are a race: here they are
 * meant to. */
static int raw_close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

static int open_one(uint64_t choice)
{
    int fd = (choice & 1) != 0 ? socket(AF_UNIX, SOCK_STREAM, 0) : open("/dev/null", O_RDONLY);
    int high = (int)syscall(SYS_fcntl, fd, F_DUPFD, FIRST);

    close(fd);
    ls_descriptor_opened(high, (choice & 1) != 0 ? LS_RESOURCE_SOCKET : LS_RESOURCE_FILE);
    return high;
}

static void close_one(int fd)
{
    ls_descriptor_closing(fd);
    raw_close(fd);
}

static void copy_one(int fd, int copy)
{
    int result = (int)syscall(SYS_dup3, fd, copy, 0);

    ls_descriptor_copied(fd, result);
}

static void *churn(void *context)
{
    uint64_t random = 0x9e3779b97f4a7c15u + (uintptr_t)context;
    int held[HELD];

    for (int i = 0; i < HELD; i++)
        held[i] = -1;
    while (!ls_load_relaxed(&stopping)) {
        uint64_t choice = stress_random(&random);
        int *mine = &held[choice >> 8 & 15];
        int other = blindly ? FIRST + (int)(choice >> 16) % (THREADS * HELD)
                            : held[16 + (choice >> 16) % (HELD - 16)];

        if (*mine < 0)
            *mine = open_one(choice);
        else if ((choice & 6) == 0 && other >= FIRST)
            copy_one(*mine, other);
        else if ((choice & 6) == 2 && !blindly && other < 0)
            held[16 + (choice >> 16) % (HELD - 16)] = open_one(choice);
        else {
            close_one(*mine);
            *mine = -1;
        }
    }
    return NULL;
}

/* By kind, from /proc: what there is from FIRST on. */
static void count_open(int *sockets, int *files, bool tell)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;

    *sockets = *files = 0;
    while ((entry = readdir(directory)) != NULL) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        char target[64];
        bool is_socket;

        if (fd < FIRST)
            continue;
        is_socket = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target)) > 7 &&
                    target[0] == 's';
        *(is_socket ? sockets : files) += 1;
        if (tell && !ls_descriptor_is_known(fd))
            ls_descriptor_unseen(fd, is_socket ? LS_RESOURCE_SOCKET : LS_RESOURCE_FILE,
                                 LS_ORIGIN_UNSEEN, true);
    }
    closedir(directory);
}

static int live(enum ls_resource resource)
{
    struct ls_tally sum;

    ls_ledger_drain();
    ls_ledger_sum(resource, &sum);
    return (int)sum.live_count;
}

static void check(void)
{
    int sockets;
    int files;

    ls_descriptors_begin_check();
    count_open(&sockets, &files, true);
    ls_descriptors_end_check();
    ls_ledger_drain();
}

static void run(bool blind, bool checks)
{
    pthread_t threads[THREADS];
    double end = stress_now() + stress_seconds() / 2;

    blindly = blind;
    ls_store_relaxed(&stopping, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i * 77)), 0);
    while (stress_now() < end) {
        if (checks)
            check();
        else
            ls_ledger_drain();
        usleep(1000);
    }
    ls_store_relaxed(&stopping, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* By kind, where no number passes from thread to thread between the call and its record. */
static void expect_what_the_kernel_lists(void)
{
    int sockets;
    int files;

    count_open(&sockets, &files, false);
    assert_true(sockets + files > 0);
    assert_int_equal(live(LS_RESOURCE_SOCKET), sockets);
    assert_int_equal(live(LS_RESOURCE_FILE), files);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), 0);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_acquires), 0);
}

static void expect_as_many_as_the_kernel_lists(void)
{
    int sockets;
    int files;

    count_open(&sockets, &files, false);
    assert_true(sockets + files > 0);
    assert_int_equal(live(LS_RESOURCE_SOCKET) + live(LS_RESOURCE_FILE), sockets + files);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), 0);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_acquires), 0);
}

static void counts_are_the_kernels_when_threads_mind_their_own(void **state)
{
    (void)state;
    run(false, false);
    expect_what_the_kernel_lists();
}

static void a_check_sets_right_what_threads_did_behind_each_others_back(void **state)
{
    (void)state;
    run(true, true);
    check();
    expect_as_many_as_the_kernel_lists();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_the_kernels_when_threads_mind_their_own),
        cmocka_unit_test(a_check_sets_right_what_threads_did_behind_each_others_back),
    };

    return cmocka_run_group_tests_name("descriptors", tests, start, NULL);
}
