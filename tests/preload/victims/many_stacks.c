/*
 * Allocates from very many different call stacks: STACKS of them, each of THREADS threads the same
 * ones, a block from each, and keeps them all for LINGER_MS.
 *
 *     victim_many_stacks STACKS THREADS LINGER_MS [tell | grow]
 *
 * With "tell" it says what it holds and how large it became, as one JSON object, and ends without
 * giving anything back. With "grow" every stack keeps one block more every 200 ms; what a summary
 * with many rising sites costs is measured by it (docs/limits.md).
 */
#include <fcntl.h>
#include <pthread.h>

#include "victim.h"

enum { LEVELS = 20, THREADS_MAX = 64, ROUND_MS = 200 };

static size_t block_bytes = 64;

/* Calls that the compiler must not fold into one. */
#define CALL(number, call)                                                                         \
    block = call;                                                                                  \
    __asm__ volatile("# call " #number)

/* Each bit of `path` decides where the next level is called from. Two functions in turn: direct
 * recursion counts once in a site, whatever its depth. */
VICTIM_FUNCTION static void *many_even(size_t path, unsigned level);

VICTIM_FUNCTION static void *many_odd(size_t path, unsigned level)
{
    void *block;

    if (level == 0) {
        CALL(0, malloc(block_bytes));
    } else if (path & 1) {
        CALL(1, many_even(path >> 1, level - 1));
    } else {
        CALL(2, many_even(path >> 1, level - 1));
    }
    return block;
}

VICTIM_FUNCTION static void *many_even(size_t path, unsigned level)
{
    void *block;

    if (level == 0) {
        CALL(3, malloc(block_bytes));
    } else if (path & 1) {
        CALL(4, many_odd(path >> 1, level - 1));
    } else {
        CALL(5, many_odd(path >> 1, level - 1));
    }
    return block;
}

static size_t stacks;
static long linger_ms;
static int grows;
static void **held;

static void take_all(void **own)
{
    for (size_t i = 0; i < stacks; i++) {
        own[i] = many_even(i, LEVELS);
        CHECK(own[i] != NULL);
        memset(own[i], (int)(i & 0xff), block_bytes);
    }
}

static void *run(void *argument)
{
    void **own = held + (size_t)(uintptr_t)argument * stacks;
    long left_ms = linger_ms;

    take_all(own);
    for (; grows && left_ms > ROUND_MS; left_ms -= ROUND_MS) {
        victim_sleep_ms(ROUND_MS);
        take_all(own); /* what was held is lost */
    }
    victim_sleep_ms(left_ms);
    return NULL;
}

/* Kilobytes of a line of /proc/self/status, read without a block of the heap. */
static long status_kilobytes(const char *key)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    const char *line;

    close(fd);
    text[length > 0 ? length : 0] = '\0';
    line = strstr(text, key);
    return line == NULL ? -1 : atol(line + strlen(key));
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    size_t count = argc < 4 ? 0 : (size_t)atol(argv[2]);

    if (count == 0 || count > THREADS_MAX)
        return 2;
    stacks = (size_t)atol(argv[1]);
    linger_ms = atol(argv[3]);
    grows = argc > 4 && strcmp(argv[4], "grow") == 0;
    if (grows)
        block_bytes = 512 / count; /* a stack grows by more than what is told at all */
    held = calloc(stacks * count, sizeof *held);
    for (size_t i = 1; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i) == 0);
    run(NULL);
    for (size_t i = 1; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    if (argc > 4 && !grows) {
        SAY("{\"blocks\": %zu, \"bytes\": %zu, \"peak_bytes\": %ld}\n", stacks * count,
            stacks * count * (block_bytes + sizeof *held), status_kilobytes("VmHWM:") * 1024);
        return victim_end();
    }
    for (size_t i = 0; i < stacks * count; i++) {
        CHECK(*(unsigned char *)held[i] == (unsigned char)(i % stacks));
        free(held[i]);
    }
    free(held);
    return victim_end();
}
