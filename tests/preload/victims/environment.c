/* What a program can see of itself: environment, signals, descriptors, locale, umask, directory. */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "victim.h"

extern char **environ;

static int differs_on_purpose(const char *entry)
{
    static const char *const names[] = {"LD_", "LEAKSHIM_", "TMPDIR=", "_=", "PWD="};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return 1;
    return 0;
}

int main(void)
{
    for (char **entry = environ; *entry != NULL; entry++)
        if (!differs_on_purpose(*entry))
            SAY("%s\n", *entry);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int number = 1; number <= 64; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 &&
            (action.sa_handler != SIG_DFL || sigismember(&mask, number) == 1))
            SAY("signal %d: handler %d, blocked %d\n", number, action.sa_handler != SIG_DFL,
                sigismember(&mask, number));
    }
    stack_t stack;
    CHECK(sigaltstack(NULL, &stack) == 0);
    SAY("alternate stack off %d\n", (stack.ss_flags & SS_DISABLE) != 0);
    for (int fd = 0; fd < 100; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0)
            SAY("descriptor %d, close on exec %d\n", fd, flags & FD_CLOEXEC);
    }
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    SAY("name %s, locale %s, umask %o, dumpable %d\n", name, setlocale(LC_ALL, NULL),
        (unsigned)umask(0), prctl(PR_GET_DUMPABLE));
    SAY("errno %d\n", errno);
    return victim_end();
}
