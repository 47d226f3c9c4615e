#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/descriptors.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/memory.h"

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 1024, .slots = 8192, .ring_events = 1024};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_thread_start(NULL) != 0)
        return -1;
    ls_resource_adopt_process();
    return 0;
}

static int track(void **state)
{
    (void)state;
    ls_resource_set_tracked(1u << LS_RESOURCE_SOCKET | 1u << LS_RESOURCE_FILE);
    ls_descriptors_closing_range(0, ~0u);
    return 0;
}

static int live(enum ls_resource resource)
{
    struct ls_tally sum;

    ls_ledger_drain();
    ls_ledger_sum(resource, &sum);
    return (int)sum.live_count;
}

static void a_descriptor_is_live_from_open_to_close(void **state)
{
    (void)state;
    ls_descriptor_opened(5, LS_RESOURCE_SOCKET);
    ls_descriptor_opened(6, LS_RESOURCE_FILE);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 1);
    assert_int_equal(live(LS_RESOURCE_FILE), 1);
    ls_descriptor_closing(5);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 0);
    ls_descriptor_closing(5);
    assert_int_equal(live(LS_RESOURCE_FILE), 1);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), 0);
}

static void failed_calls_change_nothing(void **state)
{
    (void)state;
    ls_descriptor_opened(-1, LS_RESOURCE_SOCKET);
    ls_descriptor_received(-1);
    ls_descriptor_copied(-1, -1);
    ls_descriptor_copied(3, -1);
    ls_descriptor_closing(-1);
    ls_descriptor_closing(INT32_MAX);
    assert_int_equal(live(LS_RESOURCE_SOCKET) + live(LS_RESOURCE_FILE), 0);
}

static void a_number_that_is_opened_again_releases_what_it_was(void **state)
{
    (void)state;
    ls_descriptor_opened(7, LS_RESOURCE_FILE);
    ls_descriptor_opened(7, LS_RESOURCE_SOCKET);
    assert_int_equal(live(LS_RESOURCE_FILE), 0);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 1);
}

static void a_copy_is_of_the_kind_of_what_it_copies(void **state)
{
    (void)state;
    ls_descriptor_opened(7, LS_RESOURCE_SOCKET);
    ls_descriptor_opened(8, LS_RESOURCE_FILE);
    ls_descriptor_copied(7, 8);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 2);
    assert_int_equal(live(LS_RESOURCE_FILE), 0);
    ls_descriptor_copied(7, 7);
    ls_descriptor_closing(7);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 1);
}

static void the_kernel_tells_the_kind_of_what_was_received(void **state)
{
    int file = open("/dev/null", O_RDONLY);
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    ls_descriptor_received(file);
    ls_descriptor_received(connection);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 1);
    assert_int_equal(live(LS_RESOURCE_FILE), 1);
    close(file);
    close(connection);
}

static void a_range_is_closed_to_its_last_number(void **state)
{
    (void)state;
    for (int fd = 1000; fd < 5000; fd++)
        ls_descriptor_opened(fd, LS_RESOURCE_FILE);
    assert_int_equal(live(LS_RESOURCE_FILE), 4000);
    ls_descriptors_closing_range(1500, 1999);
    assert_int_equal(live(LS_RESOURCE_FILE), 3500);
    ls_descriptors_closing_range(2000, ~0u);
    assert_int_equal(live(LS_RESOURCE_FILE), 500);
}

static void numbers_past_the_table_are_counted_as_missed(void **state)
{
    uint64_t before = ls_resource_missed();

    (void)state;
    ls_descriptor_opened(LS_DESCRIPTORS_MAX - 1, LS_RESOURCE_FILE);
    ls_descriptor_opened(LS_DESCRIPTORS_MAX, LS_RESOURCE_FILE);
    assert_int_equal(live(LS_RESOURCE_FILE), 1);
    assert_int_equal(ls_resource_missed(), before + 1);
}

static void a_close_is_recorded_after_tracking_was_stopped(void **state)
{
    (void)state;
    ls_descriptor_opened(9, LS_RESOURCE_FILE);
    ls_resource_set_tracked(0);
    ls_descriptor_opened(10, LS_RESOURCE_FILE);
    ls_descriptor_closing(9);
    assert_int_equal(live(LS_RESOURCE_FILE), 0);
}

static void what_the_kernel_does_not_list_is_released(void **state)
{
    (void)state;
    ls_descriptor_opened(11, LS_RESOURCE_FILE);
    ls_descriptor_opened(12, LS_RESOURCE_FILE);
    ls_descriptors_begin_check();
    assert_true(ls_descriptor_is_known(11));
    /* Opened while the check runs, past where the listing was. */
    ls_descriptor_opened(13, LS_RESOURCE_SOCKET);
    ls_descriptors_end_check();
    assert_int_equal(live(LS_RESOURCE_FILE), 1);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 1);
}

static void check_with(int fd)
{
    ls_descriptors_begin_check();
    if (!ls_descriptor_is_known(fd))
        ls_descriptor_unseen(fd, LS_RESOURCE_SOCKET, LS_ORIGIN_UNSEEN, false);
    ls_descriptors_end_check();
}

static void what_no_hook_has_seen_counts_the_second_time_it_is_listed(void **state)
{
    (void)state;
    check_with(14);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 0);
    check_with(14);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 1);
    check_with(14);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 1);
    check_with(15);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 0);
    check_with(14); /* and not by what was seen before it went */
    assert_int_equal(live(LS_RESOURCE_SOCKET), 0);
}

static void a_hook_that_comes_late_takes_over_what_a_check_has_found(void **state)
{
    (void)state;
    check_with(14);
    ls_descriptor_opened(14, LS_RESOURCE_FILE);
    check_with(14);
    assert_int_equal(live(LS_RESOURCE_FILE), 1);
    assert_int_equal(live(LS_RESOURCE_SOCKET), 0);
}

static const struct ls_site *site_of(enum ls_resource resource, uint8_t origin)
{
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        const struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->resource == resource && site->origin == origin)
            return site;
    }
    return NULL;
}

static void unseen_descriptors_have_sites_of_their_own(void **state)
{
    const struct ls_site *site;

    (void)state;
    ls_descriptor_unseen(20, LS_RESOURCE_SOCKET, LS_ORIGIN_UNSEEN, true);
    ls_descriptor_unseen(21, LS_RESOURCE_FILE, LS_ORIGIN_EARLIER, true);
    ls_descriptor_unseen(22, LS_RESOURCE_FILE, LS_ORIGIN_EARLIER, true);
    ls_ledger_drain();
    ls_ledger_settle_sites(ls_stack_table_count(&ls_ledger.stacks), NULL);
    site = site_of(LS_RESOURCE_SOCKET, LS_ORIGIN_UNSEEN);
    assert_non_null(site);
    assert_true(site->tally.live_count == 1);
    site = site_of(LS_RESOURCE_FILE, LS_ORIGIN_EARLIER);
    assert_non_null(site);
    assert_true(site->tally.live_count == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_descriptor_is_live_from_open_to_close, track),
        cmocka_unit_test_setup(failed_calls_change_nothing, track),
        cmocka_unit_test_setup(a_number_that_is_opened_again_releases_what_it_was, track),
        cmocka_unit_test_setup(a_copy_is_of_the_kind_of_what_it_copies, track),
        cmocka_unit_test_setup(the_kernel_tells_the_kind_of_what_was_received, track),
        cmocka_unit_test_setup(a_range_is_closed_to_its_last_number, track),
        cmocka_unit_test_setup(numbers_past_the_table_are_counted_as_missed, track),
        cmocka_unit_test_setup(a_close_is_recorded_after_tracking_was_stopped, track),
        cmocka_unit_test_setup(what_the_kernel_does_not_list_is_released, track),
        cmocka_unit_test_setup(what_no_hook_has_seen_counts_the_second_time_it_is_listed, track),
        cmocka_unit_test_setup(a_hook_that_comes_late_takes_over_what_a_check_has_found, track),
        cmocka_unit_test_setup(unseen_descriptors_have_sites_of_their_own, track),
    };

    return cmocka_run_group_tests_name("descriptors", tests, start, NULL);
}
