/*
 * A small service: an epoll loop that a timer wakes a hundred times a second to serve requests. A
 * new session is opened for each; nothing ever closes one, unless "fixed" is given: then the oldest
 * goes when 256 are open.
 *
 *     victim_leaky_service leaking|fixed REQUESTS_PER_SECOND SESSION_BYTES SECONDS
 */
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "victim.h"

enum { TICKS_PER_SECOND = 100, OPEN_AT_MOST = 256 };

struct session {
    struct session *newer;
    size_t size;
    char data[];
};

static struct session *oldest, *newest;
static size_t open_sessions, session_bytes;
static int fixed;

VICTIM_FUNCTION static struct session *session_open(void)
{
    struct session *session = malloc(session_bytes);
    CHECK(session != NULL);
    memset(session, 0, session_bytes);
    session->size = session_bytes;
    return session;
}

VICTIM_FUNCTION static void session_close_oldest(void)
{
    struct session *closed = oldest;
    oldest = closed->newer;
    open_sessions--;
    free(closed);
}

VICTIM_FUNCTION static void request_serve(void)
{
    char *body = malloc(4000);
    memset(body, 1, 4000);
    struct session *session = session_open();
    if (newest != NULL && oldest != NULL)
        newest->newer = session;
    else
        oldest = session;
    newest = session;
    open_sessions++;
    if (fixed && open_sessions > OPEN_AT_MOST)
        session_close_oldest();
    KEEP(body);
    free(body);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    fixed = strcmp(argv[1], "fixed") == 0;
    long per_tick = atol(argv[2]) / TICKS_PER_SECOND;
    session_bytes = (size_t)atol(argv[3]);
    double end = victim_seconds() + atof(argv[4]);

    int loop = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec every = {{0, 1000000000 / TICKS_PER_SECOND},
                               {0, 1000000000 / TICKS_PER_SECOND}};
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(loop >= 0 && timer >= 0 && timerfd_settime(timer, 0, &every, NULL) == 0);
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event) == 0);
    while (victim_seconds() < end) {
        uint64_t ticks = 0;
        if (epoll_wait(loop, &event, 1, 1000) != 1 || read(timer, &ticks, sizeof ticks) != 8)
            continue;
        for (uint64_t i = 0; i < ticks * (uint64_t)per_tick; i++)
            request_serve();
    }
    return victim_end();
}
