/* A classic daemon: two forks, a session of its own, every descriptor closed. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "victim.h"

static void be_a_daemon(void)
{
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    umask(0);
    if (open("/dev/null", O_RDWR) != 0 || dup(0) != 1 || dup(0) != 2)
        _exit(80);
    for (int i = 0; i < 15; i++) {
        victim_churn(300);
        victim_sleep_ms(20);
    }
    exit(victim_failures ? 81 : 21);
}

int main(void)
{
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    pid_t child = fork();
    if (child == 0) {
        if (setsid() < 0)
            _exit(82);
        pid_t second = fork();
        if (second == 0)
            be_a_daemon();
        _exit(second < 0 ? 83 : 22);
    }
    CHECK(victim_wait(child) == 22);
    CHECK(victim_wait(-1) == 21);
    return victim_end();
}
