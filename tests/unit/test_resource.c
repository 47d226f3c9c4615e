#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/resource.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/memory.h"

#define SLOTS 2048

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 1024, .slots = SLOTS, .ring_events = 1024};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_thread_start(NULL) != 0)
        return -1;
    ls_resource_adopt_process();
    return 0;
}

static double live(enum ls_resource resource)
{
    struct ls_tally sum;

    ls_ledger_drain();
    ls_ledger_sum(resource, &sum);
    return sum.live_count;
}

static void what_is_acquired_is_live_until_it_is_released(void **state)
{
    uint32_t slot;

    (void)state;
    ls_resource_set_tracked(1u << LS_RESOURCE_SOCKET | 1u << LS_RESOURCE_MAP);
    slot = ls_resource_acquire(LS_RESOURCE_SOCKET, 0);
    assert_int_not_equal(slot, 0);
    assert_true(live(LS_RESOURCE_SOCKET) == 1);
    assert_true(live(LS_RESOURCE_MAP) == 0);
    ls_resource_release(slot);
    assert_true(live(LS_RESOURCE_SOCKET) == 0);
}

static void kinds_that_are_not_wanted_are_not_recorded(void **state)
{
    (void)state;
    ls_resource_set_tracked(1u << LS_RESOURCE_SOCKET);
    assert_int_equal(ls_resource_acquire(LS_RESOURCE_FILE, 0), 0);
    ls_resource_set_tracked(0);
    assert_int_equal(ls_resource_acquire(LS_RESOURCE_SOCKET, 0), 0);
    ls_resource_release(0);
}

static void errno_is_kept(void **state)
{
    (void)state;
    ls_resource_set_tracked(1u << LS_RESOURCE_SOCKET);
    errno = EXDEV;
    ls_resource_release(ls_resource_acquire(LS_RESOURCE_SOCKET, 0));
    assert_int_equal(errno, EXDEV);
}

static void inside_another_hook_nothing_is_recorded_but_counted(void **state)
{
    uint64_t before = ls_resource_missed();

    (void)state;
    ls_resource_set_tracked(1u << LS_RESOURCE_SOCKET);
    assert_non_null(ls_thread_enter());
    assert_int_equal(ls_resource_acquire(LS_RESOURCE_SOCKET, 0), 0);
    ls_thread_leave();
    assert_int_equal(ls_resource_missed(), before + 1);
}

static void another_process_with_our_memory_is_told_apart(void **state)
{
    int status = -1;
    pid_t child;

    (void)state;
    ls_resource_set_tracked(1u << LS_RESOURCE_SOCKET);
    child = _Fork(); /* without jemalloc's handlers, which are too much for the sanitizer */
    if (child == 0) {
        int failures =
            ls_resource_is_own_process() || ls_resource_acquire(LS_RESOURCE_SOCKET, 0) != 0;

        ls_resource_adopt_process();
        failures += ls_resource_acquire(LS_RESOURCE_SOCKET, 0) == 0;
        _exit(failures);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_acquired_is_live_until_it_is_released),
        cmocka_unit_test(kinds_that_are_not_wanted_are_not_recorded),
        cmocka_unit_test(errno_is_kept),
        cmocka_unit_test(inside_another_hook_nothing_is_recorded_but_counted),
        cmocka_unit_test(another_process_with_our_memory_is_told_apart),
    };

    return cmocka_run_group_tests_name("resource", tests, start, NULL);
}
