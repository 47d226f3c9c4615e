/*
 * A command as a child that stands in for this process: what is sent to one reaches the other, and
 * both end in the same way.
 *
 * The child stays in this process's group and session, so the terminal and a shell's job control
 * treat both as one. What the terminal sends reaches the whole group and is not passed on again;
 * a signal sent to this process alone is. When the child stops, so does this process, for the shell
 * that waits. When this process is killed, the kernel kills the child (PR_SET_PDEATHSIG).
 *
 * Not passed on: SIGSTOP, which nobody can catch.
 *
 * Single-threaded programs only: all signals are blocked from here on. All descriptors but stderr
 * are given up, so that an end of a pipe is not held open behind the command's back.
 */
#ifndef LS_CLI_LAUNCH_H
#define LS_CLI_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

struct ls_launch {
    pid_t pid;
    int status; /* as waitpid gives it, after ls_launch_wait */
};

/* Whether a service manager counts on this very process to be the service. */
bool ls_launch_is_main_of_service(void);

/* 0 when the command runs, else -errno of fork or exec. */
int ls_launch_start(char **command, struct ls_launch *launch);
void ls_launch_wait(struct ls_launch *launch);
/* Dies of the signal the child died of, or returns what to exit with. */
int ls_launch_finish(const struct ls_launch *launch);

#endif
