/* Records of peers: more addresses than there are records, over time and from many threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/peers.h"

#define STACK    77
#define THREADS  4
#define ROUNDS   20000
#define PER_PAIR 3 /* threads of the storm use stacks of their own and one in common */

static uint64_t now_ns = 1;

static struct ls_peer_address address_of(uint32_t number)
{
    struct ls_peer_address address = {.length = 8};

    memcpy(address.bytes, &number, sizeof(number));
    return address;
}

/* A connection that came and went; its record. */
static uint32_t visit(uint32_t stack, uint32_t number)
{
    struct ls_peer_address address = address_of(number);
    uint32_t record = ls_peer_obtain(stack, &address);

    ls_peer_opened(record);
    ls_peer_connected(record, 5000);
    ls_peer_lived(record, 9000);
    ls_peer_failed(record, 7);
    ls_peer_detached(record);
    return record;
}

/* What a summary does. */
static void look_over(void)
{
    now_ns++;
    for (uint32_t i = 1; i < ls_peers_end(); i++) {
        struct ls_peer *peer = ls_peer_at(i);

        if (peer == NULL)
            continue;
        if (ls_load_relaxed(&peer->opened) != peer->opened_before ||
            ls_load_relaxed(&peer->live) > 0)
            peer->active_ns = now_ns;
        peer->opened_before = ls_load_relaxed(&peer->opened);
    }
    ls_peers_make_room(now_ns);
}

static bool is_named(uint32_t record)
{
    const struct ls_peer *peer = ls_peer_at(record);

    return peer != NULL && peer->address.length != 0;
}

struct totals {
    uint64_t opened;
    uint64_t failed;
    uint64_t errors;
    uint64_t times;
    uint64_t lives;
    int64_t live;
};

static struct totals count_all(void)
{
    struct totals totals = {0};

    for (uint32_t i = 1; i < ls_peers_end(); i++) {
        const struct ls_peer *peer = ls_peer_at(i);

        if (peer == NULL)
            continue;
        totals.opened += ls_load_relaxed(&peer->opened);
        totals.failed += ls_load_relaxed(&peer->failed);
        totals.live += ls_load_relaxed(&peer->live);
        for (int k = 0; k < LS_PEER_ERRORS; k++)
            totals.errors += ls_load_relaxed(&peer->errors[k].count);
        for (int k = 0; k < LS_PEER_CLASSES; k++) {
            totals.times += ls_load_relaxed(&peer->connect_times[k]);
            totals.lives += ls_load_relaxed(&peer->lives[k]);
        }
    }
    return totals;
}

/* Thousands of addresses that come once, beside one that is always busy and one that is held. */
static void who_is_active_keeps_its_record_however_many_come_and_go(void **state)
{
    const uint32_t strangers = 5000;
    struct ls_peer_address held_address = address_of(2);
    uint32_t busy = visit(STACK, 1);
    uint32_t held = ls_peer_obtain(STACK, &held_address);
    uint32_t visits = 1;
    struct totals totals;

    (void)state;
    for (uint32_t i = 0; i < strangers; i++) {
        visit(STACK, 1000 + i);
        if (i % 40 == 0) {
            look_over();
            assert_int_equal(visit(STACK, 1), busy);
            visits++;
        }
    }
    assert_int_equal(ls_load_relaxed(&ls_peer_at(busy)->opened), visits);
    assert_true(is_named(held));
    assert_int_equal(ls_peer_obtain(STACK, &held_address), held);
    ls_peer_detached(held);
    ls_peer_detached(held);
    totals = count_all();
    assert_int_equal(totals.opened, strangers + visits);
    assert_true(totals.failed == totals.opened && totals.errors == totals.opened);
    assert_true(totals.times == totals.opened && totals.lives == totals.opened);
    assert_int_equal(totals.live, 0);
}

static void somebody_new_who_stays_gets_a_record_of_his_own(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        visit(STACK, 20000 + i); /* more than are free: folded */
    look_over();
    assert_true(is_named(visit(STACK, 30000)));
}

static void a_record_taken_back_begins_anew(void **state)
{
    struct ls_peer_address address = address_of(40000);
    uint32_t record;

    (void)state;
    look_over();
    record = ls_peer_obtain(STACK, &address);
    assert_true(is_named(record));
    assert_int_equal(ls_load_relaxed(&ls_peer_at(record)->opened), 0);
    assert_int_equal(ls_load_relaxed(&ls_peer_at(record)->failed), 0);
    assert_int_equal(ls_peer_at(record)->opened_before, 0);
    ls_peer_detached(record);
}

static _Atomic int running;

static void *come_and_go(void *context)
{
    uint32_t seed = (uint32_t)(uintptr_t)context;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525 + 1013904223;
        visit(STACK + (i % PER_PAIR == 0), 50000 + (seed >> 16) % 2000);
    }
    ls_add_release(&running, -1);
    return NULL;
}

static void nothing_is_lost_while_many_threads_and_the_collector_are_at_it(void **state)
{
    struct totals before = count_all();
    struct totals after;
    pthread_t threads[THREADS];

    (void)state;
    ls_store_relaxed(&running, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)(i + 1)), 0);
    while (ls_load_acquire(&running) > 0)
        look_over();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    after = count_all();
    assert_int_equal(after.opened - before.opened, THREADS * ROUNDS);
    assert_int_equal(after.failed - before.failed, THREADS * ROUNDS);
    assert_int_equal(after.lives - before.lives, THREADS * ROUNDS);
    assert_int_equal(after.live, 0);
    look_over();
    assert_true(is_named(visit(STACK, 90000)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_active_keeps_its_record_however_many_come_and_go),
        cmocka_unit_test(somebody_new_who_stays_gets_a_record_of_his_own),
        cmocka_unit_test(a_record_taken_back_begins_anew),
        cmocka_unit_test(nothing_is_lost_while_many_threads_and_the_collector_are_at_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
