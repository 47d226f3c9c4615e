#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "ledger/ledger.h"
#include "system/memory.h"

#define RING_EVENTS 16
#define SLOTS       (2 * LS_LIVE_CHUNK_SLOTS)
#define STACKS      2048

static uint32_t stack;

static int start(void **state)
{
    const struct ls_ledger_limits limits = {
        .stacks = STACKS, .slots = SLOTS, .ring_events = RING_EVENTS};

    (void)state;
    return ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ? -1 : 0;
}

/* A stack of its own for each test: tallies are never reset. */
static int begin(void **state)
{
    static uintptr_t next = 1000;

    (void)state;
    stack = ls_stack_table_intern(&ls_ledger.stacks, &next, 1, next);
    next++;
    return 0;
}

static uint32_t acquire(uint64_t size, double weight)
{
    return ls_ledger_acquire(LS_RESOURCE_HEAP, stack, size, weight, 5);
}

static const struct ls_tally *tally(void)
{
    return ls_ledger_stack_tally(LS_RESOURCE_HEAP, stack);
}

static void assert_live(double count, double bytes)
{
    ls_ledger_drain();
    assert_true(tally()->live_count == count);
    assert_true(tally()->live_bytes == bytes);
}

static void what_is_acquired_is_live_until_it_is_released(void **state)
{
    uint32_t first = acquire(100, 1);
    uint32_t second = acquire(50, 1);

    (void)state;
    assert_live(2, 150);
    ls_ledger_release(first);
    assert_live(1, 50);
    ls_ledger_release(second);
    assert_live(0, 0);
    assert_true(tally()->acquired_count == 2 && tally()->acquired_bytes == 150);
    assert_true(tally()->released_count == 2);
}

static void a_block_acquired_and_released_between_two_drains_is_counted(void **state)
{
    (void)state;
    ls_ledger_release(acquire(100, 1));
    assert_live(0, 0);
    assert_true(tally()->acquired_count == 1 && tally()->released_count == 1);
}

static void a_sampled_block_stands_for_its_weight_and_brings_its_variance(void **state)
{
    uint32_t slot = acquire(100, 4);

    (void)state;
    assert_live(4, 400);
    assert_true(tally()->variance_bytes == 100.0 * 100.0 * 4 * 3);
    ls_ledger_release(slot);
    assert_live(0, 0);
    assert_true(tally()->variance_bytes == 0);
}

static void a_slot_kept_for_its_age_is_not_counted(void **state)
{
    uint32_t slot = acquire(100, 0);

    (void)state;
    assert_int_not_equal(slot, 0);
    assert_live(0, 0);
    ls_ledger_release(slot);
    assert_live(0, 0);
    assert_true(tally()->acquired_count == 0 && tally()->released_count == 0);
}

static void a_full_ring_loses_nothing(void **state)
{
    uint32_t slots[20 * RING_EVENTS];
    const size_t count = sizeof(slots) / sizeof(slots[0]);

    (void)state;
    for (size_t i = 0; i < count; i++)
        slots[i] = acquire(8, 1);
    assert_live((double)count, 8.0 * (double)count);
    for (size_t i = 0; i < count; i++)
        ls_ledger_release(slots[i]);
    assert_live(0, 0);
    assert_true(tally()->released_count == (double)count);
}

static void who_finds_the_ring_full_wakes_the_collector_once(void **state)
{
    uint32_t slots[2 * RING_EVENTS];
    uint32_t wakes;

    (void)state;
    ls_ledger_drain();
    for (size_t i = 0; i < RING_EVENTS; i++)
        slots[i] = acquire(8, 1);
    wakes = ls_load_relaxed(&ls_ledger.wake_word);
    for (size_t i = RING_EVENTS; i < 2 * RING_EVENTS; i++)
        slots[i] = acquire(8, 1);
    assert_int_equal(ls_load_relaxed(&ls_ledger.wake_word), wakes + 1);
    for (size_t i = 0; i < 2 * RING_EVENTS; i++)
        ls_ledger_release(slots[i]);
    assert_live(0, 0);
}

static void a_half_full_ring_wakes_the_collector(void **state)
{
    uint32_t slots[RING_EVENTS / 2];
    uint32_t wakes;

    (void)state;
    ls_ledger_drain();
    wakes = ls_load_relaxed(&ls_ledger.wake_word);
    for (size_t i = 0; i < RING_EVENTS / 2; i++) {
        assert_int_equal(ls_load_relaxed(&ls_ledger.wake_word), wakes);
        slots[i] = acquire(8, 1);
    }
    assert_int_equal(ls_load_relaxed(&ls_ledger.wake_word), wakes + 1);
    ls_ledger_drain();
    for (size_t i = 0; i < RING_EVENTS / 2; i++)
        ls_ledger_release(slots[i]);
}

static void a_drain_sees_past_a_producer_that_stopped_half_way(void **state)
{
    (void)state;
    ls_ledger_drain();
    atomic_fetch_add(&ls_ledger.ring.tail, 1); /* claimed, never filled */
    acquire(70, 1);
    assert_live(1, 70);
    ls_ledger_after_fork();
    assert_live(1, 70);
}

static void a_double_release_is_counted_and_changes_nothing(void **state)
{
    uint64_t lost = ls_load_relaxed(&ls_ledger.lost_releases);
    uint32_t slot = acquire(10, 1);

    (void)state;
    ls_ledger_release(slot);
    ls_ledger_release(slot);
    assert_live(0, 0);
    ls_ledger_release(slot);
    ls_ledger_release(0);
    ls_ledger_release(UINT32_MAX);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), lost + 4);
    assert_live(0, 0);
}

static void word_about_an_earlier_tenant_is_dropped(void **state)
{
    uint32_t slot = acquire(10, 1);
    uint64_t event;
    uint32_t again;

    (void)state;
    assert_true(ls_ring_pop(&ls_ledger.ring, &event)); /* the word of the acquire, held back */
    ls_ledger_release(slot);
    assert_live(0, 0);
    again = acquire(300, 1);
    assert_int_equal(again, slot);
    assert_live(1, 300);
    assert_true(ls_ring_push(&ls_ledger.ring, event));
    assert_live(1, 300);
    assert_true(tally()->acquired_count == 2 && tally()->released_count == 1);
    ls_ledger_release(again);
    assert_live(0, 0);
}

static void the_child_of_a_fork_goes_on_with_what_was_live(void **state)
{
    uint32_t slot = acquire(10, 1);

    (void)state;
    ls_ledger_after_fork(); /* before the collector saw the acquire */
    assert_live(1, 10);
    ls_ledger_release(slot);
    assert_live(0, 0);
}

static void a_residue_of_rounding_is_never_negative(void **state)
{
    uint32_t small = acquire(16, 32768.5);
    uint32_t large = acquire((uint64_t)64 << 20, 1);
    uint32_t other = acquire(24, 21845.9);

    (void)state;
    ls_ledger_drain();
    ls_ledger_release(small);
    ls_ledger_release(other);
    ls_ledger_drain();
    assert_true(tally()->variance_bytes >= 0);
    assert_true(tally()->live_bytes > 67e6);
    ls_ledger_release(large);
    assert_live(0, 0);
    assert_true(tally()->variance_bytes == 0);
}

static void acquires_without_a_slot_are_counted(void **state)
{
    static uint32_t slots[SLOTS];
    uint64_t lost = ls_load_relaxed(&ls_ledger.lost_acquires);
    size_t count = 0;

    (void)state;
    while ((slots[count] = acquire(1, 1)) != 0)
        count++;
    assert_int_equal(acquire(1, 1), 0);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_acquires), lost + 2);
    assert_live((double)count, (double)count);
    for (size_t i = 0; i < count; i++)
        ls_ledger_release(slots[i]);
    assert_live(0, 0);
    slots[0] = acquire(1, 1);
    assert_int_not_equal(slots[0], 0);
    ls_ledger_release(slots[0]);
}

static void a_tally_there_is_no_memory_for_is_a_loss_and_not_a_debt(void **state)
{
    uint64_t lost = ls_load_relaxed(&ls_ledger.lost_acquires);
    uint32_t slot = ls_ledger_acquire(LS_RESOURCE_CUSTOM, stack, 10, 1, 5);
    const struct ls_tally *custom;

    (void)state;
    ls_memory_own_set_cap(0);
    ls_ledger_drain();
    ls_memory_own_set_cap(SIZE_MAX);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_acquires), lost + 1);
    ls_ledger_acquire(LS_RESOURCE_CUSTOM, stack, 7, 1, 5);
    ls_ledger_release(slot);
    ls_ledger_drain();
    custom = ls_ledger_stack_tally(LS_RESOURCE_CUSTOM, stack);
    assert_true(custom->live_bytes == 7);
    assert_true(custom->released_count == 0);
}

static void find_site(void *context, uint32_t index, struct ls_live_slot *slot)
{
    (void)index;
    if (slot->stack == stack)
        *(struct ls_site **)context = ls_ledger_slot_site(slot);
}

static const struct ls_site *site_of_live_slot(void)
{
    struct ls_site *site = NULL;

    ls_live_set_sweep(&ls_ledger.live, find_site, &site);
    return site;
}

static void stacks_become_sites_once_their_modules_are_known(void **state)
{
    uint32_t slot = acquire(40, 1);
    const struct ls_site *site;

    (void)state;
    ls_ledger_drain();
    ls_ledger_settle_sites(stack, NULL); /* not this one yet */
    assert_null(site_of_live_slot());
    for (int i = 0; i < 3; i++)
        ls_ledger_settle_sites(stack + 1, NULL); /* sums are made anew, not added on */
    site = site_of_live_slot();
    assert_non_null(site);
    assert_true(site->tally.live_bytes == 40);
    ls_ledger_release(slot);
    ls_ledger_drain();
    ls_ledger_settle_sites(stack + 1, NULL);
    assert_true(site->tally.live_bytes == 0);
}

static void a_burst_between_two_summaries_leaves_its_peak(void **state)
{
    uint32_t slots[9];
    const struct ls_site *site;

    (void)state;
    for (int i = 0; i < 9; i++)
        slots[i] = acquire(1, 1);
    ls_ledger_drain(); /* as when the ring is half full */
    for (int i = 0; i < 8; i++)
        ls_ledger_release(slots[i]);
    ls_ledger_drain();
    ls_ledger_settle_sites(stack + 1, NULL);
    site = site_of_live_slot();
    assert_true(site->tally.live_count == 1);
    assert_true(site->peak_live_count == 9);
    ls_ledger_release(slots[8]);
    ls_ledger_drain();
    ls_ledger_settle_sites(stack + 1, NULL);
    assert_true(site->peak_live_count == 9);
}

static void an_age_there_is_no_slot_for_is_no_loss(void **state)
{
    static uint32_t slots[SLOTS];
    uint64_t lost;
    size_t count = 0;

    (void)state;
    while ((slots[count] = acquire(1, 0)) != 0)
        count++;
    lost = ls_load_relaxed(&ls_ledger.lost_acquires);
    assert_int_equal(acquire(1, 0), 0);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_acquires), lost);
    for (size_t i = 0; i < count; i++)
        ls_ledger_release(slots[i]);
    ls_ledger_drain();
}

static void the_sum_counts_every_stack_once(void **state)
{
    struct ls_tally before;
    struct ls_tally after;
    uint32_t slot;

    (void)state;
    ls_ledger_drain();
    ls_ledger_sum(LS_RESOURCE_HEAP, &before);
    slot = acquire(70, 2);
    ls_ledger_drain();
    ls_ledger_sum(LS_RESOURCE_HEAP, &after);
    assert_true(after.live_bytes == before.live_bytes + 140);
    assert_true(after.acquired_count == before.acquired_count + 2);
    ls_ledger_release(slot);
    ls_ledger_drain();
    ls_ledger_sum(LS_RESOURCE_JS, &after);
    assert_true(after.acquired_count == 0);
}

/* Stacks of one counter each, from `first` on. */
static uint32_t intern(uintptr_t first)
{
    return ls_stack_table_intern(&ls_ledger.stacks, &first, 1, 1);
}

/* What the sites hold, and what those hold that stand for many; of these there is one at most. */
struct held {
    double all;
    double together;
};

static struct held held_by_sites(void)
{
    struct held held = {0, 0};
    unsigned overflow_sites = 0;

    ls_ledger_drain();
    ls_ledger_settle_sites(ls_stack_table_count(&ls_ledger.stacks), NULL);
    for (uint32_t i = 0; i < ls_ledger.sites.count; i++) {
        const struct ls_site *site = ls_site_table_at(&ls_ledger.sites, i);

        if (site->resource != LS_RESOURCE_HEAP)
            continue;
        held.all += site->tally.live_bytes;
        if (site->overflow) {
            held.together += site->tally.live_bytes;
            overflow_sites++;
        }
    }
    assert_true(overflow_sites <= 1);
    return held;
}

/* The memory for tallies comes in groups of stacks; those of a group that found none stay together,
 * also when memory is there again. */
static void stacks_there_is_no_memory_for_are_counted_together(void **state)
{
    const struct ls_tally *together = ls_ledger_stack_tally(LS_RESOURCE_HEAP, LS_STACK_OVERFLOW);
    uint64_t overflowed = ls_ledger.sites.overflowed;
    uint64_t lost = ls_load_relaxed(&ls_ledger.lost_acquires);
    struct held before = held_by_sites();
    uint32_t slots[3];

    (void)state;
    do
        stack = intern(1000000 + stack);
    while (stack < LS_LEDGER_GROUP_STACKS + 2);
    slots[0] = acquire(30, 1);
    slots[1] = ls_ledger_acquire(LS_RESOURCE_HEAP, stack - 1, 12, 1, 5);
    ls_memory_own_set_cap(ls_memory_own_bytes());
    ls_ledger_drain();
    ls_memory_own_set_cap(SIZE_MAX);
    assert_ptr_equal(tally(), together);
    assert_true(together->live_bytes == 42 && together->live_count == 2);
    assert_int_equal(ls_ledger.sites.overflowed, overflowed + 1);
    slots[2] = acquire(8, 1);
    assert_true(held_by_sites().all == before.all + 50);
    assert_true(held_by_sites().together == before.together + 50);
    for (int i = 0; i < 3; i++)
        ls_ledger_release(slots[i]);
    assert_live(0, 0);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_acquires), lost);
}

/* The last: it fills the table. */
static void stacks_past_the_table_are_one_site(void **state)
{
    const unsigned past = 100;
    struct held before = held_by_sites();
    uint32_t slots[100];

    (void)state;
    for (uintptr_t i = 0; ls_stack_table_count(&ls_ledger.stacks) < STACKS; i++)
        intern(2000000 + i);
    for (unsigned i = 0; i < past; i++) {
        assert_int_equal(intern(3000000 + i), LS_STACK_OVERFLOW);
        slots[i] = ls_ledger_acquire(LS_RESOURCE_HEAP, LS_STACK_OVERFLOW, 10, 1, 5);
    }
    stack = intern(1000);
    assert_int_not_equal(stack, LS_STACK_OVERFLOW);
    acquire(5, 1);
    assert_true(held_by_sites().all == before.all + past * 10.0 + 5);
    assert_true(held_by_sites().together == before.together + past * 10.0);
    for (unsigned i = 0; i < past; i++)
        ls_ledger_release(slots[i]);
    assert_true(held_by_sites().all == before.all + 5);
    assert_true(held_by_sites().together == before.together);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: JIT-like stacks of one unknown address are all one site. */
        cmocka_unit_test_setup(stacks_become_sites_once_their_modules_are_known, begin),
        cmocka_unit_test_setup(a_burst_between_two_summaries_leaves_its_peak, begin),
        cmocka_unit_test_setup(what_is_acquired_is_live_until_it_is_released, begin),
        cmocka_unit_test_setup(a_block_acquired_and_released_between_two_drains_is_counted, begin),
        cmocka_unit_test_setup(a_sampled_block_stands_for_its_weight_and_brings_its_variance,
                               begin),
        cmocka_unit_test_setup(a_slot_kept_for_its_age_is_not_counted, begin),
        cmocka_unit_test_setup(a_full_ring_loses_nothing, begin),
        cmocka_unit_test_setup(who_finds_the_ring_full_wakes_the_collector_once, begin),
        cmocka_unit_test_setup(a_half_full_ring_wakes_the_collector, begin),
        cmocka_unit_test_setup(a_drain_sees_past_a_producer_that_stopped_half_way, begin),
        cmocka_unit_test_setup(a_double_release_is_counted_and_changes_nothing, begin),
        cmocka_unit_test_setup(word_about_an_earlier_tenant_is_dropped, begin),
        cmocka_unit_test_setup(the_child_of_a_fork_goes_on_with_what_was_live, begin),
        cmocka_unit_test_setup(a_residue_of_rounding_is_never_negative, begin),
        cmocka_unit_test_setup(acquires_without_a_slot_are_counted, begin),
        cmocka_unit_test_setup(an_age_there_is_no_slot_for_is_no_loss, begin),
        cmocka_unit_test_setup(the_sum_counts_every_stack_once, begin),
        cmocka_unit_test_setup(stacks_there_is_no_memory_for_are_counted_together, begin),
        cmocka_unit_test_setup(a_tally_there_is_no_memory_for_is_a_loss_and_not_a_debt, begin),
        cmocka_unit_test_setup(stacks_past_the_table_are_one_site, begin),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
