#include "capture/connections.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "capture/descriptors.h"
#include "capture/peers.h"
#include "system/clock.h"
#include "system/syscall.h"

#define CONNECTING  (1u << 30)
#define CONNECTED   (1u << 31)
#define USED        (1u << 29) /* data has moved, or the kernel does not tell */
#define UNUSED      (1u << 28) /* none had moved when the kernel was asked last */
#define PEER(state) ((state) & (UNUSED - 1))

/* Descriptors looked at by one call of a hook: a few system calls where they are all unused. */
#define ASKED_AT_ONCE 16

_Atomic uint32_t ls_connections_asked_end;
static _Atomic uint32_t asked; /* all below this number have been looked at */

_Static_assert(sizeof(struct sockaddr_un) <= LS_PEER_ADDRESS_BYTES, "the longest that is kept");

/* What tells peers apart; other families are one peer each. */
static void normalize(const struct sockaddr *from, socklen_t length,
                      struct ls_peer_address *address)
{
    memset(address, 0, sizeof(*address));
    if (from->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        address->length = offsetof(struct sockaddr_in, sin_zero);
        memcpy(address->bytes, from, address->length);
    } else if (from->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 copy;

        memcpy(&copy, from, sizeof(copy));
        copy.sin6_flowinfo = 0;
        address->length = sizeof(copy);
        memcpy(address->bytes, &copy, sizeof(copy));
    } else if (from->sa_family == AF_UNIX && length <= sizeof(struct sockaddr_un)) {
        address->length = (uint16_t)length;
        memcpy(address->bytes, from, length);
    } else {
        address->length = sizeof(from->sa_family);
        memcpy(address->bytes, &from->sa_family, sizeof(from->sa_family));
    }
}

static bool is_connected(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof(name);

    return ls_sys_call6(SYS_getpeername, fd, (long)&name, (long)&length, 0, 0, 0) == 0;
}

/* The state moves in one step, so that each outcome counts once. Relaxed: the state stands for
 * itself; the record it names was there before. */
static bool move(struct ls_connection *connection, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&connection->state, &from, to,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static void settle(struct ls_connection *connection, uint32_t state, int error)
{
    uint64_t now_ns = ls_clock_monotonic_ns();
    uint64_t begun_ns = ls_load_relaxed(&connection->since_ns);

    if (!move(connection, state, PEER(state) | (error == 0 ? CONNECTED : 0)))
        return;
    if (error != 0) {
        ls_peer_failed(PEER(state), error);
        return;
    }
    ls_peer_connected(PEER(state), now_ns - begun_ns);
    ls_store_relaxed(&connection->since_ns, now_ns);
}

static bool is_under_way(int error)
{
    return error == EINPROGRESS || error == EINTR;
}

/* Counts first: a record that nobody is attached to may be taken back. */
static void detach(uint32_t state, uint64_t since_ns)
{
    if ((state & CONNECTED) != 0)
        ls_peer_lived(PEER(state), ls_clock_monotonic_ns() - since_ns);
    ls_peer_detached(PEER(state));
}

/* Takes the place of what the socket was connected to before. */
static void attach(struct ls_connection *connection, uint32_t state, uint64_t since_ns)
{
    uint64_t former_since_ns = ls_load_relaxed(&connection->since_ns);

    ls_peer_opened(PEER(state));
    ls_store_relaxed(&connection->since_ns, since_ns);
    detach(ls_exchange_relaxed(&connection->state, state), former_since_ns);
}

void ls_connection_attempted(int fd, const struct sockaddr *address, socklen_t length, int error,
                             uint64_t begun_ns)
{
    uint32_t stack;
    struct ls_connection *connection = ls_descriptor_connection(fd, &stack);
    struct ls_peer_address normal;
    uint32_t state;
    uint32_t peer;

    if (connection == NULL || error == EALREADY || error == EFAULT || error == ENOTSOCK ||
        address == NULL || length < sizeof(address->sa_family) ||
        length > sizeof(struct sockaddr_storage) || /* refused unread */
        address->sa_family == AF_UNSPEC)
        return;
    state = ls_load_relaxed(&connection->state);
    if ((state & CONNECTING) != 0) { /* asks how the first attempt went */
        if (!is_under_way(error))
            settle(connection, state, error == EISCONN ? 0 : error);
        return;
    }
    if (error == EISCONN)
        return;
    normalize(address, length, &normal);
    peer = ls_peer_obtain(stack, &normal);
    if (peer == 0)
        return;
    attach(connection, peer | CONNECTING, begun_ns);
    if (!is_under_way(error))
        settle(connection, peer | CONNECTING, error);
}

void ls_connection_accepted(int listener, int fd)
{
    uint32_t stack;
    struct ls_connection *connection = fd < 0 ? NULL : ls_descriptor_connection(fd, &stack);
    struct sockaddr_storage name;
    socklen_t length = sizeof(name);
    struct ls_peer_address address;
    uint32_t peer;

    if (connection == NULL ||
        ls_sys_call6(SYS_getsockname, listener, (long)&name, (long)&length, 0, 0, 0) != 0)
        return;
    normalize((const struct sockaddr *)&name, length, &address);
    peer = ls_peer_obtain(stack, &address);
    if (peer == 0)
        return;
    attach(connection, peer | CONNECTED, ls_clock_monotonic_ns());
}

void ls_connection_told(int fd, int error)
{
    uint32_t stack;
    struct ls_connection *connection = ls_descriptor_connection(fd, &stack);
    uint32_t state = connection == NULL ? 0 : ls_load_relaxed(&connection->state);

    if ((state & CONNECTING) != 0 && (error != 0 || is_connected(fd)))
        settle(connection, state, error);
}

/* Whoever closes the socket does not want its error any more, so it may be taken. */
void ls_connection_closing(int fd, struct ls_connection *connection)
{
    uint32_t state = ls_load_relaxed(&connection->state);
    int error = 0;
    socklen_t length = sizeof(error);

    /* Connected, but since when is not known: no time of connecting, and no life. */
    if ((state & CONNECTING) == 0 || is_connected(fd))
        return;
    ls_sys_call6(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&length, 0);
    settle(connection, state, error != 0 ? error : LS_PEER_ABANDONED);
}

void ls_connection_drop(struct ls_connection *connection)
{
    uint64_t since_ns = ls_load_relaxed(&connection->since_ns);

    if (ls_load_relaxed(&connection->state) != 0)
        detach(ls_exchange_relaxed(&connection->state, 0), since_ns);
}

void ls_connection_child_after_fork(struct ls_connection *connection)
{
    ls_store_relaxed(&connection->state, ls_load_relaxed(&connection->state) & ~CONNECTING);
}

static uint32_t use_of(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);
    const socklen_t needed = offsetof(struct tcp_info, tcpi_data_segs_out) + sizeof(uint32_t);

    if (ls_sys_call6(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, (long)&info, (long)&length, 0) !=
            0 ||
        length < needed)
        return USED;
    return info.tcpi_data_segs_in != 0 || info.tcpi_data_segs_out != 0 ? USED : UNUSED;
}

void ls_connections_begin_asking(uint32_t end)
{
    ls_store_relaxed(&ls_connections_asked_end, 0);
    ls_store_relaxed(&asked, 0);
    ls_store_relaxed(&ls_connections_asked_end, end);
}

/* Relaxed throughout: whoever takes a stretch of numbers looks at what is there then; a number that
 * is closed meanwhile moves on, and the question was harmless. */
void ls_connections_ask_some(void)
{
    uint32_t end = ls_load_relaxed(&ls_connections_asked_end);
    uint32_t from;

    if (!ls_resource_is_own_process())
        return;
    from = ls_add_relaxed(&asked, ASKED_AT_ONCE);
    if (from + ASKED_AT_ONCE >= end)
        ls_store_relaxed(&ls_connections_asked_end, 0);
    for (uint32_t fd = from; fd < from + ASKED_AT_ONCE && fd < end; fd++) {
        struct ls_connection *connection = ls_descriptor_connection_at((int)fd);
        uint32_t state = connection == NULL ? 0 : ls_load_relaxed(&connection->state);

        if ((state & CONNECTED) != 0 && (state & USED) == 0)
            move(connection, state, (state & ~UNUSED) | use_of((int)fd));
    }
}

bool ls_connection_is_unused(const struct ls_connection *connection, uint64_t since_before_ns,
                             uint32_t *peer)
{
    uint32_t state = ls_load_relaxed(&connection->state);

    *peer = PEER(state);
    return (state & UNUSED) != 0 && ls_load_relaxed(&connection->since_ns) < since_before_ns;
}
