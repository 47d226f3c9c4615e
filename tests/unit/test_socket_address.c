#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "report/socket_address.h"

static const char *written(const void *bytes, size_t length)
{
    static char buffer[256];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_report_socket_address(&text, bytes, length);
    return buffer;
}

static void internet_addresses_have_dots_and_a_port(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(5432)};

    (void)state;
    address.sin_addr.s_addr = htonl(0x7f000001);
    assert_string_equal(written(&address, sizeof(address)), "127.0.0.1:5432");
    assert_string_equal(written(&address, 8), "127.0.0.1:5432");
}

static const char *written6(const char *text, unsigned short port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return written(&address, sizeof(address));
}

static void version_6_addresses_are_as_short_as_they_can_be(void **state)
{
    (void)state;
    assert_string_equal(written6("::1", 80), "[::1]:80");
    assert_string_equal(written6("::", 8080), "[::]:8080");
    assert_string_equal(written6("2001:db8::", 1), "[2001:db8::]:1");
    assert_string_equal(written6("2001:db8:0:0:1:0:0:1", 1), "[2001:db8::1:0:0:1]:1");
    assert_string_equal(written6("1:0:2:3:4:5:6:7", 1), "[1:0:2:3:4:5:6:7]:1");
    assert_string_equal(written6("fe80:1:2:3:4:5:6:7", 1), "[fe80:1:2:3:4:5:6:7]:1");
    assert_string_equal(written6("::ffff:10.0.0.7", 443), "10.0.0.7:443");
}

static void unix_addresses_are_their_path(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/a.sock"};
    size_t start = offsetof(struct sockaddr_un, sun_path);

    (void)state;
    assert_string_equal(written(&address, sizeof(address)), "/run/a.sock");
    assert_string_equal(written(&address, start + 4), "/run");
    assert_string_equal(written(&address, start), "unix, without a name");
    address.sun_path[0] = '\0';
    assert_string_equal(written(&address, start + 7), "@run/a.");
}

static void what_is_cut_short_is_not_read_past_its_end(void **state)
{
    const struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    const sa_family_t packet = AF_PACKET;

    (void)state;
    assert_string_equal(written(&address, 20), "address family 10");
    assert_string_equal(written(&packet, sizeof(packet)), "address family 17");
    assert_string_equal(written(&address, 0), "address family 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(internet_addresses_have_dots_and_a_port),
        cmocka_unit_test(version_6_addresses_are_as_short_as_they_can_be),
        cmocka_unit_test(unix_addresses_are_their_path),
        cmocka_unit_test(what_is_cut_short_is_not_read_past_its_end),
    };

    return cmocka_run_group_tests_name("socket_address", tests, NULL, NULL);
}
