/*
 * The numbers of new descriptors are the lowest free ones, and stay the host's own.
 * "closed 02": starts itself again with 0 and 2 closed; what was opened is told by the exit code.
 * "lowest": opens over and over while the shim writes its summaries.
 * "close_all": closes 3 to 1023 as daemons do, and looks that no file of its own is written to.
 * "inherit": what an executed program gets.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "victim.h"

static int opens_lowest(const char *closed)
{
    victim_churn(2000);
    victim_sleep_ms(250);
    for (const char *digit = closed; *digit != 0; digit++)
        if (open("/dev/null", O_RDWR) != *digit - '0')
            return 50;
    int next = open("/dev/null", O_RDWR);
    victim_sleep_ms(250);
    return 10 + next;
}

static void opens_while_summaries_are_written(void)
{
    double end = victim_seconds() + 0.7;
    long wrong = 0;
    int expected = open("/dev/null", O_RDONLY);
    close(expected);
    while (victim_seconds() < end) {
        KEEP(malloc(300));
        int fd = open("/dev/null", O_RDONLY);
        wrong += fd != expected;
        close(fd);
    }
    SAY("descriptor %d, wrong %ld\n", expected, wrong);
}

static void closes_all_while_summaries_are_written(void)
{
    for (int round = 0; round < 5; round++) {
        char name[32];
        int files[6];
        struct stat status;
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        snprintf(name, sizeof name, "own.%d", round);
        files[0] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        for (int i = 1; i < 6; i++)
            files[i] = dup(files[0]);
        for (int i = 0; i < 6; i++)
            CHECK(files[i] == 3 + i);
        for (int i = 0; i < 15; i++) {
            victim_churn(200);
            victim_sleep_ms(10);
        }
        CHECK(fstat(files[0], &status) == 0 && status.st_size == 0);
        for (int i = 0; i < 6; i++)
            CHECK(fcntl(files[i], F_GETFD) == 0);
        CHECK(unlink(name) == 0);
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "", *closed = argc > 2 ? argv[2] : "";
    if (strcmp(how, "closed") == 0) {
        for (const char *digit = closed; *digit != 0; digit++)
            close(*digit - '0');
        execl(argv[0], argv[0], "opens", closed, (char *)NULL);
        return 2;
    }
    if (strcmp(how, "opens") == 0)
        return opens_lowest(closed);
    if (strcmp(how, "lowest") == 0)
        opens_while_summaries_are_written();
    if (strcmp(how, "close_all") == 0)
        closes_all_while_summaries_are_written();
    if (strcmp(how, "inherit") == 0) {
        victim_sleep_ms(150);
        execl("/bin/ls", "ls", "/proc/self/fd", (char *)NULL);
        return 2;
    }
    return victim_end();
}
