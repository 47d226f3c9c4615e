#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/thread.h"
#include "capture/unwind.h"
#include "ledger/stack_table.h"
#include "system/memory.h"

#define NOT_INLINED __attribute__((noinline, noclone))

static struct ls_captured captured;
static const uintptr_t *pcs;
static size_t depth;
/* Return addresses on the way down to the capture, outermost first. */
static uintptr_t on_the_way[8];
static size_t steps;

static int start(void **state)
{
    static const struct ls_frame_record elsewhere; /* no walk starts there */

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_thread_start(NULL) != 0 ||
        ls_unwind_start(64) != 0)
        return -1;
    /* libunwind's first use on a thread allocates: not in a signal handler, says the sanitizer. */
    ls_unwind_capture(ls_thread_enter(), &elsewhere, &captured);
    ls_thread_leave();
    return 0;
}

static int begin(void **state)
{
    (void)state;
    steps = 0;
    depth = 0;
    return ls_unwind_start(64);
}

static void __attribute__((noinline)) capture(void)
{
    struct ls_thread *thread = ls_thread_enter();

    ls_unwind_capture(thread, __builtin_frame_address(0), &captured);
    ls_thread_leave();
    pcs = captured.pcs;
    depth = captured.depth;
    assert_true(captured.hash == ls_stack_hash(pcs, depth));
}

#define NOTE_CALLER() on_the_way[steps++] = (uintptr_t)__builtin_return_address(0)
/* Keeps the call before it from becoming a jump, which would take its frame away. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

/* All addresses on the way are in the stack, innermost first. */
static void assert_way_is_in_stack(void)
{
    size_t at = 0;

    assert_true(steps > 0);
    for (size_t step = steps; step-- > 0; at++) {
        while (at < depth && pcs[at] != on_the_way[step])
            at++;
        if (at == depth)
            fail_msg("step %zu of %zu is missing among %zu frames", step, steps, depth);
    }
}

static NOT_INLINED void innermost(void)
{
    NOTE_CALLER();
    capture();
    KEEP_FRAME();
}

static NOT_INLINED void middle(void)
{
    NOTE_CALLER();
    innermost();
    KEEP_FRAME();
}

static NOT_INLINED void outermost(void)
{
    NOTE_CALLER();
    middle();
    KEEP_FRAME();
}

static void a_stack_names_every_caller_innermost_first(void **state)
{
    (void)state;
    outermost();
    assert_way_is_in_stack();
    assert_true(depth > 4);
}

/* One call, however often the compiler repeats the loop around it. */
static NOT_INLINED void from_one_place(void)
{
    steps = 0;
    outermost();
    KEEP_FRAME();
}

static void the_same_place_gives_the_same_stack(void **state)
{
    uintptr_t first[LS_STACK_DEPTH_MAX];
    size_t frames = 0;

    (void)state;
    from_one_place();
    memcpy(first, pcs, depth * sizeof(first[0]));
    while (first[frames] != on_the_way[0])
        frames++;
    for (int i = 0; i < 3; i++) {
        from_one_place();
        assert_true(depth > frames);
        assert_memory_equal(pcs, first, (frames + 1) * sizeof(pcs[0]));
    }
}

#if defined(__x86_64__)
static void handle(int signal_number)
{
    (void)signal_number;
    capture();
}

static NOT_INLINED void interrupted(void)
{
    NOTE_CALLER();
    __asm__ volatile("int3" ::: "memory"); /* a handler at once, between two instructions */
    KEEP_FRAME();
}

static NOT_INLINED void calls_interrupted(void)
{
    NOTE_CALLER();
    interrupted();
    KEEP_FRAME();
}

static bool stack_has_code_of(void (*function)(void), size_t bytes)
{
    for (size_t i = 0; i < depth; i++) {
        if (pcs[i] - (uintptr_t)function < bytes)
            return true;
    }
    return false;
}

static void check_handler(int flags)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = flags};
    struct sigaction before;

    sigaction(SIGTRAP, &action, &before);
    calls_interrupted();
    sigaction(SIGTRAP, &before, NULL);
    assert_way_is_in_stack();
    assert_true(stack_has_code_of(interrupted, 256));
}

static void a_stack_goes_on_below_a_signal_handler(void **state)
{
    (void)state;
    check_handler(0);
}

static void a_stack_goes_on_below_a_handler_on_its_own_stack(void **state)
{
    static char memory[256 << 10];
    stack_t alternate = {.ss_sp = memory, .ss_size = sizeof(memory)};
    stack_t before;

    (void)state;
    sigaltstack(&alternate, &before);
    check_handler(SA_ONSTACK);
    sigaltstack(&before, NULL);
}

/* A function without unwind information that has any number in its frame pointer, as code made at
 * run time may. */
void call_with_frame_pointer(uintptr_t frame_pointer, void (*function)(void));
__asm__(".text\n"
        ".globl call_with_frame_pointer\n"
        ".type call_with_frame_pointer, @function\n"
        "call_with_frame_pointer:\n"
        "    push %rbp\n"
        "    push %rbx\n"
        "    push %r12\n"
        "    mov %rdi, %rbp\n"
        "    call *%rsi\n"
        "    pop %r12\n"
        "    pop %rbx\n"
        "    pop %rbp\n"
        "    ret\n"
        ".size call_with_frame_pointer, . - call_with_frame_pointer\n");

static void any_frame_pointer_is_survived(void **state)
{
    static _Alignas(4096) uintptr_t loop[512];
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const uintptr_t garbage[] = {
        0,
        1,
        UINTPTR_MAX,
        UINTPTR_MAX - 7,
        (uintptr_t)1 << 63,
        (uintptr_t)1 << 47,
        ((uintptr_t)1 << 47) - 4096, /* the last page of the address space */
        4096,
        here + 1,
        here - 100000,
        (uintptr_t)loop,
        (uintptr_t)loop + 4,
        (uintptr_t)loop + 4088,
        (uintptr_t)&call_with_frame_pointer,
        ls_memory_tracked_range.base + ls_memory_tracked_range.size - 4096, /* mapped, no access */
    };

    (void)state;
    for (size_t i = 0; i < LS_ARRAY_LENGTH(loop); i++)
        loop[i] = (uintptr_t)loop; /* frames that point to themselves */
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < LS_ARRAY_LENGTH(garbage); i++) {
            steps = 0;
            errno = 55;
            call_with_frame_pointer(garbage[i], innermost);
            assert_int_equal(errno, 55);
            assert_true(depth >= 1 && depth <= 64);
            assert_way_is_in_stack(); /* down to the code without information */
        }
    }
}

/* With a frame pointer that is right the stack goes on behind such code. */
static NOT_INLINED void calls_code_without_information(void)
{
    NOTE_CALLER();
    call_with_frame_pointer((uintptr_t)__builtin_frame_address(0), innermost);
    KEEP_FRAME();
}

static void a_stack_goes_on_behind_code_that_keeps_frame_pointers(void **state)
{
    (void)state;
    calls_code_without_information();
    assert_way_is_in_stack();
}
#endif

static int compare(const void *a, const void *b)
{
    if (depth == 0)
        capture();
    return *(const int *)a - *(const int *)b;
}

static NOT_INLINED void sorts(void)
{
    int numbers[] = {3, 1, 2};

    NOTE_CALLER();
    qsort(numbers, 3, sizeof(numbers[0]), compare);
    KEEP_FRAME();
}

static void a_stack_crosses_a_callback_of_libc(void **state)
{
    (void)state;
    sorts();
    assert_way_is_in_stack();
}

static NOT_INLINED unsigned recurse(unsigned levels)
{
    unsigned result = levels == 0 ? 0 : recurse(levels - 1);

    if (levels == 0)
        capture();
    KEEP_FRAME();
    return result + 1;
}

static void a_deep_stack_is_cut_to_the_depth_asked_for(void **state)
{
    (void)state;
    recurse(300);
    assert_int_equal(depth, 64);
    assert_int_equal(ls_unwind_start(5), 0);
    recurse(300);
    assert_int_equal(depth, 5);
    assert_int_equal(ls_unwind_start(100000), 0);
    recurse(300);
    assert_int_equal(depth, LS_STACK_DEPTH_MAX);
    assert_int_equal(ls_unwind_start(0), 0);
    recurse(3);
    assert_int_equal(depth, 0);
}

/* Not under ThreadSanitizer: libunwind takes a mutex in the destructor of its thread key, which
 * runs after the sanitizer has taken its own data of the thread away. */
#if !defined(__SANITIZE_THREAD__)
static void *capture_on_thread(void *result)
{
    struct ls_captured own;
    struct ls_thread *thread = ls_thread_enter();

    ls_unwind_capture(thread, __builtin_frame_address(0), &own);
    ls_thread_leave();
    *(size_t *)result = own.depth;
    return NULL;
}

static size_t depth_on_other_thread(void)
{
    pthread_t thread;
    size_t found = 0;

    assert_int_equal(pthread_create(&thread, NULL, capture_on_thread, &found), 0);
    pthread_join(thread, NULL);
    return found;
}

static void other_threads_do_not_unwind_while_one_forks(void **state)
{
    (void)state;
    assert_true(depth_on_other_thread() > 0);
    assert_true(ls_thread_prepare_fork());
    assert_int_equal(depth_on_other_thread(), 0);
    capture();
    assert_true(depth > 0); /* the forking thread itself may */
    ls_thread_parent_after_fork();
    assert_true(depth_on_other_thread() > 0);
}

static _Atomic int begun;
static _Atomic int may_end;

static void *unwind_for_long(void *unused)
{
    struct ls_thread *thread = ls_thread_enter();

    assert_true(ls_thread_begin_capture(thread));
    ls_store_release(&begun, 1);
    while (!ls_load_acquire(&may_end))
        sched_yield();
    ls_thread_end_capture(thread);
    ls_thread_leave();
    return unused;
}

static void a_fork_waits_for_an_unwinding_thread_but_not_for_ever(void **state)
{
    struct timespec before;
    struct timespec after;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, unwind_for_long, NULL), 0);
    while (!ls_load_acquire(&begun))
        sched_yield();
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_false(ls_thread_prepare_fork());
    clock_gettime(CLOCK_MONOTONIC, &after);
    ls_thread_parent_after_fork();
    assert_true(after.tv_sec - before.tv_sec <= 2);
    ls_store_release(&may_end, 1);
    pthread_join(thread, NULL);
    assert_true(ls_thread_prepare_fork());
    ls_thread_parent_after_fork();
}

#endif

static void once_disabled_every_stack_is_empty(void **state)
{
    (void)state;
    ls_unwind_disable();
    assert_false(ls_unwind_available());
    capture();
    assert_int_equal(depth, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_stack_names_every_caller_innermost_first, begin),
        cmocka_unit_test_setup(the_same_place_gives_the_same_stack, begin),
#if defined(__x86_64__)
        cmocka_unit_test_setup(a_stack_goes_on_below_a_signal_handler, begin),
        cmocka_unit_test_setup(a_stack_goes_on_below_a_handler_on_its_own_stack, begin),
        cmocka_unit_test_setup(a_stack_goes_on_behind_code_that_keeps_frame_pointers, begin),
        cmocka_unit_test_setup(any_frame_pointer_is_survived, begin),
#endif
        cmocka_unit_test_setup(a_stack_crosses_a_callback_of_libc, begin),
        cmocka_unit_test_setup(a_deep_stack_is_cut_to_the_depth_asked_for, begin),
#if !defined(__SANITIZE_THREAD__)
        cmocka_unit_test_setup(other_threads_do_not_unwind_while_one_forks, begin),
        cmocka_unit_test_setup(a_fork_waits_for_an_unwinding_thread_but_not_for_ever, begin),
#endif
        cmocka_unit_test_setup(once_disabled_every_stack_is_empty, begin),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
