/* Every way a thread can end while it owns memory: return, pthread_exit, cancel, detached. */
#include <pthread.h>
#include <semaphore.h>

#include "victim.h"

static sem_t detached_done;
static int cleaned;

static void clean_up(void *block)
{
    free(block);
    KEEP(malloc(10));
    __atomic_fetch_add(&cleaned, 1, __ATOMIC_RELAXED);
}

static void *exits(void *argument)
{
    void *block = malloc(1000);
    pthread_cleanup_push(clean_up, block);
    victim_churn(50);
    pthread_exit(argument);
    pthread_cleanup_pop(0);
}

static void *waits_to_be_cancelled(void *argument)
{
    void *block = malloc(1000);
    pthread_cleanup_push(clean_up, block);
    for (;;) {
        int kept;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &kept);
        victim_churn(20);
        pthread_setcancelstate(kept, NULL);
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return argument;
}

static void *detached(void *argument)
{
    victim_churn(50);
    sem_post(&detached_done);
    return argument;
}

int main(void)
{
    enum { ROUNDS = 50 };
    char mark;
    sem_init(&detached_done, 0, 0);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t first, second, third;
        void *result = NULL;
        CHECK(pthread_create(&first, NULL, exits, &mark) == 0);
        CHECK(pthread_create(&second, NULL, waits_to_be_cancelled, NULL) == 0);
        CHECK(pthread_create(&third, NULL, detached, NULL) == 0);
        CHECK(pthread_detach(third) == 0);
        CHECK(pthread_cancel(second) == 0);
        CHECK(pthread_join(first, &result) == 0 && result == &mark);
        CHECK(pthread_join(second, &result) == 0 && result == PTHREAD_CANCELED);
        while (sem_wait(&detached_done) != 0)
            ;
    }
    CHECK(cleaned >= ROUNDS); /* a thread may be cancelled before it pushed its handler */
    return victim_end();
}
