/* Thousands of short threads; each leaves its block to be freed by a thread born later. */
#include <pthread.h>

#include "victim.h"

enum { ROUNDS = 150, THREADS = 16 };

static char *handed[THREADS];

static void *take_and_leave(void *argument)
{
    size_t own = (size_t)(uintptr_t)argument;
    char *left = handed[(own + 1) % THREADS];
    CHECK(left == NULL || left[99] == 42);
    return left;
}

static void *leave(void *argument)
{
    char *block = malloc(100);
    memset(block, 42, 100);
    handed[(size_t)(uintptr_t)argument] = block;
    return NULL;
}

static void run_all(void *(*body)(void *), int free_result)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i) == 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        CHECK(pthread_join(threads[i], &result) == 0);
        if (free_result)
            free(result);
    }
}

int main(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        run_all(leave, 0);
        run_all(take_and_leave, 1);
    }
    return victim_end();
}
