/* Stands in for a shim whose fork child waits for ever. */
#include <pthread.h>
#include <unistd.h>

static void wait_for_ever(void)
{
    for (;;)
        pause();
}

__attribute__((constructor)) static void start(void)
{
    pthread_atfork(0, 0, wait_for_ever);
}
