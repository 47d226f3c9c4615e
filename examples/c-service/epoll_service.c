/*
 * A small HTTP service on epoll that links leakshim and uses it.
 *
 *   GET /jobs/TEXT   queues a job and answers when it has been worked off
 *   GET /mark        remembers what is alive
 *   GET /growth      what is alive now less what was at the mark, as JSON
 *   GET /flush       writes a summary now; the signal USR1 does the same
 *
 * A client that goes away before its answer abandons its job, and with that the job leaks; not with
 * --fixed.
 *
 *   epoll_service [--fixed] [--port=N] [--test=REQUESTS]
 *
 * --test: marks after a tenth of so many requests, ends after all of them, and exits with 1 when
 * anything is left. LEAKSHIM_OPTIONS=mode=exact makes the blocks exact too.
 */
#define _GNU_SOURCE /* accept4 */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <leakshim/leakshim.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "jobs.h"

enum { REQUEST_BYTES = 1024, EVENTS_AT_ONCE = 64, TICK_NS = 20000000 };

struct connection {
    int fd;
    uint64_t handle;
    struct job *job; /* NULL: none waits */
    size_t length;
    char request[REQUEST_BYTES];
};

struct service {
    int epoll;
    int listener;
    int ticks;
    int signals;
    bool ending;
    unsigned long test_requests; /* 0: no test */
    unsigned long served;
    unsigned open;
    bool marked;
    struct leakshim_live mark;
    struct jobs jobs;
};

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void watch(const struct service *service, int fd, void *data, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = data};

    if (epoll_ctl(service->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

static void end_connection(struct service *service, struct connection *connection)
{
    if (connection->job != NULL)
        jobs_abandon(&service->jobs, connection->job);
    leakshim_release(connection->handle);
    close(connection->fd);
    free(connection);
    service->open--;
    service->served++;
}

static void accept_connections(struct service *service)
{
    int fd;

    while ((fd = accept4(service->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof(*connection));

        if (connection == NULL) {
            close(fd);
            return;
        }
        connection->fd = fd;
        connection->handle = leakshim_acquire_named("connections", 0);
        service->open++;
        watch(service, fd, connection, EPOLLIN | EPOLLRDHUP);
    }
}

/* Small enough for any socket's buffer. */
static void answer(const struct connection *connection, int status, const char *format, ...)
{
    char body[512];
    char text[1024];
    va_list arguments;
    int length;

    va_start(arguments, format);
    vsnprintf(body, sizeof(body), format, arguments);
    va_end(arguments);
    length = snprintf(text, sizeof(text), "HTTP/1.0 %d\r\nContent-Length: %zu\r\n\r\n%s", status,
                      strlen(body), body);
    send(connection->fd, text, (size_t)length, MSG_NOSIGNAL);
}

static void answer_status(const struct connection *connection, int status)
{
    if (status == 0)
        answer(connection, 200, "done\n");
    else
        answer(connection, 503, "%s\n", strerror(-status));
}

static int take_mark(struct service *service)
{
    service->mark.size = sizeof(service->mark);
    return leakshim_mark(&service->mark);
}

static int measure_growth(const struct service *service, struct leakshim_live *growth)
{
    growth->size = sizeof(*growth);
    return leakshim_growth_since(&service->mark, growth);
}

static int write_growth(const struct leakshim_live *growth, char *text, size_t size)
{
    return snprintf(text, size,
                    "{\"seconds\":%.3f,\"heap_bytes\":%lld,\"heap_blocks\":%lld,\"sockets\":%lld,"
                    "\"files\":%lld,\"custom\":%lld}\n",
                    (double)growth->taken_ns * 1e-9, (long long)growth->heap_bytes,
                    (long long)growth->heap_count, (long long)growth->socket_count,
                    (long long)growth->file_count, (long long)growth->custom_count);
}

static void answer_growth(const struct service *service, const struct connection *connection)
{
    struct leakshim_live growth;
    char text[512];
    int status = measure_growth(service, &growth);

    if (status != 0) {
        answer_status(connection, status);
        return;
    }
    write_growth(&growth, text, sizeof(text));
    answer(connection, 200, "%s", text);
}

static void serve(struct service *service, struct connection *connection)
{
    char path[REQUEST_BYTES];

    if (sscanf(connection->request, "GET %1023s", path) != 1)
        answer(connection, 400, "only GET\n");
    else if (strcmp(path, "/mark") == 0)
        answer_status(connection, take_mark(service));
    else if (strcmp(path, "/growth") == 0)
        answer_growth(service, connection);
    else if (strcmp(path, "/flush") == 0)
        answer_status(connection, leakshim_flush());
    else if (strncmp(path, "/jobs/", strlen("/jobs/")) == 0)
        connection->job = jobs_add(&service->jobs, connection, path + strlen("/jobs/"));
    else
        answer(connection, 404, "no such thing\n");
}

static void handle_connection(struct service *service, struct connection *connection,
                              uint32_t events)
{
    size_t room = sizeof(connection->request) - 1 - connection->length;
    ssize_t length = recv(connection->fd, connection->request + connection->length, room, 0);
    bool ends = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;

    if (length > 0)
        connection->length += (size_t)length;
    else if (length == 0 || errno != EAGAIN) /* gone, or it says too much */
        ends = true;
    if (connection->job == NULL && strstr(connection->request, "\r\n\r\n") != NULL) {
        serve(service, connection);
        ends = ends || connection->job == NULL;
    }
    if (ends)
        end_connection(service, connection);
}

static void work_off(struct service *service)
{
    struct job *job;

    while ((job = jobs_take(&service->jobs)) != NULL) {
        struct connection *connection = job->owner;
        unsigned sum = 0;

        for (const char *at = job->text; *at != '\0'; at++)
            sum = sum * 31 + (unsigned char)*at;
        jobs_end(job);
        connection->job = NULL;
        answer(connection, 200, "%08x\n", sum);
        end_connection(service, connection);
    }
}

/* Measured while nobody is connected: what is alive then stays. */
static void go_on_with_test(struct service *service)
{
    if (service->test_requests == 0 || service->open > 0)
        return;
    if (!service->marked && service->served >= service->test_requests / 10)
        service->marked = take_mark(service) == 0;
    if (service->served >= service->test_requests)
        service->ending = true;
}

static void read_tick(struct service *service)
{
    uint64_t ticks;

    if (read(service->ticks, &ticks, sizeof(ticks)) != sizeof(ticks))
        return;
    work_off(service);
    go_on_with_test(service);
}

static void read_signal(struct service *service)
{
    struct signalfd_siginfo info;

    if (read(service->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGUSR1)
        leakshim_flush();
    else
        service->ending = true;
}

/* Connections first: what comes after them may end some. */
static void run(struct service *service)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!service->ending) {
        int count = epoll_wait(service->epoll, events, EVENTS_AT_ONCE, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL)
                handle_connection(service, events[i].data.ptr, events[i].events);
        }
        accept_connections(service);
        read_tick(service);
        read_signal(service);
    }
}

static int listen_on(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t length = sizeof(address);
    int yes = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 1024) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        fail("listen");
    printf("listening on %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void begin(struct service *service, unsigned port)
{
    const struct itimerspec tick = {.it_value.tv_nsec = TICK_NS, .it_interval.tv_nsec = TICK_NS};
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    service->epoll = epoll_create1(EPOLL_CLOEXEC);
    service->ticks = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    service->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    service->listener = listen_on(port);
    if (service->epoll < 0 || service->ticks < 0 || service->signals < 0 ||
        timerfd_settime(service->ticks, 0, &tick, NULL) != 0)
        fail("epoll_service");
    watch(service, service->listener, NULL, EPOLLIN);
    watch(service, service->ticks, NULL, EPOLLIN);
    watch(service, service->signals, NULL, EPOLLIN);
}

/* The exit status: 1 when anything is left, 2 when it could not be measured. */
static int judge(const struct service *service)
{
    struct leakshim_live growth;
    char text[512];

    if (!service->marked || measure_growth(service, &growth) != 0) {
        fprintf(stderr, "epoll_service: leakshim is not active, or the test has not begun\n");
        return 2;
    }
    write_growth(&growth, text, sizeof(text));
    fputs(text, stdout);
    return growth.heap_count == 0 && growth.socket_count == 0 && growth.custom_count == 0 ? 0 : 1;
}

int main(int count, char **values)
{
    static const struct option names[] = {{"fixed", no_argument, NULL, 'f'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"test", required_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    struct service service = {0};
    unsigned port = 0;
    bool fixed = false;
    int chosen;

    while ((chosen = getopt_long(count, values, "", names, NULL)) != -1) {
        if (chosen == 'f')
            fixed = true;
        else if (chosen == 'p')
            port = (unsigned)strtoul(optarg, NULL, 10);
        else if (chosen == 't')
            service.test_requests = strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    jobs_init(&service.jobs, fixed);
    begin(&service, port);
    run(&service);
    return service.test_requests > 0 ? judge(&service) : 0;
}
