/* Threads on the smallest stacks the C library allows, and one that allocates when little of its
 * stack is left. Both have room for malloc itself, and little more. */
#include <limits.h>
#include <pthread.h>

#include "victim.h"

enum { DEEP_STACK = 256 * 1024, LEFT = 16 * 1024 };

static char *stack_limit;

static void *allocate_a_little(void *argument)
{
    for (int i = 0; i < 200; i++) {
        char *block = malloc(100 + (size_t)i);
        CHECK(block != NULL);
        block[0] = 1;
        block = realloc(block, 3000);
        CHECK(block != NULL && block[0] == 1);
        free(block);
    }
    return argument;
}

VICTIM_FUNCTION static int descend(int depth)
{
    char here[256];
    KEEP(here);
    if (here - stack_limit > LEFT)
        return descend(depth + 1) + 1;
    allocate_a_little(NULL);
    return here[0] = 1;
}

static void *go_deep(void *stack)
{
    stack_limit = stack;
    CHECK(descend(0) > 100);
    return stack;
}

static void run_on(void *(*body)(void *), size_t size)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *stack = NULL;
    CHECK(posix_memalign(&stack, 4096, size) == 0);
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstack(&attributes, stack, size) == 0);
    CHECK(pthread_create(&thread, &attributes, body, stack) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attributes);
    free(stack);
}

int main(void)
{
    for (int i = 0; i < 20; i++) {
        run_on(allocate_a_little, (size_t)PTHREAD_STACK_MIN);
        run_on(go_deep, DEEP_STACK);
    }
    return victim_end();
}
