/*
 * Callers without unwind information that use the frame pointer for something else: every walk has
 * to stop by itself. through_frame(value, function) is hand-written and has no CFI at all.
 */
#include <sys/mman.h>

#include "victim.h"

void through_frame(uintptr_t frame_pointer, void (*function)(void));

#if defined(__x86_64__)
__asm__(".text\n.globl through_frame\n.type through_frame, @function\n"
        "through_frame:\n"
        "  push %rbp\n"
        "  mov %rdi, %rbp\n"
        "  sub $64, %rsp\n" /* a frame of unknown size */
        "  movq $1, 8(%rsp)\n"
        "  call *%rsi\n"
        "  add $64, %rsp\n"
        "  pop %rbp\n"
        "  ret\n"
        ".size through_frame, .-through_frame\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl through_frame\n.type through_frame, @function\n"
        "through_frame:\n"
        "  stp x29, x30, [sp, #-80]!\n"
        "  mov x29, x0\n"
        "  blr x1\n"
        "  ldp x29, x30, [sp], #80\n"
        "  ret\n"
        ".size through_frame, .-through_frame\n");
#endif

/* Built with -fomit-frame-pointer, like the whole victim: the garbage reaches malloc. */
static void allocate(void)
{
    char *block = malloc(500);
    KEEP(block);
    block = realloc(block, 5000);
    CHECK(block != NULL);
    free(block);
}

static void allocate_deeper(void)
{
    through_frame((uintptr_t)-16, allocate);
}

int main(void)
{
    char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && munmap(pages + 4096, 4096) == 0);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t loop[2] = {(uintptr_t)loop, 1};
    KEEP(loop);
    uintptr_t values[] = {
        0,
        1,
        8,
        (uintptr_t)-1,
        (uintptr_t)-8,
        0xdeadbeef,
        (uintptr_t)1 << 63,
        here + 3,
        here - 4096,
        here - 8,
        here + (8 << 20),
        (uintptr_t)pages,
        (uintptr_t)pages + 4096 - 8,
        (uintptr_t)pages + 4096,
        (uintptr_t)loop,
        (uintptr_t)main,
    };
    for (int round = 0; round < 100; round++)
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            through_frame(values[i], allocate);
            through_frame(values[i], allocate_deeper);
        }
    return victim_end();
}
