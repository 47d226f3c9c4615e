#include "report/socket_address.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static void dotted(struct ls_text *text, const unsigned char bytes[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            ls_text_char(text, '.');
        ls_text_unsigned(text, bytes[i]);
    }
}

static void port(struct ls_text *text, in_port_t network_order)
{
    ls_text_char(text, ':');
    ls_text_unsigned(text, ntohs(network_order));
}

static unsigned group(const unsigned char *bytes, int index)
{
    return (unsigned)bytes[2 * index] << 8 | bytes[2 * index + 1];
}

/* The longest run of zero groups, at least two, is left out (RFC 5952). */
static int longest_run(const unsigned char *bytes, int *length)
{
    int best = -1;

    *length = 1;
    for (int i = 0; i < 8; i++) {
        int end = i;

        while (end < 8 && group(bytes, end) == 0)
            end++;
        if (end - i > *length) {
            best = i;
            *length = end - i;
        }
    }
    return best;
}

static void groups(struct ls_text *text, const unsigned char *bytes)
{
    int run_length;
    int run = longest_run(bytes, &run_length);

    for (int i = 0; i < 8; i++) {
        if (i == run) {
            ls_text_string(text, "::");
            i += run_length - 1;
            continue;
        }
        if (i > 0 && i != run + run_length)
            ls_text_char(text, ':');
        ls_text_hex(text, group(bytes, i), 1);
    }
}

static void internet(struct ls_text *text, const struct sockaddr_in6 *address)
{
    const unsigned char *bytes = address->sin6_addr.s6_addr;

    if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
        dotted(text, bytes + 12);
    } else {
        ls_text_char(text, '[');
        groups(text, bytes);
        ls_text_char(text, ']');
    }
    port(text, address->sin6_port);
}

static void path(struct ls_text *text, const char *name, size_t length)
{
    if (length == 0) {
        ls_text_string(text, "unix, without a name");
        return;
    }
    if (name[0] == '\0') {
        ls_text_char(text, '@');
        name++;
        length--;
    }
    ls_text_bytes(text, name, strnlen(name, length));
}

void ls_report_socket_address(struct ls_text *text, const void *bytes, size_t length)
{
    sa_family_t family = AF_UNSPEC;

    if (length >= sizeof(family))
        memcpy(&family, bytes, sizeof(family));
    if (family == AF_INET && length >= offsetof(struct sockaddr_in, sin_zero)) {
        struct sockaddr_in address = {0};

        memcpy(&address, bytes, offsetof(struct sockaddr_in, sin_zero));
        dotted(text, (const unsigned char *)&address.sin_addr);
        port(text, address.sin_port);
    } else if (family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 address;

        memcpy(&address, bytes, sizeof(address));
        internet(text, &address);
    } else if (family == AF_UNIX) {
        path(text, (const char *)bytes + offsetof(struct sockaddr_un, sun_path),
             length - offsetof(struct sockaddr_un, sun_path));
    } else {
        ls_text_string(text, "address family ");
        ls_text_unsigned(text, family);
    }
}
