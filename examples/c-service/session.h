/* One client's session: made when it connects, ended when it signs off or goes away. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>

enum { LINE_MAX_BYTES = 1024, HISTORY_BYTES = 16 * 1024 };

struct session {
    int connection;
    char line[LINE_MAX_BYTES];
    char history[HISTORY_BYTES];
};

/* NULL when there is no memory; the connection is then still the caller's. */
struct session *session_open(int connection);

/* Closes the connection. `fixed` chooses the repaired way of doing it. */
void session_close(struct session *session, bool signed_off, bool fixed);

#endif
