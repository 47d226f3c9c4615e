/* One way to end for each word; the runner compares exit code or signal, and what was flushed. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "victim.h"

static void say_at_exit(void)
{
    KEEP(malloc(100));
    victim_churn(100);
    SAY("atexit ran\n");
}

static void say_at_quick_exit(void)
{
    free(malloc(100));
    SAY("at_quick_exit ran\n");
}

static void exit_from_handler(int number)
{
    exit(number == SIGUSR1 ? 13 : 99);
}

static void *exit_from_thread(void *argument)
{
    victim_churn(100);
    exit(14);
    return argument;
}

static void *outlive_main(void *argument)
{
    victim_sleep_ms(30);
    victim_churn(100);
    SAY("outlived main\n");
    return argument;
}

static void *churn_for_ever(void *argument)
{
    for (;;)
        victim_churn(100);
    return argument;
}

static int threads(void *(*body)(void *), int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, body, NULL) == 0);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "return";
    atexit(say_at_exit);
    at_quick_exit(say_at_quick_exit);
    victim_churn(200);
    printf("in the buffer\n");
    if (strcmp(how, "exit") == 0)
        exit(7);
    if (strcmp(how, "_exit") == 0)
        _exit(8);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(9);
    if (strcmp(how, "_Exit") == 0)
        _Exit(10);
    if (strcmp(how, "exit_group") == 0)
        syscall(SYS_exit_group, 11);
    if (strcmp(how, "handler") == 0) {
        signal(SIGUSR1, exit_from_handler);
        raise(SIGUSR1);
    }
    if (strcmp(how, "thread") == 0) {
        threads(exit_from_thread, 1);
        for (;;)
            pause();
    }
    if (strcmp(how, "exit_under_load") == 0) {
        threads(churn_for_ever, 3);
        victim_sleep_ms(20);
        exit(15);
    }
    if (strcmp(how, "pthread_exit") == 0) {
        threads(outlive_main, 1);
        pthread_exit(NULL);
    }
    if (strcmp(how, "abort") == 0)
        abort();
    volatile int *volatile nowhere = NULL;
    if (strcmp(how, "segv") == 0)
        *nowhere = 1;
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "term") == 0)
        raise(SIGTERM);
    if (strcmp(how, "double_free") == 0) {
        char *volatile block = malloc(40);
        free(block);
        free(block);
    }
    return victim_end();
}
