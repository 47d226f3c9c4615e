/*
 * Exact counts under threads that free each other's blocks, that end, and that are interrupted a
 * thousand times a second by a handler that allocates too. At rest every count is the truth.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/exact.h"
#include "capture/heap.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "stress.h"
#include "system/memory.h"

#define THREADS         4
#define PLACES          2048
#define KEPT_BY_HANDLER 64

/* Sizes are kept in the blocks themselves, so that who frees a block knows what it counts. */
struct block {
    uint64_t size;
};

static _Atomic(struct block *) places[PLACES];
static _Atomic(struct block *) handler_places[KEPT_BY_HANDLER];
static _Atomic int stopping;
static _Atomic uint64_t allocated_count;
static _Atomic uint64_t allocated_bytes;
static _Atomic uint64_t freed_count;
static _Atomic uint64_t freed_bytes;
static _Atomic uint64_t handled;

static struct block *allocate(uint64_t random)
{
    uint64_t size = sizeof(struct block) + random % 700;
    struct block *block = ls_heap_allocate(size, 0, false);

    if (block == NULL)
        return NULL; /* not tracked, as in a handler that interrupted a hook: the host's malloc */
    block->size = size;
    ls_add_relaxed(&allocated_count, 1);
    ls_add_relaxed(&allocated_bytes, size);
    return block;
}

static void release(struct block *block)
{
    ls_add_relaxed(&freed_count, 1);
    ls_add_relaxed(&freed_bytes, block->size);
    ls_heap_free(block);
}

static void handle(int signal_number)
{
    static _Atomic uint64_t random = 1;
    uint64_t number = ls_add_relaxed(&random, 0x9e3779b97f4a7c15);
    struct block *block = allocate(number >> 32);

    (void)signal_number;
    ls_add_relaxed(&handled, 1);
    block = ls_exchange_acquire_release(&handler_places[number >> 58], block);
    if (block != NULL)
        release(block);
}

/* Ends after a while, so that counts of ended threads are gathered while others run. */
static void *work(void *context)
{
    uint64_t random = (uintptr_t)context;

    for (int i = 0; i < 20000 && !ls_load_relaxed(&stopping); i++) {
        uint64_t number = stress_random(&random);
        struct block *block = number >> 63 ? allocate(number >> 20) : NULL;

        block = ls_exchange_acquire_release(&places[number % PLACES], block);
        if (block != NULL && number % 5 == 0) {
            void *resized;
            uint64_t size = sizeof(*block) + number % 3000;

            /* In exact mode the block stays tracked: freed at the old site, acquired at this. */
            ls_add_relaxed(&freed_count, 1);
            ls_add_relaxed(&freed_bytes, block->size);
            if (!ls_memory_is_tracked(block) || !ls_heap_resize(block, size, &resized))
                return (void *)1;
            block = resized;
            if (!ls_memory_is_tracked(block)) {
                free(block);
                continue;
            }
            block->size = size;
            ls_add_relaxed(&allocated_count, 1);
            ls_add_relaxed(&allocated_bytes, size);
        }
        if (block != NULL)
            release(block);
    }
    return NULL;
}

static struct ls_tally settled(void)
{
    struct ls_tally sum = {0};

    ls_ledger_drain();
    ls_exact_settle();
    for (uint32_t i = 0; i < ls_stack_table_count(&ls_ledger.stacks); i++)
        ls_tally_add(&sum, ls_ledger_stack_tally(LS_RESOURCE_HEAP, i));
    return sum;
}

static void assert_truth(void)
{
    struct ls_tally sum = settled();

    assert_true(sum.acquired_count == (double)ls_load_relaxed(&allocated_count));
    assert_true(sum.acquired_bytes == (double)ls_load_relaxed(&allocated_bytes));
    assert_true(sum.released_count == (double)ls_load_relaxed(&freed_count));
    assert_true(sum.live_bytes ==
                (double)(ls_load_relaxed(&allocated_bytes) - ls_load_relaxed(&freed_bytes)));
}

static void start_timer(long microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};

    setitimer(ITIMER_REAL, &timer, NULL);
}

static void counts_are_exact_across_threads_that_end_and_handlers_that_allocate(void **state)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    double end = stress_now() + stress_seconds();
    uintptr_t seed = 1;
    unsigned rounds = 0;

    (void)state;
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    start_timer(1000);
    while (stress_now() < end) {
        pthread_t threads[THREADS];
        void *failed;

        for (int i = 0; i < THREADS; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, work, (void *)(seed++ * 2654435761u)), 0);
        ls_exact_settle(); /* while they run */
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], &failed);
            assert_null(failed);
        }
        rounds++;
    }
    start_timer(0);
    print_message("%u rounds, %llu blocks, %llu signals, %llu not tracked\n", rounds,
                  (unsigned long long)ls_load_relaxed(&allocated_count),
                  (unsigned long long)ls_load_relaxed(&handled),
                  (unsigned long long)ls_heap_missed_blocks());
    assert_true(ls_load_relaxed(&handled) > 10);
    assert_int_equal(ls_heap_damaged_blocks(), 0);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), 0);
    assert_truth();
}

static void nothing_is_live_when_all_is_freed(void **state)
{
    (void)state;
    for (int i = 0; i < PLACES; i++) {
        if (ls_load_relaxed(&places[i]) != NULL)
            release(ls_load_relaxed(&places[i]));
    }
    for (int i = 0; i < KEPT_BY_HANDLER; i++) {
        if (ls_load_relaxed(&handler_places[i]) != NULL)
            release(ls_load_relaxed(&handler_places[i]));
    }
    assert_truth();
    assert_true(settled().live_bytes == 0);
    assert_true(settled().live_count == 0);
}

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 1024, .slots = 65536, .ring_events = 256};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_exact_start(limits.stacks) != 0 || ls_thread_start(NULL) != 0)
        return -1;
    ls_heap_set_mode(LS_HEAP_EXACT);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_exact_across_threads_that_end_and_handlers_that_allocate),
        cmocka_unit_test(nothing_is_live_when_all_is_freed),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
