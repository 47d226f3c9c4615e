/* Real sockets on the loopback interface, with the records as the hooks make them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/connections.h"
#include "capture/descriptors.h"
#include "capture/peers.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/clock.h"
#include "system/memory.h"

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 1024, .slots = 8192, .ring_events = 1024};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_thread_start(NULL) != 0)
        return -1;
    ls_resource_adopt_process();
    ls_resource_set_tracked(1u << LS_RESOURCE_SOCKET | 1u << LS_RESOURCE_FILE);
    return 0;
}

struct end {
    int fd;
    struct sockaddr_in address;
};

/* Bound, so that the port is its own; connects to it are refused unless it listens. */
static struct end bound(bool listens)
{
    struct end end = {.fd = socket(AF_INET, SOCK_STREAM, 0), .address.sin_family = AF_INET};
    socklen_t length = sizeof(end.address);

    end.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(end.fd, (struct sockaddr *)&end.address, length), 0);
    assert_int_equal(getsockname(end.fd, (struct sockaddr *)&end.address, &length), 0);
    if (listens)
        assert_int_equal(listen(end.fd, 8), 0);
    return end;
}

static int opened(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

    ls_descriptor_opened(fd, LS_RESOURCE_SOCKET);
    return fd;
}

static int connects(int fd, const struct end *end)
{
    uint64_t begun_ns = ls_clock_monotonic_ns();
    int status = connect(fd, (const struct sockaddr *)&end->address, sizeof(end->address));
    int error = status == 0 ? 0 : errno;

    ls_connection_attempted(fd, (const struct sockaddr *)&end->address, sizeof(end->address), error,
                            begun_ns);
    return error;
}

static void closes(int fd)
{
    ls_descriptor_closing(fd);
    close(fd);
}

static const struct ls_peer *peer_of(const struct end *end)
{
    for (uint32_t i = 1; i < ls_peers_end(); i++) {
        const struct ls_peer *peer = ls_peer_at(i);

        if (peer != NULL && memcmp(peer->address.bytes, &end->address, 8) == 0)
            return peer;
    }
    return NULL;
}

static unsigned sum(const _Atomic uint32_t *counts)
{
    unsigned total = 0;

    for (int i = 0; i < LS_PEER_CLASSES; i++)
        total += ls_load_relaxed(&counts[i]);
    return total;
}

static void expect(const struct end *end, unsigned open, int live, unsigned connected,
                   unsigned failed)
{
    const struct ls_peer *peer = peer_of(end);

    assert_non_null(peer);
    assert_int_equal(ls_load_relaxed(&peer->opened), open);
    assert_int_equal(ls_load_relaxed(&peer->live), live);
    assert_int_equal(sum(peer->connect_times), connected);
    assert_int_equal(ls_load_relaxed(&peer->failed), failed);
}

static unsigned failed_with(const struct end *end, int error)
{
    const struct ls_peer *peer = peer_of(end);

    for (int i = 0; i < LS_PEER_ERRORS; i++) {
        if (ls_load_relaxed(&peer->errors[i].number) == error)
            return ls_load_relaxed(&peer->errors[i].count);
    }
    return 0;
}

static void a_connection_counts_until_it_is_closed(void **state)
{
    struct end end = bound(true);
    int fd = opened(0);

    (void)state;
    assert_int_equal(connects(fd, &end), 0);
    expect(&end, 1, 1, 1, 0);
    assert_int_equal(sum(peer_of(&end)->lives), 0);
    closes(fd);
    expect(&end, 1, 0, 1, 0);
    assert_int_equal(sum(peer_of(&end)->lives), 1);
    close(end.fd);
}

static void a_refused_connect_counts_by_its_error_and_has_no_life(void **state)
{
    struct end end = bound(false);
    int fd = opened(0);

    (void)state;
    assert_int_equal(connects(fd, &end), ECONNREFUSED);
    assert_int_equal(connects(fd, &end), ECONNREFUSED);
    expect(&end, 2, 1, 0, 2);
    assert_int_equal(failed_with(&end, ECONNREFUSED), 2);
    closes(fd);
    expect(&end, 2, 0, 0, 2);
    assert_int_equal(sum(peer_of(&end)->lives), 0);
    close(end.fd);
}

static void wait_for_outcome(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};

    assert_int_equal(poll(&wait, 1, 5000), 1);
}

static int asks(int fd)
{
    int error = -1;
    socklen_t length = sizeof(error);

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    ls_connection_told(fd, error);
    return error;
}

static void the_outcome_of_a_connect_that_does_not_wait_is_what_the_program_is_told(void **state)
{
    struct end good = bound(true);
    struct end bad = bound(false);
    int first = opened(SOCK_NONBLOCK);
    int second = opened(SOCK_NONBLOCK);

    (void)state;
    assert_int_equal(connects(first, &good), EINPROGRESS);
    connects(second, &bad);
    expect(&good, 1, 1, 0, 0);
    wait_for_outcome(first);
    wait_for_outcome(second);
    assert_int_equal(asks(first), 0);
    assert_int_equal(asks(second), ECONNREFUSED);
    expect(&good, 1, 1, 1, 0);
    expect(&bad, 1, 1, 0, 1);
    asks(first);
    expect(&good, 1, 1, 1, 0);
    closes(first);
    closes(second);
    expect(&bad, 1, 0, 0, 1);
    close(good.fd);
    close(bad.fd);
}

static void a_second_connect_tells_how_the_first_went(void **state)
{
    struct end end = bound(true);
    int fd = opened(SOCK_NONBLOCK);

    (void)state;
    assert_int_equal(connects(fd, &end), EINPROGRESS);
    wait_for_outcome(fd);
    connects(fd, &end);
    expect(&end, 1, 1, 1, 0);
    assert_int_equal(connects(fd, &end), EISCONN);
    expect(&end, 1, 1, 1, 0);
    closes(fd);
    close(end.fd);
}

static void an_outcome_nobody_asked_for_is_found_at_the_close(void **state)
{
    struct end good = bound(true);
    struct end bad = bound(false);
    int first = opened(SOCK_NONBLOCK);
    int second = opened(SOCK_NONBLOCK);

    (void)state;
    connects(first, &good);
    connects(second, &bad);
    wait_for_outcome(first);
    wait_for_outcome(second);
    closes(first);
    closes(second);
    expect(&good, 1, 0, 0, 0); /* when it was connected is not known */
    assert_int_equal(sum(peer_of(&good)->lives), 0);
    assert_int_equal(failed_with(&bad, ECONNREFUSED), 1);
    close(good.fd);
    close(bad.fd);
}

/* A full backlog: the kernel drops what comes, and the connect stays under way. */
static void an_attempt_that_is_given_up_counts_as_abandoned(void **state)
{
    struct end end = bound(false);
    int fillers[4];
    int fd;

    (void)state;
    assert_int_equal(listen(end.fd, 0), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&end.address, sizeof(end.address));
    }
    fd = opened(SOCK_NONBLOCK);
    assert_int_equal(connects(fd, &end), EINPROGRESS);
    closes(fd);
    expect(&end, 1, 0, 0, 1);
    assert_int_equal(failed_with(&end, LS_PEER_ABANDONED), 1);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(end.fd);
}

static void accepted_sockets_count_for_the_listeners_address(void **state)
{
    struct end end = bound(true);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    int fd;

    (void)state;
    assert_int_equal(connect(client, (struct sockaddr *)&end.address, sizeof(end.address)), 0);
    fd = accept(end.fd, NULL, NULL);
    ls_descriptor_opened(fd, LS_RESOURCE_SOCKET);
    ls_connection_accepted(end.fd, fd);
    expect(&end, 1, 1, 0, 0);
    closes(fd);
    expect(&end, 1, 0, 0, 0);
    assert_int_equal(sum(peer_of(&end)->lives), 1);
    ls_connection_accepted(end.fd, -1);
    close(client);
    close(end.fd);
}

static bool is_unused(int fd)
{
    uint32_t peer;

    ls_connections_begin_asking(ls_descriptors_end());
    while (ls_load_relaxed(&ls_connections_asked_end) != 0)
        ls_connections_ask();
    return ls_connection_is_unused(ls_descriptor_connection_at(fd), UINT64_MAX, &peer);
}

static void a_connection_is_unused_until_data_has_moved(void **state)
{
    struct end end = bound(true);
    int fd = opened(0);
    int other;
    uint32_t peer;
    char byte = 'x';

    (void)state;
    assert_int_equal(connects(fd, &end), 0);
    other = accept(end.fd, NULL, NULL);
    ls_descriptor_opened(other, LS_RESOURCE_SOCKET);
    ls_connection_accepted(end.fd, other);
    assert_true(is_unused(fd));
    assert_true(is_unused(other));
    assert_false(ls_connection_is_unused(ls_descriptor_connection_at(fd), 1, &peer));
    assert_int_equal(write(fd, &byte, 1), 1);
    assert_int_equal(read(other, &byte, 1), 1);
    assert_false(is_unused(fd));
    assert_false(is_unused(other));
    closes(fd);
    closes(other);
    assert_false(is_unused(fd));
    close(end.fd);
}

static void where_the_kernel_does_not_tell_nothing_is_called_unused(void **state)
{
    struct end end = bound(true);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    (void)state;
    ls_descriptor_opened(fd, LS_RESOURCE_SOCKET);
    assert_int_equal(connects(fd, &end), 0);
    assert_false(is_unused(fd));
    closes(fd);
    close(end.fd);
}

/* An error may be read once: it is the parent's. */
static void a_forked_child_leaves_outcomes_to_its_parent(void **state)
{
    struct end end = bound(false);
    int fd = opened(SOCK_NONBLOCK);
    int status = -1;
    pid_t child;

    (void)state;
    connects(fd, &end);
    wait_for_outcome(fd);
    child = _Fork(); /* without jemalloc's handlers, which are too much for the sanitizer */
    if (child == 0) {
        ls_resource_adopt_process();
        ls_descriptors_child_after_fork();
        closes(fd);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(asks(fd), ECONNREFUSED);
    closes(fd);
    close(end.fd);
}

static void a_socket_that_moves_to_another_peer_leaves_the_first(void **state)
{
    struct end first = bound(true);
    struct end second = bound(true);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    (void)state;
    ls_descriptor_opened(fd, LS_RESOURCE_SOCKET);
    assert_int_equal(connects(fd, &first), 0);
    assert_int_equal(connects(fd, &second), 0);
    expect(&first, 1, 0, 1, 0);
    expect(&second, 1, 1, 1, 0);
    closes(fd);
    close(first.fd);
    close(second.fd);
}

/* The kernel refuses such a length before it looks at the address. */
static void an_address_that_the_kernel_did_not_read_is_not_read(void **state)
{
    int fd = opened(0);
    const struct sockaddr *nowhere = (const struct sockaddr *)8;

    (void)state;
    ls_connection_attempted(fd, nowhere, sizeof(struct sockaddr_storage) + 1, EINVAL, 1);
    ls_connection_attempted(fd, nowhere, (socklen_t)-1, EINVAL, 1);
    closes(fd);
}

/* Last: the table stays full. */
static void addresses_past_the_table_are_one_a_stack(void **state)
{
    struct ls_peer_address address = {.length = 8};
    uint32_t folded;

    (void)state;
    for (uint32_t i = 0; i < LS_PEERS_MAX; i++) {
        memcpy(address.bytes, &i, sizeof(i));
        assert_int_not_equal(ls_peer_obtain(77, &address), 0);
    }
    folded = ls_peer_obtain(77, &address);
    assert_int_equal(ls_peer_at(folded)->address.length, 0);
    assert_int_equal(ls_peer_at(folded)->stack, 77);
    assert_int_not_equal(ls_peer_obtain(78, &address), folded);
    for (uint32_t stack = 100; stack < 200; stack++)
        ls_peer_opened(ls_peer_obtain(stack, &address));
    assert_int_equal(ls_peer_obtain(1000, &address), 0);
    assert_int_equal(ls_peer_obtain(77, &address), folded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_counts_until_it_is_closed),
        cmocka_unit_test(a_refused_connect_counts_by_its_error_and_has_no_life),
        cmocka_unit_test(the_outcome_of_a_connect_that_does_not_wait_is_what_the_program_is_told),
        cmocka_unit_test(a_second_connect_tells_how_the_first_went),
        cmocka_unit_test(an_outcome_nobody_asked_for_is_found_at_the_close),
        cmocka_unit_test(an_attempt_that_is_given_up_counts_as_abandoned),
        cmocka_unit_test(accepted_sockets_count_for_the_listeners_address),
        cmocka_unit_test(a_connection_is_unused_until_data_has_moved),
        cmocka_unit_test(where_the_kernel_does_not_tell_nothing_is_called_unused),
        cmocka_unit_test(a_forked_child_leaves_outcomes_to_its_parent),
        cmocka_unit_test(a_socket_that_moves_to_another_peer_leaves_the_first),
        cmocka_unit_test(an_address_that_the_kernel_did_not_read_is_not_read),
        cmocka_unit_test(addresses_past_the_table_are_one_a_stack),
    };

    return cmocka_run_group_tests_name("connections", tests, start, NULL);
}
