/* Programs that leak until a limit stops them; tests/verdict/limits.py sets it. The rate is in
 * bytes a second. Where malloc fails they say "limit" and end with status 0. */
#include "service.h"

#include <pthread.h>

#define SMALL_BYTES 256
#define LARGE_BYTES 16384

static double rate;

static void *or_end(void *block)
{
    if (block == NULL) {
        CHECK(write(STDOUT_FILENO, "limit\n", 6) == 6);
        _exit(0);
    }
    return block;
}

/* A record of each request. */
SITE static void keep_record(void)
{
    memset(or_end(malloc(SMALL_BYTES)), 0x5a, SMALL_BYTES);
}

/* A buffer of which only the first page is ever used: addresses run out before memory. */
SITE static void keep_buffer(void)
{
    memset(or_end(malloc(LARGE_BYTES)), 0x5a, 64);
}

/* Beside it, memory that is given back. */
SITE static void serve_request(void)
{
    char *body = or_end(malloc(4096));

    memset(body, 0x5a, 4096);
    free(body);
}

static void leak(double pieces_per_s, void (*step)(void))
{
    struct pace pace = {0};

    for (;;) {
        for (unsigned left = due(&pace, pieces_per_s); left > 0; left--)
            step();
        serve_request();
        tick();
    }
}

static void records(void)
{
    leak(rate / SMALL_BYTES, keep_record);
}

static void buffers(void)
{
    leak(rate / LARGE_BYTES, keep_buffer);
}

static void *work(void *argument)
{
    records();
    return argument;
}

/* In a thread other than the first, whose arenas glibc reserves 64 MiB at a time. */
static void thread(void)
{
    pthread_t worker;

    CHECK(pthread_create(&worker, NULL, work, NULL) == 0);
    pthread_join(worker, NULL);
}

static const struct service_case cases[] = {
    {"records", records}, {"buffers", buffers}, {"thread", thread}};

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    rate = atof(argv[2]);
    return RUN_CASE(cases, 2, argv);
}
