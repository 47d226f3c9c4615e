#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/ledger.h"
#include "system/memory.h"

static int start(void **state)
{
    (void)state;
    return ls_memory_start(LS_MEMORY_HOST_MOSTLY);
}

static void blocks_lie_in_their_range_and_nothing_else_does(void **state)
{
    int on_the_stack = 0;
    void *host = malloc(100);
    void *tracked = ls_memory_tracked_allocate(100, 0, false);
    void *served = ls_memory_host_allocate(100, 0, false);
    void *own = ls_memory_own_allocate(100);

    (void)state;
    assert_true(ls_memory_is_tracked(tracked) && !ls_memory_is_host(tracked));
    assert_true(ls_memory_is_host(served) && !ls_memory_is_tracked(served));
    assert_false(ls_memory_is_tracked(own) || ls_memory_is_host(own));
    assert_false(ls_memory_is_tracked(host) || ls_memory_is_host(host));
    assert_false(ls_memory_is_tracked(&on_the_stack) || ls_memory_is_host(&on_the_stack));
    assert_false(ls_memory_is_tracked(NULL) || ls_memory_is_host(NULL));
    assert_false(ls_memory_is_tracked((void *)UINTPTR_MAX));
    ls_memory_tracked_free(tracked);
    ls_memory_host_free(served);
    ls_memory_own_free(own, 100);
    free(host);
}

static void alignment_holds_up_to_two_mebibytes(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= (size_t)2 << 20; alignment *= 2) {
        for (size_t size = 1; size <= 100000; size = size * 7 + 1) {
            void *block = ls_memory_tracked_allocate(size, alignment, false);

            assert_non_null(block);
            assert_int_equal((uintptr_t)block % alignment, 0);
            assert_int_equal((uintptr_t)block % 8, 0);
            assert_true(ls_memory_tracked_usable(block) >= size);
            ls_memory_tracked_free(block);
        }
    }
}

static void sizes_and_alignments_beyond_reason_fail_cleanly(void **state)
{
    (void)state;
    assert_null(ls_memory_tracked_allocate(PTRDIFF_MAX, 0, false));
    assert_null(ls_memory_tracked_allocate((size_t)PTRDIFF_MAX + 1, 0, false));
    assert_null(ls_memory_tracked_allocate(SIZE_MAX, 0, true));
    assert_null(ls_memory_tracked_allocate(100, (size_t)1 << 62, false));
    assert_null(ls_memory_tracked_allocate(100, (size_t)1 << 63, false));
    assert_null(ls_memory_tracked_allocate((size_t)300 << 30, 0, false));
    assert_null(ls_memory_host_allocate(PTRDIFF_MAX, 4096, false));
    assert_null(ls_memory_own_allocate(PTRDIFF_MAX));
    assert_null(ls_memory_own_allocate(SIZE_MAX));
    assert_null(ls_memory_own_allocate(0));
    assert_non_null(ls_memory_tracked_allocate(100, 0, false)); /* and it goes on */
}

static void zeroed_memory_is_zero_also_when_used_before(void **state)
{
    (void)state;
    for (size_t size = 16; size <= (size_t)4 << 20; size *= 4) {
        for (int round = 0; round < 3; round++) {
            unsigned char *block = ls_memory_tracked_allocate(size, 0, true);

            assert_non_null(block);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(block[i], 0);
            memset(block, 0xff, size);
            ls_memory_tracked_free(block);
        }
    }
    for (int round = 0; round < 3; round++) {
        unsigned char *own = ls_memory_own_allocate(5000);

        for (size_t i = 0; i < 5000; i++)
            assert_int_equal(own[i], 0);
        memset(own, 0xff, 5000);
        ls_memory_own_free(own, 5000);
    }
}

static void a_resized_block_keeps_its_bytes(void **state)
{
    const size_t sizes[] = {20, 200, 100, 5000, 4999, (size_t)3 << 20, 100000, 1};
    unsigned char *block = ls_memory_tracked_allocate(10, 0, false);
    size_t size = 10;

    (void)state;
    memset(block, 0x77, size);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        block = ls_memory_tracked_resize(block, sizes[i]);
        assert_non_null(block);
        assert_true(ls_memory_is_tracked(block));
        for (size_t j = 0; j < size && j < sizes[i]; j++)
            assert_int_equal(block[j], 0x77);
        size = sizes[i];
        memset(block, 0x77, size);
    }
    assert_null(ls_memory_tracked_resize(block, SIZE_MAX));
    assert_null(ls_memory_tracked_resize(block, (size_t)300 << 30));
    assert_int_equal(block[0], 0x77);
    ls_memory_tracked_free(block);
}

static void own_memory_keeps_to_its_cap(void **state)
{
    size_t before = ls_memory_own_bytes();
    void *first;
    void *pages;

    (void)state;
    ls_memory_own_set_cap(before + 10000);
    first = ls_memory_own_allocate(6000);
    assert_non_null(first);
    assert_int_equal(ls_memory_own_bytes(), before + 6000);
    assert_null(ls_memory_own_allocate(6000));
    assert_null(ls_memory_own_map(8192, 8192));
    assert_false(ls_memory_own_charge(6000));
    pages = ls_memory_own_map((size_t)1 << 30, 4000); /* reserved, charged as it will be touched */
    assert_non_null(pages);
    assert_int_equal(ls_memory_own_bytes(), before + 10000);
    ls_memory_own_unmap(pages, (size_t)1 << 30, 4000);
    ls_memory_own_free(first, 6000);
    ls_memory_own_free(NULL, 6000);
    ls_memory_own_unmap(NULL, 4096, 4096);
    assert_int_equal(ls_memory_own_bytes(), before);
    ls_memory_own_set_cap(SIZE_MAX);
}

/* Blocks of one thread freed by another, and the first one's caches gone. */
static void *allocate_and_end(void *blocks)
{
    for (int i = 0; i < 1000; i++)
        ((void **)blocks)[i] = ls_memory_tracked_allocate((size_t)i * 5 + 1, 0, false);
    for (int i = 0; i < 100; i++)
        ls_memory_tracked_free(ls_memory_tracked_allocate(64, 0, false));
    ls_memory_thread_end();
    ls_memory_tracked_free(ls_memory_tracked_allocate(64, 0, false)); /* late destructors */
    return NULL;
}

static void blocks_outlive_their_thread(void **state)
{
    static void *blocks[1000];

    (void)state;
    for (int round = 0; round < 30; round++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, allocate_and_end, blocks), 0);
        pthread_join(thread, NULL);
        for (int i = 0; i < 1000; i++) {
            assert_non_null(blocks[i]);
            memset(blocks[i], 1, (size_t)i * 5 + 1);
            ls_memory_tracked_free(blocks[i]);
        }
    }
}

/* Sanitizers need more address space than any limit leaves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* In a child of its own, started anew so that nothing is reserved yet. */
static int start_under(rlim_t bytes)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        struct rlimit limit = {bytes, bytes};

        setrlimit(RLIMIT_AS, &limit);
        execl("/proc/self/exe", "test_memory", "start", (char *)NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    return status;
}

/* 0: started, and a block can be had; 3: not started, and said so. Anything else is a fault. */
static int start_and_report(void)
{
    const struct ls_ledger_limits limits = {.stacks = 65536, .slots = 65536, .ring_events = 1024};
    struct rlimit limit;
    char *block;

    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0)
        return ls_memory_is_tracked(&limit) || ls_memory_own_allocate(10) != NULL ? 4 : 3;
    block = ls_memory_tracked_allocate(100000, 0, false);
    if (block == NULL)
        return 5;
    memset(block, 1, 100000);
    /* The host's own address space must not be what was reserved. */
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur >= (rlim_t)64 << 20 && ls_memory_tracked_range.size > limit.rlim_cur / 4)
        return 6;
    return ls_ledger_start(&limits) == 0 ? 0 : 3;
}

static void a_limited_address_space_is_started_in_or_refused(void **state)
{
    const rlim_t mebibyte = 1 << 20;

    (void)state;
    assert_int_equal(start_under(4096 * mebibyte), 0);
    assert_int_equal(start_under(1024 * mebibyte), 0);
    assert_int_equal(start_under(256 * mebibyte), 0);
    for (rlim_t limit = 128; limit >= 8; limit -= 8) {
        int status = start_under(limit * mebibyte);

        /* Below a few MiB the program itself cannot be loaded: 127 from the loader. */
        if (!WIFEXITED(status) ||
            (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3 && WEXITSTATUS(status) != 127))
            fail_msg("%u MiB: status %#x", (unsigned)limit, (unsigned)status);
    }
}
#endif

int main(int argument_count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_lie_in_their_range_and_nothing_else_does),
        cmocka_unit_test(alignment_holds_up_to_two_mebibytes),
        cmocka_unit_test(sizes_and_alignments_beyond_reason_fail_cleanly),
        cmocka_unit_test(zeroed_memory_is_zero_also_when_used_before),
        cmocka_unit_test(a_resized_block_keeps_its_bytes),
        cmocka_unit_test(own_memory_keeps_to_its_cap),
        cmocka_unit_test(blocks_outlive_their_thread),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(a_limited_address_space_is_started_in_or_refused),
#endif
    };

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (argument_count == 2 && strcmp(arguments[1], "start") == 0)
        return start_and_report();
#else
    (void)argument_count;
    (void)arguments;
#endif
    return cmocka_run_group_tests(tests, start, NULL);
}
