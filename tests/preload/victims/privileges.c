/* Changing user reaches every thread of the process: a thread that blocks the C library's own
 * signals would make setresuid wait for ever. "namespace" needs a process with one thread only. */
#include <sched.h>

#include "victim.h"

int main(int argc, char **argv)
{
    uid_t user = getuid() == 0 ? 65534 : getuid();
    victim_churn(500);
    if (argc > 1 && strcmp(argv[1], "namespace") == 0) {
        int made = unshare(CLONE_NEWUSER);
        SAY("unshare %d errno %d\n", made, made == 0 ? 0 : errno);
    } else {
        CHECK(setresgid((gid_t)-1, getgid(), (gid_t)-1) == 0);
        CHECK(setresuid(user, user, user) == 0);
        CHECK(getuid() == user && geteuid() == user);
    }
    for (int i = 0; i < 15; i++) {
        victim_churn(200);
        victim_sleep_ms(20);
    }
    return victim_end();
}
