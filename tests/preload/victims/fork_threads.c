/* fork while other threads allocate without pause: the child must never wait for one of them. */
#include <pthread.h>

#include "victim.h"

enum { THREADS = 4, FORKS = 30 };

static int stop;

static void *allocate_until_stopped(void *argument)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        victim_churn(200);
    return argument;
}

static void *allocate_once(void *argument)
{
    victim_churn(200);
    return argument;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, allocate_until_stopped, NULL) == 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            pthread_t thread;
            victim_churn(300);
            CHECK(pthread_create(&thread, NULL, allocate_once, NULL) == 0);
            CHECK(pthread_join(thread, NULL) == 0);
            if (i % 2)
                _exit(victim_failures ? 99 : 3);
            exit(victim_failures ? 99 : 3);
        }
        CHECK(victim_wait(child) == 3);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return victim_end();
}
