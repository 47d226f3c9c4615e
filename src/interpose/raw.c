/*
 * System calls that programs make by number: libuv closes its descriptors so.
 *
 * A call that does not concern us is a jump to libc's, from a hook that touches nothing but scratch
 * registers. A clone with a stack of its own returns on that stack, and must not find a frame of
 * ours there; and the sixth word, which most callers do not pass, lies where another thread may be
 * changing it (a futex on the stack): so it is neither read nor, as compilers do, written back.
 */
#define syscall syscall_with_an_ellipsis /* as unistd.h declares it */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "base/compiler.h"
#include "capture/connections.h"
#include "capture/descriptors.h"
#include "interpose/hooks.h"
#include "system/real.h"
#undef syscall

LS_EXPORT long syscall(long number, long a, long b, long c, long d, long e, long f);

enum effect {
    NO_EFFECT,
    CLOSES,
    CLOSES_RANGE,
    OPENS_SOCKET,
    ACCEPTS,
    OPENS_FILE,
    COPIES,
    CONTROLS, /* fcntl */
};

#define NUMBERS_END 512

__attribute__((used)) static const uint8_t effects[NUMBERS_END] = {
    [SYS_close] = CLOSES,
    [SYS_close_range] = CLOSES_RANGE,
    [SYS_socket] = OPENS_SOCKET,
    [SYS_accept] = ACCEPTS,
    [SYS_accept4] = ACCEPTS,
#ifdef SYS_open
    [SYS_open] = OPENS_FILE,
    [SYS_creat] = OPENS_FILE,
    [SYS_epoll_create] = OPENS_FILE,
    [SYS_eventfd] = OPENS_FILE,
    [SYS_inotify_init] = OPENS_FILE,
    [SYS_dup2] = COPIES,
#endif
    [SYS_openat] = OPENS_FILE,
    [SYS_openat2] = OPENS_FILE,
    [SYS_epoll_create1] = OPENS_FILE,
    [SYS_eventfd2] = OPENS_FILE,
    [SYS_timerfd_create] = OPENS_FILE,
    [SYS_inotify_init1] = OPENS_FILE,
    [SYS_memfd_create] = OPENS_FILE,
    [SYS_pidfd_open] = OPENS_FILE,
    [SYS_perf_event_open] = OPENS_FILE,
    [SYS_io_uring_setup] = OPENS_FILE,
    [SYS_dup] = COPIES,
    [SYS_dup3] = COPIES,
    [SYS_fcntl] = CONTROLS,
};

/* None of these takes a sixth word. */
__attribute__((used)) static long call_with_effect(long number, long a, long b, long c, long d,
                                                   long e)
{
    enum effect effect = (enum effect)effects[number];
    long result;

    if (effect == CLOSES)
        ls_descriptor_closing((int)a);
    else if (effect == CLOSES_RANGE)
        ls_hook_closing_range((unsigned)a, (unsigned)b, (unsigned)c);
    result = ls_real.syscall_by_number(number, a, b, c, d, e, 0);
    if (effect == OPENS_FILE)
        ls_descriptor_opened((int)result, LS_RESOURCE_FILE);
    else if (effect == OPENS_SOCKET || effect == ACCEPTS)
        ls_descriptor_opened((int)result, LS_RESOURCE_SOCKET);
    else if (effect == COPIES ||
             (effect == CONTROLS && ((int)b == F_DUPFD || (int)b == F_DUPFD_CLOEXEC)))
        ls_descriptor_copied((int)a, (int)result);
    if (effect == ACCEPTS)
        ls_connection_accepted((int)a, (int)result);
    return result;
}

#if defined(__x86_64__)
_Static_assert(NUMBERS_END == 512 && sizeof(effects[0]) == 1, "what the hook below compares with");
_Static_assert(offsetof(struct ls_real_functions, syscall_by_number) == 0, "what it jumps to");

__asm__(".text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        ".cfi_startproc\n"
        "    cmp $512, %rdi\n"
        "    jae 1f\n"
        "    lea effects(%rip), %rax\n"
        "    cmpb $0, (%rax, %rdi)\n"
        "    jne call_with_effect\n"
        "1:  jmp *ls_real(%rip)\n"
        ".cfi_endproc\n"
        ".size syscall, . - syscall\n");
#else
/* All words come in registers. */
long syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if ((unsigned long)number < NUMBERS_END && effects[number] != NO_EFFECT)
        return call_with_effect(number, a, b, c, d, e);
    return ls_real.syscall_by_number(number, a, b, c, d, e, f);
}
#endif
