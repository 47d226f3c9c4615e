#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_KILLED   128 /* what the shells add to the signal's number */
#define ANCESTORS_MAX 64

struct child {
    pid_t pid;
    int status;
    int stopped_by;    /* signal; 0 while it runs */
    bool stop_reached; /* this process was sent a stop signal too */
    bool has_ended;
};

/* What the child gets back before it becomes the command. */
static sigset_t mask_before;
static struct sigaction child_action_before;

bool ls_launch_is_main_of_service(void)
{
    /* Each holds the pid of the process it is meant for:
     * https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html */
    static const char *const names[] = {"SYSTEMD_EXEC_PID", "LISTEN_PID", "WATCHDOG_PID"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);

        if (value != NULL && strtol(value, NULL, 10) == getpid())
            return true;
    }
    return false;
}

static _Noreturn void become(char **command, pid_t parent, int failure)
{
    int error;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() != parent)
        raise(SIGKILL);
    sigaction(SIGCHLD, &child_action_before, NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    execvp(command[0], command);
    error = errno;
    while (write(failure, &error, sizeof(error)) < 0 && errno == EINTR)
        ;
    _exit(EXIT_KILLED - 1);
}

/* What exec failed with: the pipe closes when it does not. */
static int read_failure(int pipe_end, pid_t child)
{
    int error = 0;
    ssize_t got;

    do
        got = read(pipe_end, &error, sizeof(error));
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(error))
        return 0;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return -error;
}

static void give_up_descriptors(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    close_range(STDERR_FILENO + 1, UINT32_MAX, 0);
}

int ls_launch_start(char **command, struct ls_launch *launch)
{
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    pid_t parent = getpid();
    sigset_t all;
    int ends[2];
    int error;

    *launch = (struct ls_launch){0};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask_before);
    /* Where it is ignored, which a parent may leave behind, children cannot be waited for. */
    sigaction(SIGCHLD, &standard, &child_action_before);
    launch->pid = fork();
    if (launch->pid == 0)
        become(command, parent, ends[1]);
    error = launch->pid < 0 ? -errno : 0;
    close(ends[1]);
    if (error == 0)
        error = read_failure(ends[0], launch->pid);
    close(ends[0]);
    if (error == 0)
        give_up_descriptors();
    else
        sigprocmask(SIG_SETMASK, &mask_before, NULL);
    return error;
}

static pid_t parent_of(pid_t process)
{
    char path[64];
    char line[512];
    const char *after_name;
    int parent = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    /* The name, in parentheses, may hold anything: proc(5). */
    if (fgets(line, sizeof(line), file) != NULL && (after_name = strrchr(line, ')')) != NULL)
        sscanf(after_name, ") %*c %d", &parent); /* NOLINT(cert-err34-c): 0 will do */
    fclose(file);
    return parent;
}

/* A command that signals its own group has reached itself. */
static bool comes_from_command(const struct child *child, pid_t sender)
{
    for (int i = 0; i < ANCESTORS_MAX && sender > 1 && sender != getpid(); i++) {
        if (sender == child->pid)
            return true;
        sender = parent_of(sender);
    }
    return false;
}

static void pass_on(const struct child *child, const siginfo_t *info)
{
    bool from_kernel = info->si_code > 0;

    /* The terminal tells the whole group, but of its hanging up the session's leader alone. */
    if (from_kernel && !(info->si_signo == SIGHUP && getsid(0) == getpid()))
        return;
    if (!from_kernel && comes_from_command(child, info->si_pid))
        return;
    if (info->si_code == SI_QUEUE)
        sigqueue(child->pid, info->si_signo, info->si_value);
    else
        kill(child->pid, info->si_signo);
}

static bool is_stop_signal(int number)
{
    return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/* Children that are not the command come with being process 1. */
static void look_at_children(struct child *child)
{
    pid_t found;
    int status;

    while ((found = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
        if (found != child->pid)
            continue;
        if (WIFSTOPPED(status)) {
            child->stopped_by = WSTOPSIG(status);
        } else if (WIFCONTINUED(status)) {
            child->stopped_by = 0;
            child->stop_reached = false;
        } else {
            child->has_ended = true;
            child->status = status;
        }
    }
}

static bool is_in_foreground(void)
{
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    bool is;

    if (terminal < 0)
        return false;
    is = tcgetpgrp(terminal) == getpgrp();
    close(terminal);
    return is;
}

/*
 * Stops as the child did, for the shell that waits for this process. A child that somebody stopped
 * behind the terminal's back is left alone: who lets it go on may know its pid and not this one.
 */
static void stop_too(struct child *child)
{
    const struct timespec now = {0};
    sigset_t resume;
    sigset_t one;
    int number = is_stop_signal(child->stopped_by) ? child->stopped_by : SIGSTOP;

    if (!child->stop_reached && !is_in_foreground())
        return;
    sigemptyset(&resume);
    sigaddset(&resume, SIGCONT);
    sigtimedwait(&resume, NULL, &now);
    sigemptyset(&one);
    sigaddset(&one, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, NULL); /* stops here */
    sigprocmask(SIG_BLOCK, &one, NULL);
    child->stop_reached = false;
    /* None when the kernel refused to stop a group that no shell would start again. */
    if (sigtimedwait(&resume, NULL, &now) != SIGCONT)
        return;
    look_at_children(child);
    if (child->stopped_by != 0 && !child->has_ended)
        kill(child->pid, SIGCONT);
}

void ls_launch_wait(struct ls_launch *launch)
{
    struct child child = {.pid = launch->pid};
    siginfo_t info;
    sigset_t all;

    sigfillset(&all);
    look_at_children(&child);
    while (!child.has_ended) {
        int number = sigwaitinfo(&all, &info);

        if (number < 0)
            continue;
        if (number == SIGCHLD)
            look_at_children(&child);
        else
            pass_on(&child, &info);
        child.stop_reached = child.stop_reached || is_stop_signal(number);
        if (child.stopped_by != 0 && !child.has_ended)
            stop_too(&child);
    }
    launch->status = child.status;
}

int ls_launch_finish(const struct ls_launch *launch)
{
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    const struct rlimit no_core = {0};
    sigset_t one;
    int number;

    if (WIFEXITED(launch->status))
        return WEXITSTATUS(launch->status);
    number = WTERMSIG(launch->status);
    /* The command's core is the one that is wanted. */
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_DUMPABLE, 0);
    sigaction(number, &standard, NULL);
    sigemptyset(&one);
    sigaddset(&one, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    /* Process 1 does not die of signals. */
    return EXIT_KILLED + number;
}
