/* Records of isolates and the way of readings to the collector. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "system/memory.h"
#include "system/syscall.h"
#include "v8/isolates.h"

static _Atomic size_t own_bytes;

void *ls_memory_own_allocate(size_t size)
{
    void *block = calloc(1, size);

    if (block)
        own_bytes += size;
    return block;
}

void ls_memory_own_free(void *block, size_t size)
{
    if (block)
        own_bytes -= size;
    free(block);
}

static char fake_isolates[LS_V8_ISOLATES_MAX + 1];

static struct ls_js_reading *new_reading(const struct ls_v8_isolate *record, uint64_t taken_ns)
{
    struct ls_js_reading *reading = ls_memory_own_allocate(sizeof(*reading));

    assert_non_null(reading);
    reading->allocated_bytes = sizeof(*reading);
    reading->isolate = record->number;
    reading->taken_ns = taken_ns;
    return reading;
}

static void expect_reading(uint64_t taken_ns)
{
    struct ls_js_reading *reading = ls_v8_isolates_take();

    assert_non_null(reading);
    assert_int_equal(reading->taken_ns, taken_ns);
    ls_v8_reading_free(reading);
}

static void collect_ended(uint64_t *last, size_t expected)
{
    uint64_t numbers[8];
    size_t count, total = 0;

    while ((count = ls_v8_isolates_take_ended(numbers, 8)) > 0) {
        total += count;
        *last = numbers[count - 1];
    }
    assert_int_equal(total, expected);
}

static void an_isolate_is_found_until_it_ends(void **state)
{
    struct ls_v8_isolate *record = ls_v8_isolate_claim(&fake_isolates[0]);
    uint64_t number = record->number;
    uint64_t ended = 0;

    (void)state;
    assert_ptr_equal(ls_v8_isolate_find(&fake_isolates[0]), record);
    assert_null(ls_v8_isolate_find(&fake_isolates[1]));
    ls_v8_isolate_end(record);
    assert_null(ls_v8_isolate_find(&fake_isolates[0]));
    collect_ended(&ended, 1);
    assert_int_equal(ended, number);
}

static void isolates_that_live_are_listed_with_their_threads(void **state)
{
    struct ls_v8_isolate *first = ls_v8_isolate_claim(&fake_isolates[0]);
    struct ls_v8_isolate *second = ls_v8_isolate_claim(&fake_isolates[1]);
    struct ls_v8_isolate_view views[4];
    uint64_t ended;

    (void)state;
    ls_store_relaxed(&second->aside, true);
    assert_int_equal(ls_v8_isolates_list(views, 1), 1);
    assert_int_equal(ls_v8_isolates_list(views, 4), 2);
    assert_int_equal(views[0].number, first->number);
    assert_int_equal(views[0].thread, ls_sys_gettid());
    assert_false(views[0].aside);
    assert_true(views[1].aside);
    ls_v8_isolate_end(first);
    assert_int_equal(ls_v8_isolates_list(views, 4), 1);
    ls_v8_isolate_end(second);
    collect_ended(&ended, 2);
    second = ls_v8_isolate_claim(&fake_isolates[1]);
    assert_int_equal(ls_v8_isolates_list(views, 4), 1);
    assert_false(views[0].aside);
    ls_v8_isolate_end(second);
    collect_ended(&ended, 1);
}

static void a_new_isolate_at_an_old_address_gets_a_new_number(void **state)
{
    struct ls_v8_isolate *record = ls_v8_isolate_claim(&fake_isolates[0]);
    uint64_t first = record->number;
    uint64_t ended;

    (void)state;
    ls_v8_isolate_end(record);
    record = ls_v8_isolate_claim(&fake_isolates[0]);
    assert_int_not_equal(record->number, first);
    ls_v8_isolate_end(record);
    collect_ended(&ended, 2);
}

static void readings_of_all_isolates_arrive_oldest_first(void **state)
{
    struct ls_v8_isolate *one = ls_v8_isolate_claim(&fake_isolates[0]);
    struct ls_v8_isolate *two = ls_v8_isolate_claim(&fake_isolates[1]);
    uint64_t ended;

    (void)state;
    ls_v8_isolate_post(one, new_reading(one, 30));
    ls_v8_isolate_post(two, new_reading(two, 20));
    ls_v8_isolate_post(one, new_reading(one, 40));
    expect_reading(20);
    expect_reading(30);
    expect_reading(40);
    assert_null(ls_v8_isolates_take());
    ls_v8_isolate_end(one);
    ls_v8_isolate_end(two);
    collect_ended(&ended, 2);
}

static void a_full_mailbox_drops_its_oldest_reading(void **state)
{
    struct ls_v8_isolate *record = ls_v8_isolate_claim(&fake_isolates[0]);
    unsigned dropped = 0;
    uint64_t ended;

    (void)state;
    for (uint64_t t = 1; t <= LS_V8_MAILBOX + 3; t++)
        dropped += ls_v8_isolate_post(record, new_reading(record, t));
    assert_int_equal(dropped, 3);
    for (uint64_t t = 4; t <= LS_V8_MAILBOX + 3; t++)
        expect_reading(t);
    assert_null(ls_v8_isolates_take());
    ls_v8_isolate_end(record);
    collect_ended(&ended, 1);
}

static void no_reading_arrives_after_its_isolate_was_reported_ended(void **state)
{
    struct ls_v8_isolate *record = ls_v8_isolate_claim(&fake_isolates[0]);
    struct ls_v8_isolate *other = ls_v8_isolate_claim(&fake_isolates[1]);
    uint64_t ended;

    (void)state;
    /* The first take moves all of them to the collector's own list. */
    ls_v8_isolate_post(other, new_reading(other, 1));
    ls_v8_isolate_post(record, new_reading(record, 2));
    expect_reading(1);
    ls_v8_isolate_end(record);
    collect_ended(&ended, 1);
    assert_null(ls_v8_isolates_take());
    ls_v8_isolate_end(other);
    collect_ended(&ended, 1);
}

static void thousands_of_isolates_that_come_and_go_use_the_same_memory(void **state)
{
    size_t before;
    uint64_t ended;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        struct ls_v8_isolate *record = ls_v8_isolate_claim(&fake_isolates[i % 7]);

        assert_non_null(record);
        if (i == 10)
            before = own_bytes;
        ls_v8_isolate_post(record, new_reading(record, i));
        ls_v8_isolate_end(record);
        collect_ended(&ended, 1);
    }
    assert_int_equal(own_bytes, before);
}

static void a_full_pool_turns_new_isolates_away_until_one_has_ended(void **state)
{
    uint64_t ended;

    (void)state;
    for (size_t i = 0; i < LS_V8_ISOLATES_MAX; i++)
        assert_non_null(ls_v8_isolate_claim(&fake_isolates[i]));
    assert_null(ls_v8_isolate_claim(&fake_isolates[LS_V8_ISOLATES_MAX]));
    ls_v8_isolate_end(ls_v8_isolate_find(&fake_isolates[17]));
    assert_null(ls_v8_isolate_claim(&fake_isolates[LS_V8_ISOLATES_MAX]));
    collect_ended(&ended, 1);
    assert_non_null(ls_v8_isolate_claim(&fake_isolates[17]));
    for (size_t i = 0; i < LS_V8_ISOLATES_MAX; i++)
        ls_v8_isolate_end(ls_v8_isolate_find(&fake_isolates[i]));
    collect_ended(&ended, LS_V8_ISOLATES_MAX);
}

static void the_child_of_a_fork_keeps_the_isolate_of_its_thread_only(void **state)
{
    struct ls_v8_isolate *mine = ls_v8_isolate_claim(&fake_isolates[0]);
    struct ls_v8_isolate *other = ls_v8_isolate_claim(&fake_isolates[1]);
    uint64_t ended;

    (void)state;
    ls_v8_isolate_post(mine, new_reading(mine, 1));
    ls_v8_isolate_post(other, new_reading(other, 2));
    ls_v8_isolates_keep_only(mine);
    assert_null(ls_v8_isolates_take());
    assert_ptr_equal(ls_v8_isolate_find(&fake_isolates[0]), mine);
    assert_null(ls_v8_isolate_find(&fake_isolates[1]));
    ls_v8_isolate_end(mine);
    collect_ended(&ended, 1);
}

#define ROUNDS  2000
#define WORKERS 4

static void *work(void *argument)
{
    char *fake = argument;

    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct ls_v8_isolate *record = ls_v8_isolate_claim(fake);

        /* Full until the collector comes round. */
        while (!record) {
            sched_yield();
            record = ls_v8_isolate_claim(fake);
        }
        for (uint64_t t = 0; t < 20; t++)
            ls_v8_isolate_post(record, new_reading(record, t));
        ls_v8_isolate_end(record);
    }
    return NULL;
}

static void isolates_that_post_while_the_collector_takes_lose_no_memory(void **state)
{
    pthread_t threads[WORKERS];
    size_t before = own_bytes;
    size_t ended = 0;

    (void)state;
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &fake_isolates[i]), 0);
    while (ended < WORKERS * ROUNDS) {
        struct ls_js_reading *reading = ls_v8_isolates_take();
        uint64_t numbers[8];

        ls_v8_reading_free(reading);
        ended += ls_v8_isolates_take_ended(numbers, 8);
    }
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_null(ls_v8_isolates_take());
    assert_int_equal(own_bytes, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_isolate_is_found_until_it_ends),
        cmocka_unit_test(isolates_that_live_are_listed_with_their_threads),
        cmocka_unit_test(a_new_isolate_at_an_old_address_gets_a_new_number),
        cmocka_unit_test(readings_of_all_isolates_arrive_oldest_first),
        cmocka_unit_test(a_full_mailbox_drops_its_oldest_reading),
        cmocka_unit_test(no_reading_arrives_after_its_isolate_was_reported_ended),
        cmocka_unit_test(thousands_of_isolates_that_come_and_go_use_the_same_memory),
        cmocka_unit_test(a_full_pool_turns_new_isolates_away_until_one_has_ended),
        cmocka_unit_test(the_child_of_a_fork_keeps_the_isolate_of_its_thread_only),
        cmocka_unit_test(isolates_that_post_while_the_collector_takes_lose_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
