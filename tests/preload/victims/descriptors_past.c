/*
 * Opens descriptors by system calls that no library sees, and closes some of them so, while the
 * shim writes its summaries. Tells how many sockets and files it has so open in between and at the
 * end.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "victim.h"

static long past_libc(long number, long a, long b, long c)
{
#if defined(__x86_64__)
    register long fourth __asm__("r10") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = 0;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#endif
}

int main(int count, char **arguments)
{
    long wait_ms = count > 1 ? atol(arguments[1]) : 300;
    long files[5];
    long sockets[3];
    int seen;
    for (int i = 0; i < 5; i++)
        files[i] = past_libc(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDONLY);
    for (int i = 0; i < 3; i++)
        sockets[i] = past_libc(SYS_socket, AF_INET, SOCK_STREAM, 0);
    /* One that the hooks see open and not close. */
    seen = open("/dev/null", O_RDONLY);
    CHECK(files[4] > 0 && sockets[2] > 0 && seen > 0);
    SAY("{\"sockets\": 3, \"files\": 5, \"closed\": 1}\n");
    victim_sleep_ms(wait_ms);
    CHECK(past_libc(SYS_close, seen, 0, 0) == 0);
    CHECK(past_libc(SYS_close, files[0], 0, 0) == 0);
    /* And one that they see close and not open. */
    CHECK(close((int)sockets[0]) == 0);
    SAY("{\"sockets\": 2, \"files\": 4, \"closed\": 0}\n");
    victim_sleep_ms(wait_ms);
    return victim_end();
}
