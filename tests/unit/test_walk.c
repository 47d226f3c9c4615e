#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "capture/frame_probe.h"
#include "capture/frame_rule.h"
#include "capture/sampler.h"
#include "capture/thread.h"
#include "capture/unwind.h"
#include "capture/walk.h"
#include "system/memory.h"

#define DEPTH      64
#define NOT_INLINE __attribute__((noinline, noclone))
#if defined(__clang__)
#define OPTIMIZE(option)
#else
#define OPTIMIZE(option) __attribute__((optimize(option)))
#endif
/* Keeps the call before it from becoming a jump, which would take its frame away. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

/* Walking is for x86-64; elsewhere libunwind is asked every time. */
#if defined(__x86_64__)

static int (*backtrace_of_libunwind)(void **, int);
static uint64_t seed = 7;
static unsigned compared;
static unsigned refused;
static bool allows_refusal;

static int start(void **state)
{
    void *library;
    void *found;

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_thread_start(NULL) != 0 ||
        ls_unwind_start(DEPTH) != 0)
        return -1;
    library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    found = library != NULL ? dlsym(library, "unw_backtrace") : NULL;
    if (found == NULL)
        return -1;
    memcpy(&backtrace_of_libunwind, &found, sizeof(found));
    return 0;
}

static uint64_t random_below(uint64_t limit)
{
    return ls_sampler_random(&seed) % limit;
}

/* Both from the same place: what the walk says is what libunwind says. */
static NOT_INLINE void compare(void)
{
    const struct ls_frame_record *record = __builtin_frame_address(0);
    struct ls_thread *thread = ls_thread_enter();
    struct ls_captured captured;
    void *frames[256];
    int found;
    int first = 0;

    assert_true(ls_thread_begin_capture(thread));
    found = backtrace_of_libunwind(frames, 256);
    ls_thread_end_capture(thread);
    ls_unwind_capture(thread, record, &captured);
    ls_thread_leave();
    compared++;
    if (captured.pcs == captured.buffer) {
        refused++;
        assert_true(allows_refusal);
        return;
    }
    while (first < found && (uintptr_t)frames[first] != record->return_address)
        first++;
    while (found > first && frames[found - 1] == NULL)
        found--;
    assert_int_equal(captured.depth, found - first < DEPTH ? found - first : DEPTH);
    for (size_t i = 0; i < captured.depth; i++)
        assert_true(captured.pcs[i] == (uintptr_t)frames[first + (int)i]);
    assert_true(captured.hash == ls_stack_hash(captured.pcs, captured.depth));
}

/*
 * Frames of all shapes that call each other at random, so that the same places are reached by
 * different ways, at the same stack pointer and at others.
 */
static void descend(unsigned levels);

static NOT_INLINE void plain(unsigned levels)
{
    descend(levels);
    KEEP_FRAME();
}

static NOT_INLINE void other_plain(unsigned levels)
{
    descend(levels);
    descend(levels / 3);
    KEEP_FRAME();
}

static NOT_INLINE OPTIMIZE("omit-frame-pointer") void without_frame_pointer(unsigned levels)
{
    descend(levels);
    KEEP_FRAME();
}

/* Uses the frame pointer's register for something else, and changes it between two calls. */
static NOT_INLINE OPTIMIZE("omit-frame-pointer") void many_registers(unsigned n)
{
    uint64_t a = random_below(100);
    uint64_t b = random_below(100);
    uint64_t c = random_below(100);
    uint64_t d = random_below(100);
    uint64_t e = random_below(100);
    uint64_t f = random_below(100);

    for (int i = 0; i < 2; i++) {
        descend(n / 2);
        a += b ^ c, b += c ^ d, c += d ^ e, d += e ^ f, e += f ^ a, f += a ^ b;
    }
    __asm__ volatile("" ::"r"(a + b + c + d + e + f) : "memory");
}

static NOT_INLINE OPTIMIZE("no-omit-frame-pointer") void with_frame_pointer(unsigned levels)
{
    descend(levels);
    KEEP_FRAME();
}

static NOT_INLINE void large_frame(unsigned levels)
{
    volatile char room[3000];

    room[levels % sizeof(room)] = 1;
    descend(levels);
    KEEP_FRAME();
}

static NOT_INLINE void variable_frame(unsigned levels)
{
    volatile char *room = __builtin_alloca(1 + random_below(500));

    room[0] = 1;
    descend(levels);
    KEEP_FRAME();
}

static int order(const void *a, const void *b)
{
    static bool done;

    done = !done;
    if (done)
        descend((unsigned)random_below(2));
    return *(const int *)a - *(const int *)b;
}

static NOT_INLINE void through_libc(unsigned levels)
{
    int numbers[2] = {2, 1};

    qsort(numbers, 2, sizeof(numbers[0]), order);
    descend(levels);
    KEEP_FRAME();
}

static NOT_INLINE void descend(unsigned levels)
{
    static void (*const shapes[])(unsigned) = {
        plain,       other_plain,    without_frame_pointer, many_registers, with_frame_pointer,
        large_frame, variable_frame, through_libc,
    };

    if (random_below(4) == 0)
        compare();
    if (levels > 0)
        shapes[random_below(LS_ARRAY_LENGTH(shapes))](levels - 1);
    KEEP_FRAME();
}

static void a_walk_says_what_libunwind_says(void **state)
{
    (void)state;
    compared = 0;
    for (int round = 0; round < 3000; round++)
        descend((unsigned)random_below(20));
    assert_true(compared > 10000);
}

/* More frames than are kept: the outermost fall off, and are found again on the way back. */
static NOT_INLINE void recurse(unsigned levels)
{
    if (levels % 7 == 0)
        compare();
    if (levels > 0) {
        recurse(levels - 1);
        if (random_below(3) == 0)
            compare();
    }
    KEEP_FRAME();
}

static void a_walk_deeper_than_is_kept_is_right(void **state)
{
    (void)state;
    for (unsigned levels = 50; levels < 240; levels += 9)
        recurse(levels);
    recurse(30);
}

/* Not under ThreadSanitizer, for the reason that test_unwind.c gives. */
#if !defined(__SANITIZE_THREAD__)
static void *on_thread(void *unused)
{
    for (int round = 0; round < 100; round++)
        descend((unsigned)random_below(20));
    return unused;
}

static void every_thread_has_a_stack_of_its_own(void **state)
{
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, on_thread, NULL), 0);
        pthread_join(thread, NULL);
    }
}
#endif

static NOT_INLINE void with_room(size_t bytes)
{
    volatile char *room = __builtin_alloca(bytes);

    room[0] = 1;
    compare();
    KEEP_FRAME();
}

static NOT_INLINE void with_room_before(size_t bytes)
{
    volatile char *room = __builtin_alloca(bytes);

    room[bytes - 1] = 1;
    with_room(16);
    KEEP_FRAME();
}

static NOT_INLINE void with_little_room_before(size_t bytes)
{
    volatile char *room = __builtin_alloca(16);

    room[0] = 1;
    with_room(bytes);
    KEEP_FRAME();
}

/* The innermost frame is the same place at the same stack pointer; its frame pointer alone tells
 * that its caller is elsewhere, and the words of the last caller are still there, untouched. */
static void a_frame_pointer_that_changed_leads_elsewhere(void **state)
{
    (void)state;
    for (size_t bytes = 16; bytes < 4096; bytes += 16) {
        with_little_room_before(bytes);
        with_room_before(bytes);
    }
}

static NOT_INLINE void fill(volatile char *room, volatile char *more)
{
    room[0] = 1;
    more[0] = 1;
}

static NOT_INLINE void realigned(unsigned levels)
{
    _Alignas(64) volatile char room[128];

    fill(room, __builtin_alloca(1 + random_below(500)));
    allows_refusal = true;
    descend(levels);
    allows_refusal = false;
    KEEP_FRAME();
}

static void a_realigned_stack_is_left_to_libunwind(void **state)
{
    (void)state;
    refused = 0;
    for (int round = 0; round < 100; round++)
        realigned(5);
    assert_true(refused > 0);
    descend(5); /* and afterwards all is as it was */
}

static ucontext_t main_context;
static ucontext_t fiber_context;

static void run_fiber(void)
{
    allows_refusal = true;
    descend(10);
    allows_refusal = false;
}

/* A stack of its own between pages that cannot be read. */
static void a_fibers_stack_is_left_to_libunwind(void **state)
{
    const size_t page = 4096;
    const size_t size = 64 * page;
    char *room = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(room != MAP_FAILED);
    assert_int_equal(mprotect(room + page, size, PROT_READ | PROT_WRITE), 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(getcontext(&fiber_context), 0);
        fiber_context.uc_stack.ss_sp = room + page;
        fiber_context.uc_stack.ss_size = size;
        fiber_context.uc_link = &main_context;
        makecontext(&fiber_context, run_fiber, 0);
        refused = 0;
        compared = 0;
        assert_int_equal(swapcontext(&main_context, &fiber_context), 0);
        assert_int_equal(refused, compared);
        descend(5);
    }
    munmap(room, size + 2 * page);
}

static void what_was_forgotten_is_learned_again(void **state)
{
    (void)state;
    for (int round = 0; round < 600; round++) { /* more often than an entry can count */
        ls_unwind_forget();
        if (round % 50 == 0)
            descend(10);
    }
    descend(10);
}
#endif

static struct ls_frame_rule made_up_rule(uintptr_t pc)
{
    uint64_t random = pc * UINT64_C(0x9e3779b97f4a7c15) >> 20;

    return (struct ls_frame_rule){.kind = random % 2 == 0 ? LS_FRAME_BY_SP : LS_FRAME_BY_BP,
                                  .cfa_words = (unsigned)(random >> 8) % 16384,
                                  .bp_slot_words = (unsigned)(random >> 30) % 64};
}

/* Far more addresses than places: an entry may be lost, and never taken for another's. */
static void a_rule_is_its_own_address_s_or_unknown(void **state)
{
    uint64_t random = 1;
    unsigned known = 0;

    (void)state;
    assert_int_equal(ls_frame_rules_start(), 0);
    for (int i = 0; i < 1000000; i++) {
        uintptr_t pc = ls_sampler_random(&random) >> 17;
        struct ls_frame_rule expected = made_up_rule(pc);
        struct ls_frame_rule rule;

        ls_frame_rule_keep(pc, expected);
        pc = i % 2 == 0 ? pc : ls_sampler_random(&random) >> 17 >> random % 30;
        expected = made_up_rule(pc);
        rule = ls_frame_rule_find(pc);
        if (rule.kind == LS_FRAME_UNKNOWN)
            continue;
        known++;
        assert_int_equal(rule.kind, expected.kind);
        assert_int_equal(rule.cfa_words, expected.cfa_words);
        assert_int_equal(rule.bp_slot_words, expected.bp_slot_words);
    }
    assert_true(known >= 500000);
    assert_int_equal(ls_frame_rule_find((uintptr_t)1 << 47).kind, LS_FRAME_UNKNOWN);
    ls_frame_rules_forget();
    assert_int_equal(ls_frame_rule_find(12345).kind, LS_FRAME_UNKNOWN);
}

static void a_rule_that_does_not_fit_is_libunwind_s(void **state)
{
    (void)state;
    ls_frame_rule_keep(777, (struct ls_frame_rule){LS_FRAME_BY_SP, 16384, 0});
    assert_int_equal(ls_frame_rule_find(777).kind, LS_FRAME_OTHER);
    ls_frame_rule_keep(778, (struct ls_frame_rule){LS_FRAME_BY_SP, 16383, 64});
    assert_int_equal(ls_frame_rule_find(778).kind, LS_FRAME_OTHER);
    ls_frame_rule_keep(779, (struct ls_frame_rule){LS_FRAME_BY_SP, 16383, 63});
    assert_int_equal(ls_frame_rule_find(779).kind, LS_FRAME_BY_SP);
}

#if defined(__x86_64__)

static NOT_INLINE uintptr_t return_address(volatile char *room)
{
    room[0] = 1;
    return (uintptr_t)__builtin_return_address(0);
}

/* Room of a size that is not known before makes it go by the frame pointer. */
static NOT_INLINE uintptr_t place_with_frame_pointer(size_t room)
{
    uintptr_t place = return_address(__builtin_alloca(room));

    KEEP_FRAME();
    return place;
}

static void a_frame_pointer_by_unwind_information_is_no_guess(void **state)
{
    uintptr_t place = place_with_frame_pointer(64 + random_below(64));
    char *made_up =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(made_up != MAP_FAILED);
    assert_int_equal(ls_frame_probe(place).kind, LS_FRAME_BY_BP);
    assert_int_equal(ls_frame_probe((uintptr_t)made_up + 64).kind, LS_FRAME_BY_GUESS);
    munmap(made_up, 4096);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
        cmocka_unit_test(a_walk_says_what_libunwind_says),
        cmocka_unit_test(a_walk_deeper_than_is_kept_is_right),
#if !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(every_thread_has_a_stack_of_its_own),
#endif
        cmocka_unit_test(a_frame_pointer_that_changed_leads_elsewhere),
        cmocka_unit_test(a_realigned_stack_is_left_to_libunwind),
        cmocka_unit_test(a_fibers_stack_is_left_to_libunwind),
        cmocka_unit_test(what_was_forgotten_is_learned_again),
        cmocka_unit_test(a_frame_pointer_by_unwind_information_is_no_guess),
#endif
        cmocka_unit_test(a_rule_is_its_own_address_s_or_unknown),
        cmocka_unit_test(a_rule_that_does_not_fit_is_libunwind_s),
    };

#if defined(__x86_64__)
    return cmocka_run_group_tests(tests, start, NULL);
#else
    return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
