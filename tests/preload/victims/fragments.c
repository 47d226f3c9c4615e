/*
 * A program whose resident memory rises although what it holds does not: one after the other, its
 * threads take some megabytes from glibc in small pieces and give all back but the last, which
 * keeps the arena of the thread from shrinking. Each thread has an arena of its own.
 *
 *     fragments SECONDS
 */
#include <malloc.h>
#include <pthread.h>

#include "victim.h"

enum { ARENAS = 60, BLOCKS = 64, BLOCK_BYTES = 60000, STEP_MS = 120 };

static pthread_mutex_t turns[ARENAS];
static int seconds = 5;

static void *fragment(void *argument)
{
    static char *pins[ARENAS];
    char *blocks[BLOCKS];
    int turn = (int)(intptr_t)argument;

    free(malloc(1)); /* the thread has its arena */
    pthread_mutex_lock(&turns[turn]);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    pins[turn] = malloc(200); /* of a size that nothing was freed of */
    KEEP(pins[turn]);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    victim_sleep_ms(seconds * 1000L);
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t threads[ARENAS];

    if (count > 1)
        seconds = atoi(arguments[1]);
    mallopt(M_ARENA_MAX, 2 * ARENAS);
    for (int i = 0; i < ARENAS; i++) {
        pthread_mutex_init(&turns[i], NULL);
        pthread_mutex_lock(&turns[i]);
        CHECK(pthread_create(&threads[i], NULL, fragment, (void *)(intptr_t)i) == 0);
    }
    for (int i = 0; i < ARENAS; i++) {
        pthread_mutex_unlock(&turns[i]);
        victim_sleep_ms(STEP_MS);
        if (i * STEP_MS > seconds * 1000)
            break;
    }
    _exit(victim_end());
}
