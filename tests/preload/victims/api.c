/* A program that uses the whole C interface: resources of its own, marks, growth. Linked, so that
 * it runs alike with the library switched off. Says what it measured. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "leakshim/leakshim.h"
#include "victim.h"

#define LISTENERS 40

static uint64_t listeners[LISTENERS];

VICTIM_FUNCTION static void add_listener(int i)
{
    errno = 77;
    listeners[i] = leakshim_acquire(100);
    CHECK(errno == 77);
}

/* Two names at one place. */
VICTIM_FUNCTION static uint64_t add_named(const char *kind)
{
    uint64_t handle;

    errno = 77;
    handle = leakshim_acquire_named(kind, 0);
    CHECK(errno == 77);
    return handle;
}

VICTIM_FUNCTION static void add_several(const char *kind, int count)
{
    for (int i = 0; i < count; i++)
        add_named(kind);
}

VICTIM_FUNCTION static void add_listeners(int count)
{
    for (int i = 0; i < count; i++)
        add_listener(i);
}

static struct leakshim_live growth_since(const struct leakshim_live *mark)
{
    struct leakshim_live growth = {.size = sizeof(growth)};
    int status = leakshim_growth_since(mark, &growth);

    CHECK(status == 0 || status == -ENOTSUP);
    return growth;
}

int main(void)
{
    struct leakshim_live mark = {.size = sizeof(mark)};
    struct leakshim_live broken = {.size = 0};
    struct leakshim_live growth;
    char *blocks[10];
    int files[3];
    int sockets[2];

    CHECK(leakshim_mark(&broken) == -EINVAL);
    leakshim_mark(&mark);
    for (int i = 0; i < 1000; i++)
        free(malloc((size_t)i));
    growth = growth_since(&mark);
    SAY("loop %ld bytes %ld blocks\n", (long)growth.heap_bytes, (long)growth.heap_count);

    for (int i = 0; i < 10; i++)
        blocks[i] = malloc(1000);
    for (int i = 0; i < 3; i++)
        files[i] = open("/dev/null", O_RDONLY);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    add_listeners(LISTENERS);
    growth = growth_since(&mark);
    SAY("kept %ld bytes %ld blocks %ld files %ld sockets %ld listeners %ld bytes\n",
        (long)growth.heap_bytes, (long)growth.heap_count, (long)growth.file_count,
        (long)growth.socket_count, (long)growth.custom_count, (long)growth.custom_bytes);
    CHECK(growth.taken_ns >= 0);
    leakshim_flush();

    for (int i = 0; i < 10; i++)
        free(blocks[i]);
    for (int i = 0; i < 3; i++)
        close(files[i]);
    close(sockets[0]);
    close(sockets[1]);
    for (int i = 0; i < LISTENERS; i++)
        leakshim_release(listeners[i]);
    leakshim_release(0);
    growth = growth_since(&mark);
    SAY("left %ld bytes %ld files %ld sockets %ld listeners\n", (long)growth.heap_bytes,
        (long)growth.file_count, (long)growth.socket_count, (long)growth.custom_count);
    add_listeners(4);
    add_several("rows", 4);
    add_several("queue \"items\"", 2);
    leakshim_release(add_named("rows"));
    return victim_end();
}
