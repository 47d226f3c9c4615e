/*
 * Under a filter that refuses what the shim would like: "files" refuses to create files and
 * directories, "threads" refuses to start any thread, "memory" refuses to read processes and to
 * name mappings. First the running process, then the same program again, started under the filter.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "victim.h"

#define LOAD(field)                                                                                \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE(number, error)                                                                      \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), RETURN(SECCOMP_RET_ERRNO | (error))
/* Refuses `number` when argument `index` has any bit of `mask`; the number is loaded again after.
 */
#define REFUSE_BITS(number, index, mask, error)                                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 4), LOAD(args[index]),                        \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (mask), 0, 1), RETURN(SECCOMP_RET_ERRNO | (error)),   \
        LOAD(nr)
#define COUNT(list) ((unsigned short)(sizeof(list) / sizeof((list)[0])))

static struct sock_filter files[] = {
    LOAD(nr),
    REFUSE(SYS_mkdirat, EPERM),
#ifdef SYS_mkdir
    REFUSE(SYS_mkdir, EPERM),
    REFUSE(SYS_open, EPERM),
#endif
    REFUSE_BITS(SYS_openat, 2, O_CREAT, EPERM),
    RETURN(SECCOMP_RET_ALLOW),
};

static struct sock_filter threads[] = {
    LOAD(nr),
    REFUSE(SYS_clone3, ENOSYS),
    REFUSE_BITS(SYS_clone, 0, CLONE_THREAD, EAGAIN),
    RETURN(SECCOMP_RET_ALLOW),
};

static struct sock_filter memory[] = {
    LOAD(nr),
    REFUSE(SYS_process_vm_readv, EPERM),
    REFUSE(SYS_prctl, EPERM),
    REFUSE(SYS_membarrier, EPERM),
    REFUSE(SYS_memfd_create, EPERM),
    REFUSE(SYS_pipe2, EPERM),
    RETURN(SECCOMP_RET_ALLOW),
};

static void install(struct sock_filter *filter, unsigned short length)
{
    struct sock_fprog program = {length, filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0);
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";
    if (argc == 2) {
        victim_churn(1000);
        if (strcmp(which, "files") == 0)
            install(files, COUNT(files));
        if (strcmp(which, "threads") == 0)
            install(threads, COUNT(threads));
        if (strcmp(which, "memory") == 0)
            install(memory, COUNT(memory));
    }
    for (int i = 0; i < 15; i++) {
        victim_churn(200);
        victim_sleep_ms(20);
    }
    if (argc == 2) {
        SAY("first\n");
        execl(argv[0], argv[0], which, "again", (char *)NULL);
        return 2;
    }
    return victim_end();
}
