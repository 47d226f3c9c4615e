/* Processes made behind the C library's back: no fork handler runs in these children. */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "victim.h"

static pid_t clone_like_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static int only_exits(void *argument)
{
    _exit(*(int *)argument);
}

int main(void)
{
    victim_churn(500);
    for (int i = 0; i < 10; i++) {
        pid_t child = clone_like_fork();
        CHECK(child >= 0);
        if (child == 0) {
            victim_churn(500);
            _exit(victim_failures ? 99 : 20 + i);
        }
        victim_churn(500);
        CHECK(victim_wait(child) == 20 + i);
    }
    /* Shares our memory, on a stack of its own, as runtimes start programs. */
    size_t size = 64 * 1024;
    char *stack = malloc(size);
    int code = 17;
    pid_t child = clone(only_exits, stack + size, CLONE_VM | CLONE_VFORK | SIGCHLD, &code);
    CHECK(child > 0 && victim_wait(child) == 17);
    /* The same without waiting for it: both run in one address space. */
    child = clone(only_exits, stack + size, CLONE_VM | SIGCHLD, &code);
    victim_churn(500);
    CHECK(child > 0 && victim_wait(child) == 17);
    free(stack);
    return victim_end();
}
