/*
 * A handler that opens, copies and closes descriptors, all of which a handler may, while the
 * program does the same and allocates. Afterwards every number is free again.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "victim.h"

static volatile int handled;

static void handle(int number)
{
    int kept = errno;
    int ends[2] = {-1, -1};
    int fd = open("/dev/null", O_RDONLY);
    int copy = dup(fd);
    (void)number;
    CHECK(fd >= 0 && copy >= 0);
    CHECK(pipe(ends) == 0);
    CHECK(dup2(fd, copy) == copy);
    close(copy);
    close(ends[0]);
    syscall(SYS_close, ends[1]);
    close(fd);
    handled++;
    errno = kept;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 200}, {0, 200}};
    struct itimerval never = {{0, 0}, {0, 0}};
    double end = victim_seconds() + 0.5;
    int lowest = open("/dev/null", O_RDONLY);
    int now;
    close(lowest);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (victim_seconds() < end || handled < 20) {
        int fd = open("/dev/null", O_RDONLY);
        int connection = socket(AF_INET, SOCK_STREAM, 0);
        FILE *stream = fopen("/dev/null", "r");
        CHECK(fd >= 0 && connection >= 0 && stream != NULL);
        CHECK(fclose(stream) == 0);
        KEEP(malloc(40));
        CHECK(close(fd) == 0);
        CHECK((int)syscall(SYS_close, connection) == 0);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    now = open("/dev/null", O_RDONLY);
    CHECK(now == lowest);
    close(now);
    return victim_end();
}
