/*
 * A test of the service's sessions, linked with leakshim: it opens and closes a few hundred and
 * asserts that nothing is left. With --fixed it passes, without it says how much each session
 * leaves.
 *
 * Sessions are counted twice: as blocks and descriptors, which leakshim sees by itself, and as a
 * resource of the program's own, with leakshim_acquire.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "leakshim/leakshim.h"
#include "session.h"

#define SESSIONS 200

/* One client in ten signs off; the others just go away. */
static int serve_session(int number, bool fixed)
{
    uint64_t handle;
    struct session *session;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return -errno;
    session = session_open(ends[0]);
    if (session == NULL)
        return -ENOMEM;
    handle = leakshim_acquire(sizeof(*session));
    session_close(session, number % 10 == 0, fixed);
    close(ends[1]);
    if (number % 10 == 0 || fixed)
        leakshim_release(handle);
    return 0;
}

int main(int count, char **values)
{
    struct leakshim_live mark = {.size = sizeof(mark)};
    struct leakshim_live growth = {.size = sizeof(growth)};
    bool fixed = count > 1 && strcmp(values[1], "--fixed") == 0;
    int status;

    status = serve_session(0, true); /* what the first one sets up is no growth */
    if (status == 0)
        status = leakshim_mark(&mark);
    for (int i = 0; status == 0 && i < SESSIONS; i++)
        status = serve_session(i, fixed);
    if (status == 0)
        status = leakshim_growth_since(&mark, &growth);
    if (status == 0)
        status = leakshim_flush();
    if (status != 0) {
        fprintf(stderr, "growth_test: %s\n", strerror(-status));
        return 2;
    }
    printf("%d sessions leave %lld bytes in %lld blocks, %lld sockets, %lld sessions\n", SESSIONS,
           (long long)growth.heap_bytes, (long long)growth.heap_count,
           (long long)growth.socket_count, (long long)growth.custom_count);
    return growth.heap_count == 0 && growth.socket_count == 0 && growth.custom_count == 0 ? 0 : 1;
}
