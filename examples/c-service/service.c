/*
 * A small TCP service in plain C: it knows nothing of leakshim and makes no calls to it.
 *
 * A client connects, sends one line and gets it back. A client that says QUIT is signed off by the
 * service; any other simply goes away. The leak: session_close() returns a session's memory only on
 * the first of these ways, and most clients take the second. With --fixed both ways are the same.
 *
 *   service [--fixed] [--port=N] [--load=CONNECTIONS_PER_SECOND] [--seconds=N]
 *
 * --load makes the service its own client on loopback, so that one command shows the leak.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "session.h"

struct options {
    bool fixed;
    unsigned port;
    unsigned load;
    unsigned seconds;
};

static atomic_bool stopping;
static atomic_ulong sessions_served;

static bool session_serve(struct session *session)
{
    ssize_t length = recv(session->connection, session->line, sizeof(session->line) - 1, 0);

    if (length <= 0)
        return false;
    session->line[length] = '\0';
    memcpy(session->history, session->line, (size_t)length + 1);
    if (send(session->connection, session->line, (size_t)length, MSG_NOSIGNAL) != length)
        return false;
    return strncmp(session->line, "QUIT", 4) == 0;
}

static int connection_make(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connection >= 0 && connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0)
        return connection;
    if (connection >= 0)
        close(connection);
    return -1;
}

/* Opens connections at a steady rate against the clock; one in ten signs off. */
static void *make_load(void *argument)
{
    const struct options *options = argument;
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    for (unsigned long made = 0; !atomic_load(&stopping); made++) {
        const char *line = made % 10 == 0 ? "QUIT\n" : "hello\n";
        char answer[LINE_MAX_BYTES];
        int connection = connection_make(options->port);

        if (connection >= 0) {
            if (send(connection, line, strlen(line), MSG_NOSIGNAL) > 0)
                recv(connection, answer, sizeof(answer), 0);
            close(connection);
        }
        next.tv_nsec += 1000000000L / (long)options->load;
        if (next.tv_nsec >= 1000000000L) {
            next.tv_nsec -= 1000000000L;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    return NULL;
}

static int listen_on(struct options *options)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)options->port)};
    socklen_t length = sizeof(address);
    struct timeval patience = {.tv_usec = 100000};
    int yes = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        perror("service");
        exit(1);
    }
    options->port = ntohs(address.sin_port);
    return listener;
}

static void serve(int listener, const struct options *options)
{
    time_t end = time(NULL) + options->seconds;

    while (options->seconds == 0 || time(NULL) < end) {
        int connection = accept(listener, NULL, NULL);
        struct session *session;

        if (connection < 0)
            continue;
        session = session_open(connection);
        if (session == NULL) {
            close(connection);
            continue;
        }
        session_close(session, session_serve(session), options->fixed);
        atomic_fetch_add(&sessions_served, 1);
    }
}

static struct options parse(int argc, char **argv)
{
    static const struct option names[] = {{"fixed", no_argument, NULL, 'f'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"load", required_argument, NULL, 'l'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {0};
    int chosen;

    while ((chosen = getopt_long(argc, argv, "", names, NULL)) != -1) {
        unsigned value = optarg != NULL ? (unsigned)strtoul(optarg, NULL, 10) : 0;

        if (chosen == 'f')
            options.fixed = true;
        else if (chosen == 'p')
            options.port = value;
        else if (chosen == 'l')
            options.load = value;
        else if (chosen == 's')
            options.seconds = value;
        else
            exit(2);
    }
    return options;
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    int listener = listen_on(&options);
    pthread_t loader;

    printf("listening on %u\n", options.port);
    fflush(stdout);
    if (options.load > 0 && pthread_create(&loader, NULL, make_load, &options) != 0) {
        fprintf(stderr, "service: no thread for the load\n");
        return 1;
    }
    serve(listener, &options);
    atomic_store(&stopping, true);
    close(listener);
    if (options.load > 0)
        pthread_join(loader, NULL);
    printf("%lu sessions served\n", atomic_load(&sessions_served));
    return 0;
}
