#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session *session_open(int connection)
{
    struct session *session = malloc(sizeof(*session));

    if (session == NULL)
        return NULL;
    memset(session, ' ', sizeof(*session));
    session->line[0] = '\0';
    session->connection = connection;
    return session;
}

void session_close(struct session *session, bool signed_off, bool fixed)
{
    close(session->connection);
    if (signed_off || fixed)
        free(session);
}
