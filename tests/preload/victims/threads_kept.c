/*
 * Threads that stay.
 *
 *     threads_kept states    one function for each thing that can become of a thread
 *     threads_kept grows     a pool that gets another thread for each of its tasks, for ever
 *     threads_kept fills     one that stops at 24
 *     threads_kept race      many threads that make, join and detach others
 */
#include <pthread.h>
#include <threads.h>

#include "victim.h"

enum { RACERS = 4, ROUNDS = 300 };

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held while the others should wait */

static void *end_at_once(void *argument)
{
    return argument;
}

static int end_at_once_too(void *argument)
{
    (void)argument;
    return 7;
}

static void *leave(void *argument)
{
    pthread_exit(argument);
}

static void *wait_for_gate(void *argument)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return argument;
}

static void *sleep_long(void *argument)
{
    victim_sleep_ms(60000);
    return argument;
}

static pthread_t create(void *(*begin)(void *))
{
    pthread_t thread = 0;

    CHECK(pthread_create(&thread, NULL, begin, NULL) == 0);
    return thread;
}

VICTIM_FUNCTION static void make_joined(void)
{
    void *result = &gate;

    CHECK(pthread_join(create(leave), &result) == 0 && result == NULL);
    KEEP(result);
}

VICTIM_FUNCTION static void make_tried(void)
{
    pthread_t thread = create(end_at_once);

    while (pthread_tryjoin_np(thread, NULL) == EBUSY)
        victim_sleep_ms(1);
}

VICTIM_FUNCTION static void make_timed(void)
{
    pthread_t thread = create(wait_for_gate);
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(pthread_timedjoin_np(thread, NULL, &now) == ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &now) == ETIMEDOUT);
    CHECK(pthread_detach(thread) == 0);
}

VICTIM_FUNCTION static void make_unjoined(void)
{
    pthread_t thread = create(end_at_once);

    KEEP(thread);
}

VICTIM_FUNCTION static void make_detached(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    CHECK(pthread_create(&thread, &attributes, end_at_once, NULL) == 0);
    pthread_attr_destroy(&attributes);
    CHECK(pthread_detach(create(end_at_once)) == 0);
}

VICTIM_FUNCTION static void make_cancelled(void)
{
    pthread_t thread = create(sleep_long);

    CHECK(pthread_cancel(thread) == 0);
}

VICTIM_FUNCTION static void make_waiting(void)
{
    pthread_t thread = create(wait_for_gate);

    CHECK(pthread_setname_np(thread, "waits") == 0);
}

VICTIM_FUNCTION static void make_standard(void)
{
    thrd_t thread;
    int result = 0;

    CHECK(thrd_create(&thread, end_at_once_too, NULL) == thrd_success);
    CHECK(thrd_join(thread, &result) == thrd_success && result == 7);
    CHECK(thrd_create(&thread, end_at_once_too, NULL) == thrd_success);
    CHECK(thrd_detach(thread) == thrd_success);
    CHECK(thrd_create(&thread, end_at_once_too, NULL) == thrd_success);
}

VICTIM_FUNCTION static void make_refused(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, (size_t)1 << 46) == 0);
    CHECK(pthread_create(&thread, &attributes, end_at_once, NULL) == EAGAIN);
    pthread_attr_destroy(&attributes);
}

static void states(void)
{
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 5; i++) {
        make_joined();
        make_tried();
        make_timed();
        make_unjoined();
        make_detached();
        make_cancelled();
        make_waiting();
        make_standard();
        make_refused();
    }
    victim_sleep_ms(700); /* until those that end have ended, and a summary says so */
    _exit(victim_end());
}

VICTIM_FUNCTION static void pool_grow(void)
{
    pthread_t thread = create(sleep_long);

    KEEP(thread);
}

static void run_pool(int most)
{
    int threads = 0;

    for (int i = 0; i < 107; i++) {
        if (threads < most) {
            pool_grow();
            threads++;
        }
        victim_sleep_ms(40);
    }
    _exit(victim_end());
}

static void *race(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread = create(end_at_once);

        if (i % 3 == 0)
            CHECK(pthread_detach(thread) == 0);
        else
            CHECK(pthread_join(thread, NULL) == 0);
    }
    return argument;
}

VICTIM_FUNCTION static void run_race(void)
{
    pthread_t threads[RACERS];

    for (int i = 0; i < RACERS; i++)
        threads[i] = create(race);
    for (int i = 0; i < RACERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    victim_sleep_ms(300); /* detached ones may still be ending */
    _exit(victim_end());
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "states";

    if (strcmp(what, "grows") == 0)
        run_pool(1000);
    if (strcmp(what, "fills") == 0)
        run_pool(24);
    if (strcmp(what, "race") == 0)
        run_race();
    states();
}
