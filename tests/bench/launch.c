/*
 * Runs one program and tells what it used.
 *
 *   launch RESULT [NAME=VALUE...] -- PROGRAM [ARGUMENT...]
 *
 * The program gets exactly the named variables as its environment. RESULT gets two lines: its pid
 * as it starts, and `wall_ns cpu_us peak_kib status` when it has ended, status as wait4 gives it.
 *
 * A small process has to do this: what wait4 calls the greatest resident size of a program includes
 * what its parent held when it forked, and an interpreter holds more than most workloads.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval time)
{
    return time.tv_sec * 1000000LL + time.tv_usec;
}

int main(int count, char **values)
{
    int separator = 2;
    struct rusage usage;
    int status;
    long long start;
    pid_t child;
    FILE *result;

    while (separator < count && strcmp(values[separator], "--") != 0)
        separator++;
    if (separator + 1 >= count || (result = fopen(values[1], "we")) == NULL)
        return 2;
    values[separator] = NULL;
    start = wall_ns();
    child = fork();
    if (child < 0)
        return 2;
    if (child == 0) {
        execve(values[separator + 1], values + separator + 1, values + 2);
        _exit(127);
    }
    fprintf(result, "%d\n", (int)child);
    fflush(result);
    if (wait4(child, &status, 0, &usage) != child)
        return 2;
    fprintf(result, "%lld %lld %ld %d\n", wall_ns() - start,
            microseconds(usage.ru_utime) + microseconds(usage.ru_stime), usage.ru_maxrss, status);
    return fclose(result) == 0 ? 0 : 2;
}
