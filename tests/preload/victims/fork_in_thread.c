/* A thread forks; in the child it is the only thread, and ends the process by itself. */
#include <pthread.h>

#include "victim.h"

static void *forks(void *argument)
{
    for (int i = 0; i < 10; i++) {
        char *block = malloc(64);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            free(block);
            victim_churn(300);
            exit(victim_failures ? 99 : 40 + i);
        }
        CHECK(victim_wait(child) == 40 + i);
        free(block);
    }
    return argument;
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, forks, NULL) == 0);
    victim_churn(2000);
    CHECK(pthread_join(thread, NULL) == 0);
    return victim_end();
}
