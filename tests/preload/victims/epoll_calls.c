/*
 * epoll's waits, as a program may use them: errors, signals that interrupt or jump out of them,
 * threads that are cancelled in them, a wait within a handler, a fork.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include "victim.h"

#define THREADS 8

static int loop;
static int ready; /* an epoll with an event that stays */
static sigjmp_buf back;

static int new_loop(int events)
{
    int made = epoll_create1(EPOLL_CLOEXEC);
    int source = eventfd((unsigned)events, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 42};

    CHECK(made >= 0 && source >= 0);
    CHECK(epoll_ctl(made, EPOLL_CTL_ADD, source, &event) == 0);
    return made;
}

static void errors_are_the_calls_own(void)
{
    struct epoll_event events[4];
    struct timespec wrong = {0, -1};
    struct timespec millisecond = {0, 1000000};
    void *volatile unreadable = (void *)8;
    void *nowhere = unreadable;

    errno = 0;
    CHECK(epoll_wait(-1, events, 4, 0) == -1 && errno == EBADF);
    CHECK(epoll_pwait(0, events, 0, 0, NULL) == -1 && errno == EINVAL);
    CHECK(epoll_wait(ready, nowhere, 4, -1) == -1 && errno == EFAULT);
    errno = 77;
    CHECK(epoll_wait(ready, events, 4, -1) == 1 && errno == 77);
    CHECK(events[0].data.u32 == 42 && events[0].events == EPOLLIN);
    CHECK(epoll_pwait(ready, events, 4, 10, NULL) == 1 && errno == 77);
    CHECK(epoll_wait(loop, events, 4, 0) == 0 && errno == 77);
    CHECK(epoll_wait(loop, events, 4, 3) == 0 && errno == 77);
    CHECK(epoll_pwait2(ready, events, 4, NULL, NULL) == 1 && errno == 77);
    CHECK(epoll_pwait2(loop, events, 4, &millisecond, NULL) == 0 && errno == 77);
    CHECK(epoll_pwait2(loop, events, 4, &wrong, NULL) == -1 && errno == EINVAL);
    CHECK(epoll_pwait2(loop, events, 4, nowhere, NULL) == -1 && errno == EFAULT);
}

static volatile sig_atomic_t handled;

static void wait_in_handler(int number)
{
    struct epoll_event events[4];

    (void)number;
    handled = handled + 1;
    CHECK(epoll_wait(ready, events, 4, -1) == 1);
    CHECK(epoll_wait(loop, events, 4, 1) == 0);
}

static void jump_from_handler(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

static void alarm_in_ms(long milliseconds)
{
    struct itimerval timer = {.it_value = {0, milliseconds * 1000}};

    setitimer(ITIMER_REAL, &timer, NULL);
}

static void signals_interrupt_and_jump_out(void)
{
    struct epoll_event events[4];
    sigset_t all;

    signal(SIGALRM, wait_in_handler);
    for (int i = 0; i < 5; i++) {
        alarm_in_ms(5);
        CHECK(epoll_wait(loop, events, 4, -1) == -1 && errno == EINTR);
    }
    CHECK(handled == 5);
    sigfillset(&all);
    alarm_in_ms(5);
    CHECK(epoll_pwait(loop, events, 4, 30, &all) == 0);
    CHECK(handled == 6); /* delivered as soon as the mask is the old one again */
    signal(SIGALRM, jump_from_handler);
    for (volatile int i = 0; i < 5; i++) {
        if (sigsetjmp(back, 1) == 0) {
            alarm_in_ms(5);
            epoll_wait(loop, events, 4, -1);
            CHECK(0);
        }
        CHECK(epoll_wait(ready, events, 4, -1) == 1);
    }
    signal(SIGALRM, SIG_DFL);
}

static int cleaned;

static void clean(void *count)
{
    __atomic_fetch_add((int *)count, 1, __ATOMIC_RELAXED);
}

static void *wait_for_ever(void *unused)
{
    struct epoll_event events[4];

    pthread_cleanup_push(clean, &cleaned);
    for (;;)
        epoll_wait(loop, events, 4, -1);
    pthread_cleanup_pop(0);
    return unused;
}

static void threads_are_cancelled_in_it(void)
{
    pthread_t threads[THREADS];
    void *result;

    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_for_ever, NULL) == 0);
    victim_sleep_ms(20);
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_cancel(threads[i]) == 0);
        CHECK(pthread_join(threads[i], &result) == 0 && result == PTHREAD_CANCELED);
    }
    CHECK(cleaned == THREADS);
}

static void *wait_once(void *unused)
{
    struct epoll_event events[4];

    CHECK(epoll_wait(ready, events, 4, -1) == 1);
    return unused;
}

static void many_threads_come_and_go(void)
{
    pthread_t threads[100];

    for (int i = 0; i < 100; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_once, NULL) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void a_child_waits_too(void)
{
    struct epoll_event events[4];
    pid_t child = fork();

    if (child == 0) {
        CHECK(epoll_wait(ready, events, 4, -1) == 1);
        CHECK(epoll_wait(loop, events, 4, 2) == 0);
        _exit(victim_failures == 0 ? 5 : 6);
    }
    CHECK(victim_wait(child) == 5);
    CHECK(epoll_wait(loop, events, 4, 2) == 0);
}

int main(void)
{
    loop = new_loop(0);
    ready = new_loop(1);
    errors_are_the_calls_own();
    signals_interrupt_and_jump_out();
    threads_are_cancelled_in_it();
    many_threads_come_and_go();
    a_child_waits_too();
    return victim_end();
}
