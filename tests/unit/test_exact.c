#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/exact.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/memory.h"

#define STACKS 1024

static struct ls_tally total;

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = STACKS, .slots = 1024, .ring_events = 64};
    uintptr_t pc = 0;

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_exact_start(STACKS) != 0 || ls_thread_start(NULL) != 0)
        return -1;
    while (++pc < 600) /* ordinals 1 to 599 */
        ls_stack_table_intern(&ls_ledger.stacks, &pc, 1, 1);
    return 0;
}

static const struct ls_tally *tally(uint32_t stack)
{
    ls_exact_settle();
    return ls_ledger_stack_tally(LS_RESOURCE_HEAP, stack);
}

static const struct ls_tally *sum(void)
{
    ls_exact_settle();
    total = (struct ls_tally){0};
    for (uint32_t i = 0; i < STACKS; i++)
        ls_tally_add(&total, ls_ledger_stack_tally(LS_RESOURCE_HEAP, i));
    return &total;
}

static void counts_are_kept_by_stack(void **state)
{
    struct ls_thread *thread = ls_thread_enter();

    (void)state;
    ls_exact_acquire(thread, 1, 100);
    ls_exact_acquire(thread, 1, 50);
    ls_exact_acquire(thread, 599, 7);
    ls_exact_release(thread, 1, 100);
    ls_thread_leave();
    assert_true(tally(1)->live_bytes == 50 && tally(1)->live_count == 1);
    assert_true(tally(1)->acquired_bytes == 150 && tally(1)->acquired_count == 2);
    assert_true(tally(1)->released_count == 1);
    assert_true(tally(599)->live_bytes == 7);
    assert_true(tally(2)->acquired_count == 0);
}

static void settling_again_counts_nothing_twice(void **state)
{
    double live = sum()->live_bytes;

    (void)state;
    assert_true(live > 0);
    for (int i = 0; i < 5; i++)
        assert_true(sum()->live_bytes == live);
}

static void what_a_handler_counts_the_shared_way_is_in_the_sum(void **state)
{
    double live = tally(3)->live_bytes;

    (void)state;
    ls_exact_acquire(NULL, 3, 1000);
    ls_exact_release(NULL, 3, 400);
    assert_true(tally(3)->live_bytes == live + 600);
}

static void *count_and_end(void *context)
{
    struct ls_thread *thread = ls_thread_enter();

    (void)context;
    for (uint32_t i = 0; i < 10000; i++)
        ls_exact_acquire(thread, 1 + i % 500, 3);
    ls_thread_leave();
    return NULL;
}

static void counts_of_ended_threads_stay(void **state)
{
    double live = sum()->live_bytes;
    double count = sum()->acquired_count;

    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[3];

        for (int i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, count_and_end, NULL), 0);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        if (round % 3 == 0)
            ls_exact_settle();
    }
    assert_true(sum()->live_bytes == live + 20 * 3 * 10000 * 3);
    assert_true(sum()->acquired_count == count + 20 * 3 * 10000);
}

static void ended_threads_cost_no_memory(void **state)
{
    size_t bytes;

    (void)state;
    for (int round = 0; round < 50; round++) {
        pthread_t thread;

        if (round == 10) {
            ls_exact_settle();
            bytes = ls_memory_own_bytes();
        }
        assert_int_equal(pthread_create(&thread, NULL, count_and_end, NULL), 0);
        pthread_join(thread, NULL);
        ls_exact_settle();
    }
    assert_int_equal(ls_memory_own_bytes(), bytes);
}

/* Another thread frees what this one allocated: each counts its own side. */
static void *release_all(void *context)
{
    struct ls_thread *thread = ls_thread_enter();

    (void)context;
    for (int i = 0; i < 5000; i++)
        ls_exact_release(thread, 10, 64);
    ls_thread_leave();
    return NULL;
}

static void a_block_may_be_released_by_another_thread(void **state)
{
    struct ls_thread *thread = ls_thread_enter();
    double live = 0;
    pthread_t other;

    (void)state;
    ls_thread_leave();
    live = tally(10)->live_bytes;
    for (int i = 0; i < 5000; i++)
        ls_exact_acquire(thread, 10, 64);
    assert_int_equal(pthread_create(&other, NULL, release_all, NULL), 0);
    pthread_join(other, NULL);
    assert_true(tally(10)->live_bytes == live);
}

static void without_memory_counts_go_the_shared_way(void **state)
{
    double live = sum()->live_bytes;
    pthread_t thread;

    (void)state;
    ls_memory_own_set_cap(ls_memory_own_bytes() + 1000); /* a record, but no table */
    assert_int_equal(pthread_create(&thread, NULL, count_and_end, NULL), 0);
    pthread_join(thread, NULL);
    ls_memory_own_set_cap(SIZE_MAX);
    assert_true(sum()->live_bytes == live + 10000 * 3);
}

static void *hold_record(void *context)
{
    *(struct ls_thread **)context = ls_thread_current();
    return NULL;
}

static void *hold_record_and_count(void *context)
{
    struct ls_thread *thread = hold_record(context) == NULL ? ls_thread_current() : NULL;

    ls_exact_acquire(thread, 1, 3);
    ls_exact_release(thread, 1, 3);
    return NULL;
}

static struct ls_thread *record_after(void *(*begin)(void *))
{
    struct ls_thread *record = NULL;
    pthread_t thread;

    pthread_create(&thread, NULL, begin, &record);
    pthread_join(thread, NULL);
    return record;
}

static void records_of_ended_threads_are_used_again(void **state)
{
    struct ls_thread *first = record_after(hold_record_and_count);
    struct ls_thread *second;

    (void)state;
    assert_int_equal(ls_load_relaxed(&first->state), LS_THREAD_ENDED);
    ls_exact_settle();
    assert_int_equal(ls_load_relaxed(&first->state), LS_THREAD_FREE);
    /* A free record with the id of a thread that ended would pass for gone once it is taken. */
    assert_int_equal(ls_load_relaxed(&first->id), 0);
    assert_false(ls_thread_is_gone(first));
    second = record_after(hold_record_and_count);
    assert_int_not_equal(ls_load_relaxed(&second->id), 0);
    ls_exact_settle();
}

static void a_record_without_counts_is_free_as_its_thread_ends(void **state)
{
    struct ls_thread *first;

    (void)state;
    ls_exact_settle();
    first = record_after(hold_record);
    if (ls_load_relaxed(&first->counts) == NULL)
        assert_int_equal(ls_load_relaxed(&first->state), LS_THREAD_FREE);
    assert_ptr_equal(record_after(hold_record), first);
}

static void a_hook_inside_a_hook_is_turned_away(void **state)
{
    (void)state;
    assert_non_null(ls_thread_enter());
    assert_null(ls_thread_enter());
    ls_thread_leave();
    assert_non_null(ls_thread_enter());
    ls_thread_leave();
}

static __attribute__((noinline)) void enter_deep_and_jump(jmp_buf target)
{
    volatile char space[16384];

    space[0] = 0;
    (void)space[0];
    assert_non_null(ls_thread_enter());
    longjmp(target, 1);
}

static void a_hook_that_was_jumped_out_of_is_forgotten(void **state)
{
    jmp_buf target;

    (void)state;
    if (setjmp(target) == 0)
        enter_deep_and_jump(target);
    assert_non_null(ls_thread_enter());
    ls_thread_leave();
}

/* Above the frame of the interrupted hook, as memory taken before the thread's stack may be. */
static struct ls_thread *entered_by_handler;
static unsigned handled;

static void enter_in_handler(int signal_number)
{
    (void)signal_number;
    handled++;
    entered_by_handler = ls_thread_enter();
    if (entered_by_handler != NULL)
        ls_thread_leave();
}

#define STACK_BYTES ((size_t)2 << 20)

static void *interrupt_a_hook(void *alternate)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = STACK_BYTES};
    struct sigaction action = {.sa_handler = enter_in_handler, .sa_flags = SA_ONSTACK};

    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    assert_non_null(ls_thread_enter());
    raise(SIGUSR1);
    ls_thread_leave();
    return NULL;
}

static void a_handler_on_an_alternate_stack_does_not_pass_for_a_jump(void **state)
{
    static _Alignas(4096) char memory[2 * STACK_BYTES];
    pthread_attr_t attributes;
    pthread_t thread;

    (void)state;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, memory, STACK_BYTES);
    assert_int_equal(pthread_create(&thread, &attributes, interrupt_a_hook, memory + STACK_BYTES),
                     0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    assert_int_equal(handled, 1);
    assert_null(entered_by_handler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_kept_by_stack),
        cmocka_unit_test(settling_again_counts_nothing_twice),
        cmocka_unit_test(what_a_handler_counts_the_shared_way_is_in_the_sum),
        cmocka_unit_test(counts_of_ended_threads_stay),
        cmocka_unit_test(ended_threads_cost_no_memory),
        cmocka_unit_test(a_block_may_be_released_by_another_thread),
        cmocka_unit_test(without_memory_counts_go_the_shared_way),
        cmocka_unit_test(a_record_without_counts_is_free_as_its_thread_ends),
        cmocka_unit_test(records_of_ended_threads_are_used_again),
        cmocka_unit_test(a_hook_inside_a_hook_is_turned_away),
        cmocka_unit_test(a_hook_that_was_jumped_out_of_is_forgotten),
        cmocka_unit_test(a_handler_on_an_alternate_stack_does_not_pass_for_a_jump),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
