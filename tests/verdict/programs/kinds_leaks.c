/* Sockets, files, mappings and connections that are not given back. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "service.h"

static struct sockaddr_in loopback;

/* A bound port; it refuses until somebody listens. */
static int bind_port(void)
{
    socklen_t length = sizeof(loopback);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&loopback, sizeof(loopback)) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&loopback, &length) == 0);
    return listener;
}

/* Each attempt is refused, and its socket kept. */
SITE static void connect_upstream(void)
{
    int upstream = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(upstream >= 0);
    CHECK(connect(upstream, (struct sockaddr *)&loopback, sizeof(loopback)) < 0);
}

static void retried(void)
{
    bind_port();
    serve(10, connect_upstream);
}

/* A server that never closes what its clients have left. */
SITE static void accept_client(int listener)
{
    while (accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) >= 0)
        ;
}

SITE static void visit(void)
{
    int client = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(client >= 0);
    CHECK(connect(client, (struct sockaddr *)&loopback, sizeof(loopback)) == 0);
    close(client);
}

static void accepted(void)
{
    struct pace visits = {0};
    int listener = bind_port();

    CHECK(listen(listener, 100) == 0 && fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    for (;;) {
        for (unsigned left = due(&visits, 10); left > 0; left--)
            visit();
        accept_client(listener);
        tick();
    }
}

/* An address is asked for over a new socket each time; one answer in five is not waited for. */
SITE static void ask_name(void)
{
    int question = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    CHECK(question >= 0);
    if (chance(5) != 0)
        close(question);
}

static void datagrams(void)
{
    serve(50, ask_name);
}

/* An epoll server that closes its connections and forgets what it allocated for them. */
struct connection {
    int descriptor;
    char buffer[8000];
};

SITE static struct connection *open_connection(int descriptor)
{
    struct connection *connection = filled(malloc(sizeof(*connection)), sizeof(*connection));

    connection->descriptor = descriptor;
    return connection;
}

static void *visit_for_ever(void *unused)
{
    struct pace visits = {0};

    for (;;) {
        for (unsigned left = due(&visits, 50); left > 0; left--)
            visit();
        tick();
    }
    return unused;
}

static void take_clients(int epoll, int listener)
{
    struct epoll_event event = {.events = EPOLLIN};
    int client;

    while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        event.data.ptr = open_connection(client);
        CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event) == 0);
    }
}

static void connections(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int listener = bind_port();
    int epoll = epoll_create1(0);
    pthread_t visitor;

    CHECK(listen(listener, 100) == 0 && fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0);
    CHECK(pthread_create(&visitor, NULL, visit_for_ever, NULL) == 0);
    for (;;) {
        if (epoll_wait(epoll, &event, 1, -1) < 1)
            continue;
        if (event.data.ptr == NULL) {
            take_clients(epoll, listener);
        } else {
            struct connection *connection = event.data.ptr;

            if (read(connection->descriptor, connection->buffer, 1) <= 0)
                close(connection->descriptor);
        }
    }
}

/* The settings are looked at again and again. */
SITE static void read_settings(void)
{
    int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    char byte;

    CHECK(file >= 0);
    CHECK(read(file, &byte, 1) == 1);
}

static void settings(void)
{
    serve(12, read_settings);
}

/* A stream that is not closed keeps its block, and its buffer, too. */
SITE static void read_line(void)
{
    FILE *file = fopen("/etc/passwd", "re");
    char line[200];

    CHECK(file != NULL);
    CHECK(fgets(line, sizeof(line), file) != NULL);
}

static void streams(void)
{
    serve(12, read_line);
}

/* One end of each pipe is closed. */
SITE static void run_filter(void)
{
    int ends[2];

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    close(ends[1]);
}

static void pipes(void)
{
    serve(10, run_filter);
}

SITE static void wake_up(void)
{
    int event = eventfd(0, EFD_CLOEXEC);

    CHECK(event >= 0);
    if (chance(4) != 0)
        close(event);
}

static void events(void)
{
    serve(40, wake_up);
}

SITE static void *map_pages(size_t bytes)
{
    return filled(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                  bytes);
}

/* A window of 128 KiB is mapped for each import and stays. */
static void step_import(void)
{
    (void)map_pages(128 * 1024);
}

static void mappings(void)
{
    serve(5, step_import);
}

/* All but the last four pages are given back. */
static void step_part(void)
{
    char *pages = map_pages(256 * 1024);

    CHECK(munmap(pages, 240 * 1024) == 0);
}

static void partly(void)
{
    serve(15, step_part);
}

/* One mapping in ten of those that come and go is forgotten. */
static void step_hidden(void)
{
    static void *windows[20];
    unsigned at = chance(20);

    if (windows[at] != NULL && chance(10) != 0)
        CHECK(munmap(windows[at], 64 * 1024) == 0);
    windows[at] = map_pages(64 * 1024);
}

static void mapped_churn(void)
{
    serve(60, step_hidden);
}

/* Shared memory whose descriptor is closed and whose mapping stays. */
SITE static void share_frame(void)
{
    int memory = memfd_create("frame", MFD_CLOEXEC);

    CHECK(memory >= 0 && ftruncate(memory, 64 * 1024) == 0);
    (void)filled(mmap(NULL, 64 * 1024, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0), 64 * 1024);
    close(memory);
}

static void shared(void)
{
    serve(8, share_frame);
}

static const struct service_case cases[] = {
    {"retried", retried},
    {"accepted", accepted},
    {"datagrams", datagrams},
    {"connections", connections},
    {"settings", settings},
    {"streams", streams},
    {"pipes", pipes},
    {"events", events},
    {"mappings", mappings},
    {"partly", partly},
    {"mapped_churn", mapped_churn},
    {"shared", shared},
};

int main(int argc, char **argv)
{
    return RUN_CASE(cases, argc, argv);
}
