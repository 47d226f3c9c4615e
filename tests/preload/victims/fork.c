/* Children that allocate, exit and _exit, while the parent goes on; no child but the host's own. */
#include "victim.h"

static void child_exits_with(int code, int at_once)
{
    char *before = malloc(100);
    CHECK(before != NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (at_once)
            _exit(code);
        free(before);
        victim_churn(500);
        exit(victim_failures ? 99 : code);
    }
    victim_churn(500);
    CHECK(victim_wait(child) == code);
    free(before);
}

int main(void)
{
    errno = 0;
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    for (int code = 0; code < 10; code++) {
        child_exits_with(code, 0);
        child_exits_with(code, 1);
    }
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return victim_end();
}
