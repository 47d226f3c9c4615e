/* Leaves signal handlers by siglongjmp, over and over, and deep calls by longjmp; the jumps never
 * leave a malloc of ours half done. */
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#include "victim.h"

static sigjmp_buf back;
static volatile sig_atomic_t armed;

static void jump_out(int number)
{
    (void)number;
    if (armed) {
        armed = 0;
        siglongjmp(back, 1);
    }
}

VICTIM_FUNCTION static void deep_then_jump(int depth, jmp_buf *out)
{
    char *block = malloc(64);
    KEEP(block);
    free(block);
    if (depth == 0)
        longjmp(*out, 5);
    deep_then_jump(depth - 1, out);
    KEEP(out);
}

int main(void)
{
    struct sigaction action = {.sa_handler = jump_out};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval every = {{0, 1000}, {0, 1000}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    for (volatile int i = 0; i < 100; i++) {
        if (sigsetjmp(back, 1) == 0) {
            victim_churn(20);
            armed = 1;
            for (;;)
                ;
        }
        victim_churn(20);
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    for (volatile int i = 0; i < 200; i++) {
        jmp_buf out;
        int value = setjmp(out);
        if (value == 0)
            deep_then_jump(60, &out);
        CHECK(value == 5);
    }
    return victim_end();
}
