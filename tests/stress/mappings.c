/*
 * Threads that map and unmap while a collector drains, so that the kernel gives one thread what
 * another has just given back; and a handler that maps as well. At rest what is known is what is
 * mapped: nothing that one thread's release should have taken before another's acquire.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/mappings.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "stress.h"
#include "system/memory.h"

#define THREADS   3
#define HELD      64
#define PAGE      4096u
#define PAGES_MAX 16
/* Under a sanitizer the collector is slow: the threads wait for it, as no host would. */
#define WAITING_MAX 8000

struct held {
    char *address;
    size_t length;
};

static _Atomic int stopping;
static _Atomic uint64_t done;
static _Atomic uint64_t handled;
static struct held held[THREADS][HELD];

static char *map(size_t length)
{
    char *mapped = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mapped == MAP_FAILED)
        return NULL;
    ls_mappings_acquire(mapped, length, PROT_READ | PROT_WRITE, NULL);
    return mapped;
}

static void unmap(char *address, size_t length)
{
    ls_mapping_ticket ticket = ls_mappings_release(address, length);

    if (munmap(address, length) != 0)
        ls_mappings_restore(ticket);
}

/* What it maps while a hook runs on the thread has no stack and is not tracked; to give that back
 * is no harm. */
static void handle(int signal_number)
{
    char *mapped = map(PAGE);

    (void)signal_number;
    ls_add_relaxed(&handled, 1);
    if (mapped != NULL)
        unmap(mapped, PAGE);
}

static void *work(void *context)
{
    struct held *mine = context;
    uint64_t random = (uintptr_t)context | 1;

    while (!ls_load_relaxed(&stopping)) {
        uint64_t number = stress_random(&random);
        struct held *place = &mine[number % HELD];

        while (ls_mappings_want_drain() && !ls_load_relaxed(&stopping))
            continue;
        if (place->address != NULL) {
            unmap(place->address, place->length);
            place->address = NULL;
        } else {
            place->length = (1 + (number >> 32) % PAGES_MAX) * PAGE;
            place->address = map(place->length);
        }
        ls_add_relaxed(&done, 1);
    }
    return NULL;
}

static void start_timer(long microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};

    setitimer(ITIMER_REAL, &timer, NULL);
}

static enum ls_mapping_class always_program(const struct ls_stack *stack)
{
    (void)stack;
    return LS_MAPPING_PROGRAM;
}

static uint64_t settled(void)
{
    struct ls_mapping_totals totals;

    ls_mappings_settle(UINT32_MAX - 8, always_program);
    ls_mappings_totals(LS_MAPPING_PROGRAM, &totals);
    assert_int_equal(totals.reserved_bytes, 0);
    return totals.committed_bytes;
}

static void what_is_known_is_what_is_mapped(void **state)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    double end = stress_now() + stress_seconds();
    pthread_t threads[THREADS];
    uint64_t truth = 0;

    (void)state;
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    start_timer(1000);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, held[i]), 0);
    while (stress_now() < end)
        ls_mappings_drain();
    ls_store_relaxed(&stopping, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    start_timer(0);
    for (int i = 0; i < THREADS * HELD; i++)
        truth += held[i / HELD][i % HELD].address == NULL ? 0 : held[i / HELD][i % HELD].length;
    print_message("%llu calls, %llu signals\n", (unsigned long long)ls_load_relaxed(&done),
                  (unsigned long long)ls_load_relaxed(&handled));
    assert_true(ls_load_relaxed(&handled) > 10);
    assert_int_equal(settled(), truth);
    assert_true(ls_mappings_disagreement() == 0);
    for (int i = 0; i < THREADS * HELD; i++) {
        if (held[i / HELD][i % HELD].address != NULL)
            unmap(held[i / HELD][i % HELD].address, held[i / HELD][i % HELD].length);
    }
    assert_int_equal(settled(), 0);
}

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 1024, .slots = 65536, .ring_events = 256};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_thread_start(NULL) != 0 || ls_mappings_start(65536) != 0)
        return -1;
    ls_mappings_set_mode(LS_MAPPINGS_TRACKED);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_what_is_mapped),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
