/* A signal sent to the process must reach the host, never a thread of the shim. The host blocks it
 * everywhere and takes it by sigtimedwait; one thread with the signal open would end the process.
 */
#include <pthread.h>
#include <signal.h>

#include "victim.h"

static void *load(void *argument)
{
    victim_churn(3000);
    return argument;
}

int main(void)
{
    sigset_t all;
    pthread_t thread;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, load, NULL) == 0);
    int taken = 0;
    for (int i = 0; i < 100; i++) {
        struct timespec limit = {5, 0};
        CHECK(kill(getpid(), i % 2 ? SIGUSR1 : SIGTERM) == 0);
        taken += sigtimedwait(&all, NULL, &limit) == (i % 2 ? SIGUSR1 : SIGTERM);
        victim_sleep_ms(2);
    }
    SAY("taken %d\n", taken);
    pthread_join(thread, NULL);
    return victim_end();
}
