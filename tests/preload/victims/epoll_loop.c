/*
 * An event loop that knows how well it does: turns of known lengths, and a timer of its own whose
 * delays it records as they are. Tells them as JSON at the end.
 *
 *   epoll_loop MILLISECONDS
 *
 * A second thread, named "sleeper", waits in a loop of its own all the time. "blocker" waits once
 * and then is in one turn for ever.
 */
#include <pthread.h>
#include <sys/epoll.h>

#include "victim.h"

#define TIMER_S     0.010
#define DELAYS_MOST 100000

static double delays[DELAYS_MOST];
static int delay_count;
static double due_s, busy_s, idle_s, longest_s;

static void *sleep_for_ever(void *unused)
{
    struct epoll_event events[4];

    pthread_setname_np(pthread_self(), "sleeper");
    for (int loop = epoll_create1(0);;)
        epoll_wait(loop, events, 4, -1);
    return unused;
}

static void *block_for_ever(void *unused)
{
    struct epoll_event events[4];

    pthread_setname_np(pthread_self(), "blocker");
    epoll_wait(epoll_create1(0), events, 4, 10);
    for (;;)
        victim_sleep_ms(1000);
    return unused;
}

static void record(double delay_s)
{
    if (delay_count < DELAYS_MOST)
        delays[delay_count++] = delay_s;
}

static void spin_until(double end_s)
{
    while (victim_seconds() < end_s)
        ;
}

/* The timer fires as Node's would: once for a turn, on time in a sleep. */
static void turn(double begin_s, double length_s)
{
    double end_s;

    spin_until(begin_s + length_s);
    end_s = victim_seconds();
    busy_s += end_s - begin_s;
    if (end_s - begin_s > longest_s)
        longest_s = end_s - begin_s;
    if (end_s >= due_s) {
        record(end_s - due_s);
        due_s = end_s + TIMER_S;
    }
}

static void sleep_in(int loop, int milliseconds)
{
    struct epoll_event events[4];
    double begin_s = victim_seconds();
    double end_s;

    CHECK(epoll_wait(loop, events, 4, milliseconds) == 0);
    end_s = victim_seconds();
    idle_s += end_s - begin_s;
    for (; due_s <= end_s; due_s += TIMER_S)
        record(0);
}

static int by_length(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double percentile(double share)
{
    double rank = share * delay_count;
    int index = (int)rank;

    if (index == rank && index > 0)
        index--;
    return delay_count == 0 ? 0 : delays[index];
}

int main(int count, char **arguments)
{
    static const double lengths_s[] = {0.0002, 0.003, 0.008, 0.020, 0.045};
    double end_s = victim_seconds() + (count > 1 ? atof(arguments[1]) : 300) * 1e-3;
    int loop = epoll_create1(EPOLL_CLOEXEC);
    uint64_t state = 88172645463325252u;
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, block_for_ever, NULL) == 0);
    due_s = victim_seconds() + TIMER_S;
    while (victim_seconds() < end_s) {
        /* Now and then nothing to do: a wait that does not sleep. */
        sleep_in(loop, (int)(victim_random(&state) % 12));
        turn(victim_seconds(), lengths_s[victim_random(&state) % 5]);
    }
    qsort(delays, (size_t)delay_count, sizeof(*delays), by_length);
    SAY("{\"delay_p50_s\":%.6f,\"delay_p95_s\":%.6f,\"delay_p99_s\":%.6f,\"delay_max_s\":%.6f,"
        "\"utilization\":%.6f,\"delays\":%d}\n",
        percentile(0.50), percentile(0.95), percentile(0.99), longest_s, busy_s / (busy_s + idle_s),
        delay_count);
    return victim_failures == 0 ? 0 : 1;
}
