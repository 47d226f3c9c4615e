/* A host that survives its own stack overflows: SIGSEGV on an alternate stack, allocation there,
 * and a jump back. The fault comes from the host's own frames, never from inside malloc. */
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>

#include "victim.h"

enum { ALTERNATE_SIZE = 64 * 1024 };

static sigjmp_buf back;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    CHECK(number == SIGSEGV && info->si_addr != NULL);
    victim_churn(50);
    siglongjmp(back, 1);
}

VICTIM_FUNCTION static int overflow(int depth)
{
    volatile char here[4096];
    here[0] = (char)depth;
    return overflow(depth + 1) + here[0];
}

int main(void)
{
    struct rlimit small = {256 * 1024, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_STACK, &small) == 0);
    stack_t stack = {.ss_sp = malloc(ALTERNATE_SIZE), .ss_size = ALTERNATE_SIZE};
    CHECK(sigaltstack(&stack, NULL) == 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    volatile int survived = 0;
    for (volatile int i = 0; i < 5; i++) {
        if (sigsetjmp(back, 1) == 0)
            overflow(0);
        else
            survived++;
        victim_churn(50);
    }
    SAY("survived %d\n", survived);
    return victim_end();
}
