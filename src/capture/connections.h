/*
 * From what a socket's calls return to what became of its connection: connected, after how long,
 * or failed, with which error, and how long it lived. It lies in the descriptor table's entry
 * (descriptors.h) and counts in the peer's record (peers.h).
 *
 * A connect that does not wait has its outcome from SO_ERROR when the program asks for it, from a
 * second connect, or from the kernel as the socket is closed.
 *
 * Hooks: any thread; no lock, errno kept. Two threads that connect one socket at once may have one
 * of their outcomes uncounted.
 */
#ifndef LS_CAPTURE_CONNECTIONS_H
#define LS_CAPTURE_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/atomic.h"
#include "base/compiler.h"

/* All zero: none. */
struct ls_connection {
    _Atomic uint32_t state;    /* the peer's number and two flags */
    _Atomic uint64_t since_ns; /* begun, or connected; relaxed: read by who took the state */
};

/* After connect returned: `error` 0 or its errno. */
void ls_connection_attempted(int fd, const struct sockaddr *address, socklen_t length, int error,
                             uint64_t begun_ns);
/* After accept. */
void ls_connection_accepted(int listener, int fd);
/* After the program has read SO_ERROR. */
void ls_connection_told(int fd, int error);

/*
 * Whether data has ever moved is asked of the kernel, by the host's threads as they come through a
 * hook: the collector has other descriptors. Once an interval the collector says below which number
 * there is something to ask.
 */
extern _Atomic uint32_t ls_connections_asked_end; /* 0: nothing to ask */
void ls_connections_begin_asking(uint32_t end);
void ls_connections_ask_some(void);

static inline void ls_connections_ask(void)
{
    /* Relaxed: a hint that is looked at again and again. */
    if (LS_UNLIKELY(ls_load_relaxed(&ls_connections_asked_end) != 0))
        ls_connections_ask_some();
}

/* Connected before that time, and nothing had moved when the kernel was asked last. */
bool ls_connection_is_unused(const struct ls_connection *connection, uint64_t since_before_ns,
                             uint32_t *peer);

/* For the descriptor table: the descriptor is about to be closed; the number stands for something
 * else already; a child of fork, which must not ask for outcomes its parent waits for. */
void ls_connection_closing(int fd, struct ls_connection *connection);
void ls_connection_drop(struct ls_connection *connection);
void ls_connection_child_after_fork(struct ls_connection *connection);

#endif
