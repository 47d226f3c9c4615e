/* Coroutines on small stacks that allocate, yield in the middle of it, and outlive each other. */
#include <ucontext.h>

#include "victim.h"

enum { FIBERS = 60, STACK = 64 * 1024, TURNS = 10 };

static ucontext_t scheduler, fibers[FIBERS];
static int turns;

static void fiber(int index)
{
    for (int turn = 0; turn < TURNS; turn++) {
        char *block = malloc(200 + (size_t)index);
        memset(block, index, 200);
        swapcontext(&fibers[index], &scheduler);
        CHECK(block[199] == (char)index);
        victim_churn(10);
        free(block);
        turns++;
    }
}

int main(void)
{
    void *stacks[FIBERS];
    for (int i = 0; i < FIBERS; i++) {
        stacks[i] = malloc(STACK);
        CHECK(getcontext(&fibers[i]) == 0);
        fibers[i].uc_stack.ss_sp = stacks[i];
        fibers[i].uc_stack.ss_size = STACK;
        fibers[i].uc_link = &scheduler;
        makecontext(&fibers[i], (void (*)(void))(uintptr_t)fiber, 1, i);
    }
    for (int round = 0; round <= TURNS; round++)
        for (int i = 0; i < FIBERS; i++)
            CHECK(swapcontext(&scheduler, &fibers[i]) == 0);
    SAY("turns %d\n", turns);
    for (int i = 0; i < FIBERS; i++)
        free(stacks[i]);
    return victim_end();
}
