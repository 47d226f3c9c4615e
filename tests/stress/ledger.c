/*
 * The whole ledger under threads that acquire, and release what others acquired, through a ring
 * that is mostly full, while the collector drains. At rest, every tally is exactly the truth.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "ledger/ledger.h"
#include "stress.h"
#include "system/memory.h"

#define PRODUCERS   4
#define STACKS      64
#define RING_EVENTS 64
#define SLOTS       (16 * LS_LIVE_CHUNK_SLOTS)
/* Blocks that live at once: some of them more than there are slots. */
#define PLACES (SLOTS + 4096)

/* Where a slot waits for the thread that will release it; 0: empty. With the slot goes what the
 * truth needs: its stack and size. */
struct place {
    _Atomic uint64_t ticket; /* slot in the low half, size code and stack in the high half */
};

struct truth {
    uint64_t acquired_count;
    uint64_t acquired_bytes;
    uint64_t released_count;
    uint64_t released_bytes;
};

struct producer {
    pthread_t thread;
    uint64_t random;
    uint64_t refused;
    struct truth truth[STACKS];
};

static struct place places[PLACES];
static struct producer producers[PRODUCERS];
static uint32_t stacks[STACKS];
static _Atomic int stopping;
static _Atomic int resting; /* the collector ends */
static uint64_t drains;

static uint64_t size_of(uint32_t code)
{
    return (uint64_t)code * 24 + 1;
}

static void release(struct producer *producer, uint64_t ticket)
{
    uint32_t stack = (uint32_t)(ticket >> 32) % STACKS;
    uint32_t code = (uint32_t)(ticket >> 32) / STACKS;

    ls_ledger_release((uint32_t)ticket);
    producer->truth[stack].released_count++;
    producer->truth[stack].released_bytes += size_of(code);
}

static uint64_t acquire(struct producer *producer, uint64_t random)
{
    uint32_t stack = (uint32_t)(random % STACKS);
    uint32_t code = (uint32_t)(random / STACKS % 1000);
    uint32_t slot = ls_ledger_acquire(LS_RESOURCE_HEAP, stacks[stack], size_of(code), 1.0, 1);

    if (slot == 0) {
        producer->refused++;
        return 0;
    }
    producer->truth[stack].acquired_count++;
    producer->truth[stack].acquired_bytes += size_of(code);
    return (uint64_t)(code * STACKS + stack) << 32 | slot;
}

static void *produce(void *context)
{
    struct producer *producer = context;

    while (!ls_load_relaxed(&stopping)) {
        uint64_t random = stress_random(&producer->random);
        struct place *place = &places[random % PLACES];
        uint64_t ticket = 0;

        if (random >> 63)
            ticket = acquire(producer, random >> 16);
        /* Whoever takes the ticket out of the place releases the slot: mostly another thread. */
        ticket = ls_exchange_acquire_release(&place->ticket, ticket);
        if (ticket != 0)
            release(producer, ticket);
    }
    return NULL;
}

static void *collect(void *unused)
{
    const struct timespec pause = {0, 200000};

    (void)unused;
    while (!ls_load_relaxed(&resting)) {
        ls_ledger_drain();
        drains++;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static struct truth sum_of(uint32_t stack)
{
    struct truth sum = {0, 0, 0, 0};

    for (int i = 0; i < PRODUCERS; i++) {
        sum.acquired_count += producers[i].truth[stack].acquired_count;
        sum.acquired_bytes += producers[i].truth[stack].acquired_bytes;
        sum.released_count += producers[i].truth[stack].released_count;
        sum.released_bytes += producers[i].truth[stack].released_bytes;
    }
    return sum;
}

static void check_tallies(void)
{
    for (uint32_t i = 0; i < STACKS; i++) {
        const struct ls_tally *tally = ls_ledger_stack_tally(LS_RESOURCE_HEAP, stacks[i]);
        struct truth truth = sum_of(i);

        assert_non_null(tally);
        /* Sums of whole numbers below 2^53: equal, not nearly equal. */
        assert_true(tally->acquired_count == (double)truth.acquired_count);
        assert_true(tally->acquired_bytes == (double)truth.acquired_bytes);
        assert_true(tally->released_count == (double)truth.released_count);
        assert_true(tally->live_count == (double)(truth.acquired_count - truth.released_count));
        assert_true(tally->live_bytes == (double)(truth.acquired_bytes - truth.released_bytes));
        assert_true(tally->variance_bytes == 0);
    }
}

static void run_for(double seconds)
{
    const struct timespec duration = {(time_t)seconds,
                                      (long)((seconds - (double)(time_t)seconds) * 1e9)};
    pthread_t collector;

    ls_store_relaxed(&stopping, 0);
    ls_store_relaxed(&resting, 0);
    assert_int_equal(pthread_create(&collector, NULL, collect, NULL), 0);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    nanosleep(&duration, NULL);
    ls_store_relaxed(&stopping, 1);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    ls_store_relaxed(&resting, 1);
    pthread_join(collector, NULL);
    ls_ledger_drain();
}

static void tallies_are_the_truth_after_a_full_ring(void **state)
{
    uint64_t refused = 0;
    uint64_t events = 0;

    (void)state;
    run_for(stress_seconds());
    check_tallies();
    for (int i = 0; i < PRODUCERS; i++)
        refused += producers[i].refused;
    for (uint32_t i = 0; i < STACKS; i++)
        events += sum_of(i).acquired_count + sum_of(i).released_count;
    print_message("%llu events, %llu acquires without a slot, %llu drains\n",
                  (unsigned long long)events, (unsigned long long)refused,
                  (unsigned long long)drains);
    assert_true(refused > 0); /* all slots were in use at times */
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_acquires), refused);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), 0);
    /* Else the sweep was not what was tested. */
    assert_true(events > drains * RING_EVENTS);
}

static void a_second_round_needs_no_more_memory(void **state)
{
    size_t before = ls_memory_own_bytes();

    (void)state;
    run_for(stress_seconds());
    check_tallies();
    assert_int_equal(ls_memory_own_bytes(), before);
    assert_int_equal(ls_load_relaxed(&ls_ledger.live.chunk_count), SLOTS / LS_LIVE_CHUNK_SLOTS);
}

static void nothing_is_live_when_all_is_released(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLACES; i++) {
        uint64_t ticket = ls_exchange_relaxed(&places[i].ticket, 0);

        if (ticket != 0)
            release(&producers[0], ticket);
    }
    ls_ledger_drain();
    check_tallies();
    for (uint32_t i = 0; i < STACKS; i++)
        assert_true(ls_ledger_stack_tally(LS_RESOURCE_HEAP, stacks[i])->live_count == 0);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), 0);
}

static int start(void **state)
{
    const struct ls_ledger_limits limits = {
        .stacks = 1024, .slots = SLOTS, .ring_events = RING_EVENTS};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0)
        return -1;
    for (uint32_t i = 0; i < STACKS; i++) {
        uintptr_t pcs[2] = {0x1000 + i, 0x2000};

        stacks[i] = ls_stack_table_intern(&ls_ledger.stacks, pcs, 2, 1);
    }
    for (uint64_t i = 0; i < PRODUCERS; i++)
        producers[i].random = 88172645463325252u + i * 7919;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tallies_are_the_truth_after_a_full_ring),
        cmocka_unit_test(a_second_round_needs_no_more_memory),
        cmocka_unit_test(nothing_is_live_when_all_is_released),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
