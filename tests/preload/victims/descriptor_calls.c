/*
 * Every call that opens, copies and closes descriptors. A function named after the call keeps what
 * it opened; what other calls opened is closed by each call that can. Tells how many sockets and
 * other files the kernel lists at the end, and after a child of vfork and one of fork have closed
 * theirs.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "victim.h"

static int failures;
static char pattern[8][64];

#define KEEPS(name, expression)                                                                    \
    VICTIM_FUNCTION static void keeps_##name(void)                                                 \
    {                                                                                              \
        int fd = (expression);                                                                     \
        failures += fd < 0;                                                                        \
        KEEP(&fd);                                                                                 \
    }

static char *temporary(int number)
{
    snprintf(pattern[number], sizeof(pattern[number]), "keepXXXXXX%s", number >= 2 ? ".tmp" : "");
    return pattern[number];
}

static sigset_t no_signals;

KEEPS(open, open("/dev/null", O_RDONLY))
KEEPS(open_create, open("created", O_RDWR | O_CREAT | O_EXCL, 0640))
KEEPS(openat, openat(AT_FDCWD, "/dev/null", O_RDONLY))
KEEPS(openat_create, openat(AT_FDCWD, "created2", O_RDWR | O_CREAT, 0604))
KEEPS(creat, creat("created3", 0644))
KEEPS(open64, open64("/dev/null", O_RDONLY))
KEEPS(openat64, openat64(AT_FDCWD, "/dev/null", O_RDONLY))
KEEPS(tmpfile_flag, open(".", O_TMPFILE | O_RDWR, 0600))
KEEPS(mkstemp, mkstemp(temporary(0)))
KEEPS(mkostemp, mkostemp(temporary(1), O_CLOEXEC))
KEEPS(mkstemps, mkstemps(temporary(2), 4))
KEEPS(epoll_create, epoll_create(1))
KEEPS(epoll_create1, epoll_create1(EPOLL_CLOEXEC))
KEEPS(eventfd, eventfd(0, 0))
KEEPS(timerfd_create, timerfd_create(CLOCK_MONOTONIC, 0))
KEEPS(signalfd, signalfd(-1, &no_signals, 0))
KEEPS(inotify_init, inotify_init())
KEEPS(inotify_init1, inotify_init1(IN_CLOEXEC))
KEEPS(memfd_create, memfd_create("victim", 0))
KEEPS(dup, dup(0))
KEEPS(dup3, dup3(0, 300, O_CLOEXEC))
KEEPS(dupfd, fcntl(0, F_DUPFD, 310))
KEEPS(dupfd_cloexec, fcntl(0, F_DUPFD_CLOEXEC, 320))
KEEPS(sys_openat, (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0))
KEEPS(sys_eventfd, (int)syscall(SYS_eventfd2, 0, 0))
KEEPS(fopen, fileno(fopen("/dev/null", "r")))
KEEPS(fopen64, fileno(fopen64("/dev/null", "r")))
KEEPS(tmpfile, fileno(tmpfile()))
KEEPS(opendir, dirfd(opendir("/")))
KEEPS(popen, fileno(popen("exit 0", "r")))
KEEPS(socket, socket(AF_INET, SOCK_STREAM, 0))
KEEPS(sys_socket, (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0))
KEEPS(dup_socket, dup(socket(AF_INET6, SOCK_DGRAM, 0)))

VICTIM_FUNCTION static void keeps_pairs(void)
{
    int ends[2];

    failures += pipe(ends) != 0;
    failures += pipe2(ends, O_CLOEXEC) != 0;
    failures += socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0;
}

/* dup2 closes what the number was before: a socket here. */
VICTIM_FUNCTION static void keeps_dup2(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    failures += dup2(0, fd) != fd;
    failures += dup2(fd, fd) != fd;
    failures += dup2(-1, fd) != -1 || errno != EBADF;
}

VICTIM_FUNCTION static void keeps_accepted(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "listener"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    failures += bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0;
    failures += listen(listener, 4) != 0;
    for (int i = 0; i < 3; i++) {
        int client = socket(AF_UNIX, SOCK_STREAM, 0);

        failures += connect(client, (struct sockaddr *)&address, sizeof(address)) != 0;
        failures += (i == 0   ? accept(listener, NULL, NULL)
                     : i == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC)
                              : (int)syscall(SYS_accept4, listener, NULL, NULL, 0)) < 0;
    }
    failures += accept(0, NULL, NULL) != -1 || errno != ENOTSOCK;
}

/* Two descriptors through a socket: a file and a socket. */
VICTIM_FUNCTION static void keeps_received(void)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    char byte = 'x';
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int ends[2];
    int sent[2];

    failures += socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0;
    sent[0] = open("/dev/null", O_RDONLY);
    sent[1] = socket(AF_INET, SOCK_STREAM, 0);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(sent));
    memcpy(CMSG_DATA(&control.header), sent, sizeof(sent));
    failures += sendmsg(ends[0], &message, 0) != 1;
    message.msg_controllen = sizeof(control);
    failures += recvmsg(ends[1], &message, 0) != 1;
    close(sent[0]);
    close(sent[1]);
}

/* Numbers far apart, closed by every call that closes. */
VICTIM_FUNCTION static void closes_all_it_opens(void)
{
    FILE *stream = fopen("/dev/null", "r");

    failures += fclose(stream) != 0;
    stream = fdopen(open("/dev/null", O_RDONLY), "r");
    failures += fclose(stream) != 0;
    stream = freopen("/dev/zero", "r", fopen("/dev/null", "r"));
    failures += fclose(stream) != 0;
    failures += freopen("/nowhere/at/all", "r", fopen("/dev/null", "r")) != NULL;
    failures += closedir(opendir("/")) != 0;
    failures += closedir(fdopendir(open("/", O_RDONLY | O_DIRECTORY))) != 0;
    failures += pclose(popen("exit 3", "r")) != 3 << 8;
    failures += close(dup2(0, 900)) != 0;
    failures += (int)syscall(SYS_close, dup2(0, 901)) != 0;
    for (int fd = 910; fd < 930; fd++)
        dup2(0, fd);
    failures += close_range(910, 914, 0) != 0;
    failures += close_range(914, 910, 0) != -1 || errno != EINVAL;
    failures += (int)syscall(SYS_close_range, 915, 919, 0) != 0;
    failures += close_range(920, 929, CLOSE_RANGE_CLOEXEC) != 0;
    for (int fd = 920; fd < 930; fd++)
        failures += fcntl(fd, F_GETFD) != FD_CLOEXEC;
    closefrom(920);
    failures += close(920) != -1 || errno != EBADF;
    failures += close(-1) != -1 || errno != EBADF;
    failures += (int)syscall(SYS_close, 920) != -1 || errno != EBADF;
    errno = 0;
    failures += open("/nowhere/at/all", O_RDONLY) != -1 || errno != ENOENT;
    failures += fopen("/nowhere/at/all", "r") != NULL || errno != ENOENT;
}

/* Their closes are their own. */
VICTIM_FUNCTION static void lets_children_close(void)
{
    pid_t child = vfork();

    if (child == 0) {
        syscall(SYS_close, 3);
        close(4);
        _exit(0);
    }
    failures += victim_wait(child) != 0;
    child = fork();
    if (child == 0) {
        closefrom(3);
        _exit(0);
    }
    failures += victim_wait(child) != 0;
}

static void tell_what_the_kernel_lists(void)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    int sockets = 0;
    int files = 0;

    while ((entry = readdir(directory)) != NULL) {
        char target[64];

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory))
            continue;
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof(target)) > 7 &&
            memcmp(target, "socket:", 7) == 0)
            sockets++;
        else
            files++;
    }
    closedir(directory);
    SAY("{\"sockets\": %d, \"files\": %d}\n", sockets, files);
}

int main(void)
{
    sigemptyset(&no_signals);
    closefrom(3);
    keeps_open(), keeps_open_create(), keeps_openat(), keeps_openat_create(), keeps_creat();
    keeps_open64(), keeps_openat64(), keeps_tmpfile_flag();
    keeps_mkstemp(), keeps_mkostemp(), keeps_mkstemps();
    keeps_epoll_create(), keeps_epoll_create1(), keeps_eventfd(), keeps_timerfd_create();
    keeps_signalfd(), keeps_inotify_init(), keeps_inotify_init1(), keeps_memfd_create();
    keeps_dup(), keeps_dup3(), keeps_dupfd(), keeps_dupfd_cloexec();
    keeps_sys_openat(), keeps_sys_eventfd();
    keeps_fopen(), keeps_fopen64(), keeps_tmpfile(), keeps_opendir(), keeps_popen();
    keeps_socket(), keeps_sys_socket(), keeps_dup_socket();
    keeps_pairs(), keeps_dup2(), keeps_accepted(), keeps_received();
    closes_all_it_opens();
    CHECK(failures == 0);
    lets_children_close();
    CHECK(failures == 0);
    tell_what_the_kernel_lists();
    return victim_end();
}
