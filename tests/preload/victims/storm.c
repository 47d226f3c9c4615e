/* Four threads allocate, resize and free each other's blocks and look at every byte they own. */
#include <malloc.h>
#include <pthread.h>

#include "victim.h"

enum { THREADS = 4, SLOTS = 256, STEPS = 15000 };

struct block {
    size_t size;
    unsigned char mark;
    unsigned char bytes[];
};

static struct block *slots[SLOTS];

static void check_whole(const struct block *block)
{
    for (size_t i = 0; i < block->size; i++)
        if (block->bytes[i] != block->mark) {
            CHECK(!"a byte changed");
            return;
        }
}

static struct block *make(uint64_t *state)
{
    uint64_t draw = victim_random(state);
    size_t size = draw % 100 == 0 ? draw % 200000 : draw % 600;
    struct block *block = NULL;
    void *aligned = NULL;
    if (draw % 7 == 0)
        block = calloc(1, sizeof *block + size);
    else if (draw % 11 == 0 && posix_memalign(&aligned, 256, sizeof *block + size) == 0)
        block = aligned;
    else
        block = malloc(sizeof *block + size);
    block->size = size;
    block->mark = (unsigned char)draw;
    memset(block->bytes, block->mark, size);
    return block;
}

static struct block *resize(struct block *block, size_t size)
{
    size_t old = block->size;
    block = realloc(block, sizeof *block + size);
    if (size > old)
        memset(block->bytes + old, block->mark, size - old);
    block->size = size;
    return block;
}

static void *body(void *argument)
{
    uint64_t state = 88172645463325252u + (uint64_t)(uintptr_t)argument;
    for (int step = 0; step < STEPS; step++) {
        size_t slot = victim_random(&state) % SLOTS;
        struct block *block = __atomic_exchange_n(&slots[slot], NULL, __ATOMIC_ACQ_REL);
        if (block == NULL) {
            block = make(&state);
        } else {
            check_whole(block);
            if (victim_random(&state) % 3 == 0) {
                block = resize(block, victim_random(&state) % 2000);
                check_whole(block);
            } else {
                free(block);
                block = NULL;
            }
        }
        if (block != NULL)
            free(__atomic_exchange_n(&slots[slot], block, __ATOMIC_ACQ_REL));
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)(i * 977)) == 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i] != NULL)
            check_whole(slots[i]);
        free(slots[i]);
    }
    return victim_end();
}
