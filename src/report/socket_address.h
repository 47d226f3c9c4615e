/*
 * A socket's address as people write it: "127.0.0.1:5432", "[::1]:80", a unix path, "@name" for an
 * abstract one. Pure. Bytes that are not printable are the writers' to clean.
 */
#ifndef LS_REPORT_SOCKET_ADDRESS_H
#define LS_REPORT_SOCKET_ADDRESS_H

#include <stddef.h>

#include "base/text.h"

/* `bytes` begin like a struct sockaddr of that length and need no alignment. */
void ls_report_socket_address(struct ls_text *text, const void *bytes, size_t length);

#endif
