/*
 * A timer signal every millisecond, whose handler allocates, under allocation load. The C library's
 * malloc may not be entered while the same thread is inside it, so the handler allocates only when
 * it did not interrupt one; otherwise it makes the calls that are allowed anywhere.
 * "altstack" runs the handler on an alternate stack.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "victim.h"

enum { SIGNALS = 150, ALTERNATE_SIZE = 32 * 1024 };

static volatile sig_atomic_t inside, allocated, interrupted;

static void on_alarm(int number)
{
    int kept = errno;
    (void)number;
    if (inside) {
        int fd = fcntl(0, F_DUPFD, 100);
        if (fd >= 0)
            close(fd);
        interrupted++;
    } else {
        char *block = malloc(700);
        if (block != NULL)
            block[699] = 7;
        block = realloc(block, 9000);
        CHECK(block != NULL && block[699] == 7);
        free(block);
        allocated++;
    }
    errno = kept;
}

static void *load_without_signals(void *argument)
{
    while (allocated < SIGNALS)
        victim_churn(100);
    return argument;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    if (argc > 1 && strcmp(argv[1], "altstack") == 0) {
        stack_t stack = {.ss_sp = malloc(ALTERNATE_SIZE), .ss_size = ALTERNATE_SIZE};
        CHECK(sigaltstack(&stack, NULL) == 0);
        action.sa_flags |= SA_ONSTACK;
    }
    sigset_t alarm_only;
    pthread_t thread;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    CHECK(pthread_sigmask(SIG_BLOCK, &alarm_only, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, load_without_signals, NULL) == 0);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL) == 0);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval every = {{0, 1000}, {0, 1000}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);

    uint64_t state = 1;
    while (allocated < SIGNALS) {
        inside = 1;
        errno = 77;
        char *block = malloc(1 + (size_t)(victim_random(&state) % 5000));
        int kept = errno;
        free(block);
        inside = 0;
        CHECK(block != NULL && kept == 77);
        for (volatile int spin = 0; spin < 50; spin++)
            ;
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    pthread_join(thread, NULL);
    return victim_end();
}
