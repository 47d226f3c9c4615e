/*
 * Calls that open and connect sockets, and descriptors that come through them.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/compiler.h"
#include "capture/connections.h"
#include "capture/descriptors.h"
#include "interpose/hooks.h"
#include "system/clock.h"
#include "system/real.h"

LS_EXPORT int socket(int domain, int type, int protocol);
LS_EXPORT int socketpair(int domain, int type, int protocol, int ends[2]);
LS_EXPORT int accept(int listener, struct sockaddr *address, socklen_t *length);
LS_EXPORT int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);
LS_EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length);
LS_EXPORT int getsockopt(int fd, int level, int option, void *value, socklen_t *length);
LS_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags);
LS_EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                       struct timespec *timeout);

static int opened(int fd)
{
    ls_descriptor_opened(fd, LS_RESOURCE_SOCKET);
    return fd;
}

int socket(int domain, int type, int protocol)
{
    return opened(LS_REAL(socket)(domain, type, protocol));
}

int socketpair(int domain, int type, int protocol, int ends[2])
{
    int status = LS_REAL(socketpair)(domain, type, protocol, ends);

    if (status == 0) {
        opened(ends[0]);
        opened(ends[1]);
    }
    return status;
}

int accept(int listener, struct sockaddr *address, socklen_t *length)
{
    int fd = opened(LS_REAL(accept)(listener, address, length));

    ls_connection_accepted(listener, fd);
    ls_connections_ask();
    return fd;
}

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags)
{
    int fd = opened(LS_REAL(accept4)(listener, address, length, flags));

    ls_connection_accepted(listener, fd);
    ls_connections_ask();
    return fd;
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    uint64_t begun_ns = ls_clock_monotonic_ns();
    int status = LS_REAL(connect)(fd, address, length);

    ls_connection_attempted(fd, address, length, status == 0 ? 0 : errno, begun_ns);
    ls_connections_ask();
    return status;
}

/* SO_ERROR is how a program learns what became of a connect that did not wait. */
int getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    int status = LS_REAL(getsockopt)(fd, level, option, value, length);

    if (level == SOL_SOCKET && option == SO_ERROR && status == 0 && *length == sizeof(int)) {
        int error;

        memcpy(&error, value, sizeof(error));
        ls_connection_told(fd, error);
    }
    return status;
}

/* Descriptors another process, or this one, has sent (SCM_RIGHTS, unix(7)). */
static void received(const struct msghdr *message)
{
    struct cmsghdr *part;

    if (message->msg_controllen == 0)
        return;
    for (part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR((struct msghdr *)message, part)) {
        size_t bytes = part->cmsg_len - CMSG_LEN(0);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS ||
            part->cmsg_len < CMSG_LEN(0))
            continue;
        for (size_t i = 0; i < bytes / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof(fd), sizeof(fd));
            ls_descriptor_received(fd);
        }
    }
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t length = LS_REAL(recvmsg)(fd, message, flags);

    if (length >= 0)
        received(message);
    return length;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    int received_count = LS_REAL(recvmmsg)(fd, messages, count, flags, timeout);

    for (int i = 0; i < received_count; i++)
        received(&messages[i].msg_hdr);
    return received_count;
}
