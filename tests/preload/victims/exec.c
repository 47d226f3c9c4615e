/* Each way to execute a program: first one that fails, and goes on; then each one that works, with
 * the environment it was given and nothing more. */
#include <fcntl.h>

#include "victim.h"

extern char **environ;

static void fails_and_goes_on(void)
{
    char name[] = "nowhere";
    char *arguments[] = {name, NULL};
    errno = 0;
    CHECK(execv("/nowhere/at/all", arguments) == -1 && errno == ENOENT);
    errno = 0;
    CHECK(execvp("/", arguments) == -1 && errno == EACCES);
    errno = 0;
    CHECK(execve("/etc/passwd", arguments, environ) == -1 && errno == EACCES);
    errno = 0;
    CHECK(fexecve(-1, arguments, environ) == -1 && errno != 0);
    victim_churn(1000);
}

int main(int argc, char **argv)
{
    int step = argc > 1 ? atoi(argv[1]) : 0;
    char next[8], variable[] = "ONLY=this";
    char *arguments[] = {argv[0], next, NULL};
    char *environment[] = {variable, NULL};
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    snprintf(next, sizeof next, "%d", step + 1);
    SAY("step %d\n", step);
    KEEP(malloc(100));
    switch (step) {
    case 0:
        fails_and_goes_on();
        return execv(argv[0], arguments), 90;
    case 1:
        return execvp(argv[0], arguments), 91;
    case 2:
        return execl(argv[0], argv[0], next, (char *)NULL), 92;
    case 3:
        return execlp(argv[0], argv[0], next, (char *)NULL), 93;
    case 4:
        return fexecve(self, arguments, environ), 94;
    case 5:
        return execvpe(argv[0], arguments, environ), 95;
    case 6:
        return execve(argv[0], arguments, environment), 96;
    case 7:
        CHECK(environ[0] != NULL && strcmp(environ[0], variable) == 0 && environ[1] == NULL);
        return execle(argv[0], argv[0], next, (char *)NULL, environment), 97;
    default:
        CHECK(environ[0] != NULL && strcmp(environ[0], variable) == 0 && environ[1] == NULL);
        close(self);
        return victim_end();
    }
}
