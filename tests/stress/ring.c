/* Several producers, one slow consumer, a ring that is full most of the time. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "ledger/ring.h"
#include "stress.h"

#define PRODUCERS    5
#define CAPACITY_MAX 1024

/* An event is the producer's number and its own count of pushes that succeeded. */
#define EVENT(producer, number) ((uint64_t)(producer) << 48 | (number))

static struct ls_ring ring;
static struct ls_ring_cell cells[CAPACITY_MAX];
static _Atomic int stopping;

struct producer {
    pthread_t thread;
    uint64_t number;
    uint64_t pushed;
    uint64_t refused;
};

static void *produce(void *context)
{
    struct producer *producer = context;

    while (!ls_load_relaxed(&stopping)) {
        if (ls_ring_push(&ring, EVENT(producer->number, producer->pushed)))
            producer->pushed++;
        else
            producer->refused++;
    }
    return NULL;
}

struct consumer {
    uint64_t next[PRODUCERS]; /* the number each producer must come with */
    uint64_t popped;
    uint64_t wrong;
    uint64_t most_waiting;
};

static bool consume_one(struct consumer *consumer)
{
    uint64_t event;
    uint64_t waiting = ls_ring_waiting(&ring);
    uint64_t producer;

    if (waiting > consumer->most_waiting)
        consumer->most_waiting = waiting;
    if (!ls_ring_pop(&ring, &event))
        return false;
    producer = event >> 48;
    consumer->popped++;
    if (producer >= PRODUCERS || event != EVENT(producer, consumer->next[producer]))
        consumer->wrong++;
    else
        consumer->next[producer]++;
    return true;
}

static void run_producers(size_t capacity, unsigned pause_every, double seconds)
{
    struct producer producers[PRODUCERS];
    struct consumer consumer = {{0}, 0, 0, 0};
    const struct timespec pause = {0, 50000};
    double end = stress_now() + seconds;
    uint64_t pushed = 0;
    uint64_t refused = 0;

    memset(cells, 0, sizeof(cells));
    ls_ring_init(&ring, cells, capacity);
    ls_store_relaxed(&stopping, 0);
    for (uint64_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.number = i};
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (uint64_t i = 1; stress_now() < end; i++) {
        consume_one(&consumer);
        if (i % pause_every == 0)
            nanosleep(&pause, NULL);
    }
    ls_store_relaxed(&stopping, 1);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    while (consume_one(&consumer))
        continue;
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(consumer.next[i], producers[i].pushed);
        pushed += producers[i].pushed;
        refused += producers[i].refused;
    }
    print_message("capacity %zu: %llu events, %llu refused, high water %llu\n", capacity,
                  (unsigned long long)pushed, (unsigned long long)refused,
                  (unsigned long long)ring.high_water);
    assert_int_equal(consumer.wrong, 0);
    assert_int_equal(consumer.popped, pushed);
    assert_int_equal(ls_ring_waiting(&ring), 0);
    assert_true(pushed > CAPACITY_MAX);
    assert_true(refused > 0);
    /* It was full; more than the capacity can be claimed only once the consumer has freed a cell.
     */
    assert_true(ring.high_water >= capacity - 1);
    assert_true(ring.high_water <= capacity);
}

static void every_event_comes_out_once_and_in_order_from_a_full_ring(void **state)
{
    (void)state;
    run_producers(16, 16, stress_seconds() / 3);
}

static void every_event_comes_out_once_and_in_order_from_a_ring_of_two(void **state)
{
    (void)state;
    run_producers(2, 64, stress_seconds() / 3);
}

static void every_event_comes_out_once_and_in_order_with_a_fast_consumer(void **state)
{
    (void)state;
    run_producers(CAPACITY_MAX, 100000, stress_seconds() / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_comes_out_once_and_in_order_from_a_full_ring),
        cmocka_unit_test(every_event_comes_out_once_and_in_order_from_a_ring_of_two),
        cmocka_unit_test(every_event_comes_out_once_and_in_order_with_a_fast_consumer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
