/* What hooks tell of mappings, in the orders that threads held up between two events make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/mapping_pending.h"
#include "capture/mappings.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/memory.h"

#define PAGE  4096u
#define TURNS 5000 /* many more than releases are remembered */

/* Addresses only: nothing is mapped here. */
static char *const ours = (char *)0x100000000;
static char *const place = (char *)0x200000000;
static char *const others = (char *)0x300000000;

static void acquire(const char *address, size_t pages, int protection)
{
    ls_mappings_acquire(address, pages * PAGE, protection, NULL);
}

static enum ls_mapping_class always_program(const struct ls_stack *stack)
{
    (void)stack;
    return LS_MAPPING_PROGRAM;
}

static struct ls_mapping_totals totals(void)
{
    struct ls_mapping_totals known;

    ls_mappings_settle(UINT32_MAX - 8, always_program);
    ls_mappings_totals(LS_MAPPING_PROGRAM, &known);
    return known;
}

static uint64_t lost(void)
{
    return ls_load_relaxed(&ls_ledger.lost_acquires);
}

static void others_map_and_unmap(void)
{
    for (int i = 0; i < TURNS; i++) {
        acquire(others, 1, PROT_READ);
        ls_mappings_release(others, PAGE);
        if (i % 100 == 0)
            ls_mappings_drain();
    }
}

static void a_refused_mremap_leaves_all_as_it_was(void **state)
{
    ls_mapping_ticket ticket;

    (void)state;
    acquire(ours, 7, PROT_READ);
    ticket = ls_mappings_lift(ours, (size_t)7 * PAGE);
    others_map_and_unmap();
    ls_mappings_restore(ticket);
    assert_int_equal(totals().committed_bytes, 7 * PAGE);
    assert_int_equal(lost(), 0);
    ls_mappings_release(ours, (size_t)7 * PAGE);
    assert_int_equal(totals().committed_bytes, 0);
}

static void a_moved_mapping_keeps_its_protection(void **state)
{
    ls_mapping_ticket ticket;

    (void)state;
    acquire(ours, 3, PROT_NONE);
    ticket = ls_mappings_lift(ours, (size_t)3 * PAGE);
    others_map_and_unmap();
    ls_mappings_move(ticket, place, (size_t)5 * PAGE, NULL);
    assert_int_equal(totals().reserved_bytes, 5 * PAGE);
    assert_int_equal(totals().committed_bytes, 0);
    ls_mappings_release(place, (size_t)5 * PAGE);
    assert_int_equal(totals().reserved_bytes, 0);
}

/* What has been answered makes room. */
static void mappings_that_shrink_for_ever_fill_nothing(void **state)
{
    ls_mapping_ticket ticket;

    (void)state;
    acquire(ours, 2, PROT_READ);
    ticket = ls_mappings_lift(ours, (size_t)2 * PAGE);
    for (int i = 0; i < TURNS; i++) {
        acquire(others, 2, PROT_READ);
        ls_mappings_confirm(ls_mappings_lift(others + PAGE, PAGE));
        ls_mappings_release(others, PAGE);
        ls_mappings_drain();
    }
    ls_mappings_restore(ticket);
    assert_int_equal(totals().committed_bytes, 2 * PAGE);
    assert_int_equal(lost(), 0);
    ls_mappings_release(ours, (size_t)2 * PAGE);
}

/* munmap fails where a split would make one mapping too many; without its pieces it is told. */
static void a_refused_munmap_is_restored_or_counted_as_lost(void **state)
{
    uint64_t lost_before = lost();
    ls_mapping_ticket ticket;

    (void)state;
    acquire(ours, 3, PROT_READ);
    ticket = ls_mappings_release(ours + PAGE, PAGE);
    ls_mappings_restore(ticket);
    assert_int_equal(totals().committed_bytes, 3 * PAGE);
    ticket = ls_mappings_release(ours + PAGE, PAGE);
    others_map_and_unmap();
    ls_mappings_restore(ticket);
    assert_int_equal(totals().committed_bytes, 2 * PAGE);
    assert_int_equal(lost() - lost_before, 1);
    ls_mappings_release(ours, (size_t)3 * PAGE);
    assert_int_equal(totals().committed_bytes, 0);
}

/* More under way than there is room for, as when threads were ended within: the oldest go. */
static void releases_never_answered_give_way(void **state)
{
    uint64_t lost_before = lost();
    ls_mapping_ticket first;
    ls_mapping_ticket ticket = 0;

    (void)state;
    acquire(ours, LS_MAPPING_PENDING_MAX + 1, PROT_READ);
    first = ls_mappings_lift(ours, PAGE);
    for (int i = 1; i <= LS_MAPPING_PENDING_MAX; i++)
        ticket = ls_mappings_lift(ours + (size_t)i * PAGE, PAGE);
    ls_mappings_restore(ticket);
    assert_int_equal(totals().committed_bytes, PAGE);
    ls_mappings_restore(first);
    assert_int_equal(totals().committed_bytes, PAGE);
    assert_int_equal(lost() - lost_before, 1);
}

/* It waits once: were it for every event, this would last an hour. What the kernel does not have is
 * forgotten once the collector is back. */
static void nobody_waits_for_a_collector_that_takes_nothing(void **state)
{
    const uint64_t events = 100000;
    uint64_t lost_before = lost();

    (void)state;
    for (uint64_t i = 0; i < events; i++)
        acquire(ours, 1, PROT_READ);
    assert_true(lost() > lost_before);
    ls_mappings_drain();
    assert_int_equal(totals().committed_bytes, 0);
    lost_before = lost();
    acquire(ours, 2, PROT_READ);
    assert_int_equal(totals().committed_bytes, 2 * PAGE);
    assert_int_equal(lost(), lost_before);
}

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 1024, .slots = 4096, .ring_events = 256};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_thread_start(NULL) != 0 || ls_mappings_start(4096) != 0)
        return -1;
    ls_mappings_set_mode(LS_MAPPINGS_TRACKED);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_mremap_leaves_all_as_it_was),
        cmocka_unit_test(a_moved_mapping_keeps_its_protection),
        cmocka_unit_test(mappings_that_shrink_for_ever_fill_nothing),
        cmocka_unit_test(a_refused_munmap_is_restored_or_counted_as_lost),
        cmocka_unit_test(releases_never_answered_give_way),
        cmocka_unit_test(nobody_waits_for_a_collector_that_takes_nothing),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
