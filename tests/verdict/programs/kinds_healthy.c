/* Healthy users of sockets, files and mappings. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "service.h"

static struct sockaddr_in loopback;
static int listener;

static void listen_at_port(void)
{
    socklen_t length = sizeof(loopback);

    listener = socket(AF_INET, SOCK_STREAM, 0);
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&loopback, sizeof(loopback)) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&loopback, &length) == 0);
    CHECK(listen(listener, 200) == 0);
}

struct connection {
    int client;
    int server;
    char *buffer;
};

SITE static struct connection connect_database(void)
{
    struct connection made = {.client = socket(AF_INET, SOCK_STREAM, 0)};

    CHECK(made.client >= 0);
    CHECK(connect(made.client, (struct sockaddr *)&loopback, sizeof(loopback)) == 0);
    made.server = accept(listener, NULL, NULL);
    CHECK(made.server >= 0);
    made.buffer = filled(malloc(16000), 16000);
    return made;
}

static void disconnect(struct connection *connection)
{
    close(connection->client);
    close(connection->server);
    free(connection->buffer);
    connection->buffer = NULL;
}

enum { CONNECTIONS = 150 };

static struct connection connections[CONNECTIONS];

/* A pool that fills to sixty connections in the first four seconds; one is renewed now and then. */
static void connection_pool(void)
{
    struct pace pace = {0};
    unsigned open_ones = 0;

    listen_at_port();
    for (;;) {
        for (unsigned left = due(&pace, 15); left > 0; left--) {
            unsigned at = open_ones < 60 ? open_ones++ : chance(60);

            if (connections[at].buffer != NULL)
                disconnect(&connections[at]);
            connections[at] = connect_database();
        }
        tick();
    }
}

/* Clients come and go, some stay longer. */
static void step_visit(void)
{
    unsigned at = chance(CONNECTIONS);

    if (connections[at].buffer != NULL)
        disconnect(&connections[at]);
    else
        connections[at] = connect_database();
}

static void visitors(void)
{
    listen_at_port();
    serve(300, step_visit);
}

/* A hundred connections at once after six seconds, closed one after the other. */
static void connection_burst(void)
{
    struct pace pace = {0};
    unsigned held = 0;
    int came = 0;

    listen_at_port();
    for (;;) {
        struct connection usual = connect_database();

        disconnect(&usual);
        if (!came && seconds_running() > 6) {
            came = 1;
            while (held < CONNECTIONS)
                connections[held++] = connect_database();
        }
        for (unsigned left = due(&pace, 30); left > 0 && held > 0; left--)
            disconnect(&connections[--held]);
        tick();
    }
}

/* Files are opened, read and closed; up to forty are open at once. */
SITE static int open_page(void)
{
    int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

    CHECK(file >= 0);
    return file;
}

static void step_file(void)
{
    static int files[40];
    unsigned at = chance(40);

    if (files[at] != 0)
        close(files[at]);
    files[at] = chance(2) == 0 ? open_page() : 0;
}

static void files_churn(void)
{
    serve(200, step_file);
}

/* A log is turned over twice a second; the five before are kept open. */
SITE static FILE *next_log(void)
{
    FILE *log = fopen("/dev/null", "we");

    CHECK(log != NULL);
    fputs("turned over\n", log);
    fflush(log);
    return log;
}

static void step_log(void)
{
    static FILE *logs[5];
    static unsigned at;

    if (logs[at % 5] != NULL)
        fclose(logs[at % 5]);
    logs[at++ % 5] = next_log();
}

static void logs(void)
{
    serve(2, step_log);
}

SITE static char *map_window(size_t bytes)
{
    return filled(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                  bytes);
}

/* Windows of many sizes, sixteen at a time. */
static void step_window(void)
{
    static char *windows[16];
    static size_t bytes[16];
    unsigned at = chance(16);

    if (windows[at] != NULL)
        CHECK(munmap(windows[at], bytes[at]) == 0);
    bytes[at] = (1 + chance(32)) * 4096;
    windows[at] = map_window(bytes[at]);
}

static void windows(void)
{
    serve(60, step_window);
}

/* One large region is reserved, and committed in steps during the first five seconds. */
static void committed(void)
{
    const size_t step = 256 * 1024;
    char *region = mmap(NULL, 64 * step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct pace pace = {0};
    size_t steps = 0;

    CHECK(region != MAP_FAILED);
    for (;;) {
        if (due(&pace, 4) > 0 && steps < 20) {
            CHECK(mprotect(region + steps * step, step, PROT_READ | PROT_WRITE) == 0);
            memset(region + steps++ * step, 1, step);
        }
        tick();
    }
}

/* A mapping that grows for two seconds and is cut back, over and over. */
static void remapped(void)
{
    size_t bytes = 64 * 1024;
    char *pages = map_window(bytes);
    struct pace pace = {0};

    for (;;) {
        for (unsigned left = due(&pace, 20); left > 0; left--) {
            size_t wanted = bytes >= 40 * 64 * 1024 ? 64 * 1024 : bytes + 64 * 1024;

            pages = mremap(pages, bytes, wanted, MREMAP_MAYMOVE);
            CHECK(pages != MAP_FAILED);
            bytes = wanted;
            memset(pages, 2, bytes);
        }
        tick();
    }
}

static const struct service_case cases[] = {
    {"connection_pool", connection_pool},
    {"visitors", visitors},
    {"connection_burst", connection_burst},
    {"files", files_churn},
    {"logs", logs},
    {"windows", windows},
    {"committed", committed},
    {"remapped", remapped},
};

int main(int argc, char **argv)
{
    return RUN_CASE(cases, argc, argv);
}
