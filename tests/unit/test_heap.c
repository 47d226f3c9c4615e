#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "capture/heap.h"
#include "capture/sampler.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/memory.h"
#include "system/real.h"

#define SAMPLE_MEAN ((size_t)512 << 10)

static int start(void **state)
{
    const struct ls_ledger_limits limits = {.stacks = 1024, .slots = 65536, .ring_events = 1024};

    (void)state;
    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ||
        ls_thread_start(NULL) != 0)
        return -1;
    ls_heap_set_sample_mean(SAMPLE_MEAN);
    ls_heap_set_mode(LS_HEAP_SAMPLED);
    return 0;
}

/* The next allocation is chosen. */
static void *sampled(size_t size, size_t alignment)
{
    void *block = NULL;

    while (block == NULL)
        block = ls_heap_allocate(size, alignment, false);
    return block;
}

static struct ls_tally heap_tally(void)
{
    struct ls_tally sum = {0};

    ls_ledger_drain();
    for (uint32_t i = 0; i < ls_stack_table_count(&ls_ledger.stacks); i++)
        ls_tally_add(&sum, ls_ledger_stack_tally(LS_RESOURCE_HEAP, i));
    return sum;
}

static void a_tracked_block_holds_what_was_asked_for_and_keeps_it(void **state)
{
    const size_t sizes[] = {0, 1, 8, 24, 100, 4096, 100000, (size_t)5 << 20};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        unsigned char *block = sampled(sizes[i], 0);
        size_t usable = ls_heap_usable_size(block);

        assert_true(ls_memory_is_tracked(block));
        assert_int_equal((uintptr_t)block % 16, 0);
        assert_true(usable >= sizes[i]);
        memset(block, 0xa5, usable); /* the host may use all of it */
        ls_heap_free(block);
    }
    assert_int_equal(ls_heap_damaged_blocks(), 0);
    assert_true(heap_tally().live_bytes == 0);
}

static void a_tracked_block_is_in_the_ledger_with_its_weight(void **state)
{
    struct ls_tally before = heap_tally();
    void *block = sampled(1000, 0);
    double weight = ls_sampler_weight(1000, SAMPLE_MEAN);

    (void)state;
    assert_true(fabs(heap_tally().live_count - before.live_count - weight) < 1e-6);
    assert_true(fabs(heap_tally().live_bytes - before.live_bytes - 1000 * weight) < 1e-3);
    assert_true(heap_tally().variance_bytes > 0);
    ls_heap_free(block);
    assert_true(heap_tally().live_bytes == 0);
}

/* There is no unwinder in this test: the stack is empty, and one like any other. */
static void a_block_without_a_stack_is_not_counted_under_the_overflow(void **state)
{
    void *block = sampled(1000, 0);

    (void)state;
    assert_true(heap_tally().live_bytes > 0);
    assert_true(ls_ledger_stack_tally(LS_RESOURCE_HEAP, LS_STACK_OVERFLOW)->acquired_count == 0);
    ls_heap_free(block);
}

static void errno_is_kept(void **state)
{
    void *block;

    (void)state;
    errno = 77;
    block = sampled(100, 0);
    assert_int_equal(errno, 77);
    ls_heap_free(block);
    assert_int_equal(errno, 77);
}

static void alignment_is_what_was_asked_for(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= (size_t)2 << 20; alignment *= 2) {
        unsigned char *block = sampled(100, alignment);

        assert_int_equal((uintptr_t)block % alignment, 0);
        memset(block, 1, 100);
        ls_heap_free(block);
    }
    assert_int_equal(ls_heap_damaged_blocks(), 0);
}

static void zeroed_blocks_are_zero(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        unsigned char *block = sampled(3000, 0);

        memset(block, 0xff, 3000);
        ls_heap_free(block);
        block = NULL;
        while (block == NULL)
            block = ls_heap_allocate(3000, 0, true);
        for (size_t j = 0; j < 3000; j++)
            assert_int_equal(block[j], 0);
        ls_heap_free(block);
    }
}

static void sizes_beyond_reason_are_left_to_the_real_allocator(void **state)
{
    (void)state;
    assert_null(ls_heap_allocate((size_t)PTRDIFF_MAX, 0, false));
    assert_null(ls_heap_allocate(SIZE_MAX, 0, false));
    assert_null(ls_heap_allocate((size_t)1 << 47, 0, false)); /* more than the range holds */
    assert_true(heap_tally().live_bytes == 0);
}

static void a_resized_block_keeps_its_contents_and_its_account(void **state)
{
    unsigned char *block = sampled(100, 0);
    size_t size = 100;

    (void)state;
    memset(block, 0x3c, size);
    for (int i = 0; i < 200; i++) {
        size_t new_size = 1 + (size_t)i * 7919 % 20000;
        size_t kept = new_size < size ? new_size : size;
        void *resized;

        if (!ls_memory_is_tracked(block)) { /* it was not chosen this time */
            free(block);
            block = sampled(new_size, 0);
        } else {
            ls_hot.countdown = i % 2 == 0 ? 0 : LS_COUNTDOWN_NEVER; /* chosen or not, in turn */
            assert_true(ls_heap_resize(block, new_size, &resized));
            block = resized;
            assert_int_equal(ls_memory_is_tracked(block), i % 2 == 0);
            for (size_t j = 0; j < kept; j++)
                assert_int_equal(block[j], 0x3c);
        }
        memset(block, 0x3c, new_size);
        size = new_size;
    }
    if (ls_memory_is_tracked(block))
        ls_heap_free(block);
    else
        free(block);
    assert_true(heap_tally().live_bytes == 0);
    assert_int_equal(ls_heap_damaged_blocks(), 0);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), 0);
}

static void a_failed_resize_leaves_the_block_and_its_account(void **state)
{
    unsigned char *block = sampled(100, 0);
    double live = heap_tally().live_bytes;
    void *resized = NULL;

    (void)state;
    memset(block, 7, 100);
    ls_hot.countdown = 0;
    assert_false(ls_heap_resize(block, (size_t)1 << 46, &resized));
    ls_hot.countdown = LS_COUNTDOWN_NEVER;
    assert_false(ls_heap_resize(block, (size_t)1 << 46, &resized));
    assert_false(ls_heap_resize(block, SIZE_MAX, &resized));
    assert_true(heap_tally().live_bytes == live);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(block[i], 7);
    ls_heap_free(block);
    assert_int_equal(ls_heap_damaged_blocks(), 0);
    assert_true(heap_tally().live_bytes == 0);
}

static void an_overwritten_tag_is_counted_and_the_block_is_kept(void **state)
{
    unsigned char *block = sampled(100, 0);
    uint64_t damaged = ls_heap_damaged_blocks();
    uint64_t lost = ls_load_relaxed(&ls_ledger.lost_releases);
    void *resized;

    (void)state;
    block[-3] ^= 0x55; /* as a write past the end of the block in front would */
    ls_heap_free(block);
    assert_int_equal(ls_heap_damaged_blocks(), damaged + 1);
    assert_int_equal(ls_load_relaxed(&ls_ledger.lost_releases), lost + 1);
    for (int i = 0; i < 100; i++)
        assert_ptr_not_equal(sampled(100, 0), block);
    assert_int_equal(ls_heap_usable_size(block), 0);
    assert_false(ls_heap_resize(block, 200, &resized));
    assert_int_equal(ls_heap_damaged_blocks(), damaged + 2);
}

static void every_bit_of_the_tag_is_checked(void **state)
{
    unsigned char *block = sampled(100, 0);
    unsigned char *tag = block - 16;
    uint64_t damaged = ls_heap_damaged_blocks();

    (void)state;
    /* Sixteen of the seventeen check bits carry: one flip in 65,536 may pass, so none of 128 does.
     */
    for (unsigned bit = 0; bit < 128; bit++) {
        tag[bit / 8] ^= (unsigned char)(1u << bit % 8);
        ls_heap_free(block);
        assert_int_equal(ls_heap_damaged_blocks(), damaged + bit + 1);
        tag[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    ls_heap_free(block);
    assert_int_equal(ls_heap_damaged_blocks(), damaged + 128);
}

/* The host's allocator, which would end the process over a block that is not its own. */
static unsigned judged_by_host;

static void host_free(void *block)
{
    (void)block;
    judged_by_host++;
}

static void *host_realloc(void *block, size_t size)
{
    (void)block;
    (void)size;
    judged_by_host++;
    return NULL;
}

static void check_double_free(size_t size)
{
    struct ls_real_functions real = ls_real;
    void *block = sampled(size, 0);
    uint64_t refused = ls_heap_damaged_blocks() + judged_by_host;
    void *resized;
    double live;

    ls_heap_free(block);
    live = heap_tally().live_bytes;
    ls_real.free = host_free;
    ls_real.realloc = host_realloc;
    ls_heap_free(block);
    ls_heap_free(block);
    ls_hot.countdown = 0;
    if (ls_heap_resize(block, size + 1, &resized)) {
        assert_ptr_not_equal(resized, block);
        assert_false(ls_memory_is_tracked(resized));
        real.free(resized);
    }
    ls_real = real;
    /* Handed to the host's allocator while the mark is there, counted when its page is gone. */
    assert_int_equal(ls_heap_damaged_blocks() + judged_by_host, refused + 3);
    assert_true(heap_tally().live_bytes == live);
}

static void a_double_free_is_the_host_allocators_to_judge_and_frees_once(void **state)
{
    void *first;
    void *second;

    (void)state;
    check_double_free(100);
    assert_int_equal(judged_by_host, 3);
    first = sampled(100, 0);
    second = sampled(100, 0);
    assert_ptr_not_equal(first, second);
    ls_heap_free(first);
    ls_heap_free(second);
    check_double_free(20000);
}

static void a_double_free_of_a_large_block_frees_once(void **state)
{
    (void)state;
    check_double_free(60000);
    check_double_free((size_t)1 << 20);
    check_double_free((size_t)20 << 20);
}

static void the_old_address_of_a_moved_block_frees_nothing(void **state)
{
    struct ls_real_functions real = ls_real;
    void *block = sampled(100, 0);
    unsigned judged = judged_by_host;
    double live;
    void *resized;

    (void)state;
    ls_hot.countdown = 0;
    assert_true(ls_heap_resize(block, 50000, &resized));
    assert_ptr_not_equal(resized, block);
    live = heap_tally().live_bytes;
    ls_real.free = host_free;
    ls_heap_free(block);
    ls_real = real;
    assert_int_equal(judged_by_host, judged + 1);
    assert_true(heap_tally().live_bytes == live);
    ls_heap_free(resized);
}

static void a_block_freed_inside_a_hook_is_given_back_when_that_ends(void **state)
{
    void *block = sampled(100, 0);
    bool reused = false;
    double live;

    (void)state;
    live = heap_tally().live_bytes;
    assert_non_null(ls_thread_enter()); /* the hook that a handler interrupts */
    assert_null(ls_heap_allocate((size_t)8 << 20, 0, false));
    ls_heap_free(block);
    assert_true(heap_tally().live_bytes < live);
    assert_ptr_equal(ls_load_relaxed(&ls_hot.deferred), (char *)block - 16);
    ls_thread_leave();
    assert_null(ls_load_relaxed(&ls_hot.deferred));
    for (int i = 0; i < 10; i++)
        reused = reused || sampled(100, 0) == block;
    assert_true(reused);
}

static void after_a_stop_the_first_block_is_not_chosen_for_certain(void **state)
{
    unsigned chosen = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        void *block;

        ls_heap_set_mode(LS_HEAP_WAITING);
        ls_hot.countdown = 0;
        assert_null(ls_heap_allocate(16, 0, false));
        ls_heap_set_mode(LS_HEAP_SAMPLED);
        block = ls_heap_allocate(16, 0, false);
        if (block != NULL) {
            chosen++;
            ls_heap_free(block);
        }
    }
    assert_true(chosen <= 2); /* 200 * 16 bytes of 512 KiB */
}

static void once_off_a_thread_does_not_ask_again(void **state)
{
    uint64_t countdown = ls_hot.countdown;

    (void)state;
    ls_heap_set_mode(LS_HEAP_OFF);
    assert_null(ls_heap_allocate(16, 0, false));
    assert_true(ls_hot.countdown == LS_COUNTDOWN_NEVER);
    ls_heap_set_mode(LS_HEAP_SAMPLED);
    ls_hot.countdown = countdown;
}

/* As malloc does it. */
static void *host_allocate(size_t size)
{
    if (size >= ls_hot.countdown)
        return ls_heap_allocate(size, 0, false);
    ls_hot.countdown -= size;
    return NULL;
}

/*
 * The whole way, thread by thread: what the slots in the ledger add up to is, over many runs, what
 * was allocated, and varies as the theory says.
 */
#define RUNS         400
#define BLOCKS_A_RUN 2000

static void estimate(size_t size)
{
    double chance = -expm1(-(double)size / (double)SAMPLE_MEAN);
    double truth = (double)BLOCKS_A_RUN * (double)size;
    double variance = BLOCKS_A_RUN * (double)size * (double)size * (1 - chance) / chance;
    double sum = 0;
    double squares = 0;
    double claimed_variance = 0;
    double spread;

    for (int run = 0; run < RUNS; run++) {
        static void *blocks[BLOCKS_A_RUN];
        struct ls_tally tally;
        size_t count = 0;

        for (int i = 0; i < BLOCKS_A_RUN; i++) {
            void *block = host_allocate(size);

            if (block != NULL)
                blocks[count++] = block;
        }
        tally = heap_tally();
        sum += tally.live_bytes;
        squares += (tally.live_bytes - truth) * (tally.live_bytes - truth);
        claimed_variance += tally.variance_bytes;
        while (count > 0)
            ls_heap_free(blocks[--count]);
        assert_true(heap_tally().live_bytes == 0);
    }
    spread = sqrt((2 + 1 / (BLOCKS_A_RUN * chance)) / RUNS); /* see test_sampler.c */
    assert_true(fabs(sum / RUNS - truth) < 4 * sqrt(variance / RUNS));
    assert_true(fabs(squares / RUNS / variance - 1) < 5 * spread);
    assert_true(fabs(claimed_variance / RUNS / variance - 1) < 5 * spread);
}

static void forget_live_blocks(void)
{
    /* What earlier tests damaged stays live on purpose. */
    ls_ledger_drain();
    memset(ls_ledger.stack_tallies[LS_RESOURCE_HEAP], 0,
           ls_ledger.stacks.capacity * sizeof(struct ls_tally));
}

static void the_ledger_estimates_small_blocks_without_bias(void **state)
{
    (void)state;
    forget_live_blocks();
    ls_hot.thread->random = 42;
    ls_hot.countdown = (uint64_t)ls_sampler_distance(&ls_hot.thread->random, SAMPLE_MEAN);
    estimate(4096);
    estimate(700);
}

static void the_ledger_estimates_large_blocks_without_bias(void **state)
{
    (void)state;
    ls_hot.thread->random = 43;
    estimate((size_t)200 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tracked_block_holds_what_was_asked_for_and_keeps_it),
        cmocka_unit_test(a_tracked_block_is_in_the_ledger_with_its_weight),
        cmocka_unit_test(a_block_without_a_stack_is_not_counted_under_the_overflow),
        cmocka_unit_test(errno_is_kept),
        cmocka_unit_test(alignment_is_what_was_asked_for),
        cmocka_unit_test(zeroed_blocks_are_zero),
        cmocka_unit_test(sizes_beyond_reason_are_left_to_the_real_allocator),
        cmocka_unit_test(a_resized_block_keeps_its_contents_and_its_account),
        cmocka_unit_test(a_failed_resize_leaves_the_block_and_its_account),
        cmocka_unit_test(an_overwritten_tag_is_counted_and_the_block_is_kept),
        cmocka_unit_test(every_bit_of_the_tag_is_checked),
        cmocka_unit_test(a_double_free_is_the_host_allocators_to_judge_and_frees_once),
        cmocka_unit_test(a_double_free_of_a_large_block_frees_once),
        cmocka_unit_test(the_old_address_of_a_moved_block_frees_nothing),
        cmocka_unit_test(a_block_freed_inside_a_hook_is_given_back_when_that_ends),
        cmocka_unit_test(after_a_stop_the_first_block_is_not_chosen_for_certain),
        cmocka_unit_test(once_off_a_thread_does_not_ask_again),
        cmocka_unit_test(the_ledger_estimates_small_blocks_without_bias),
        cmocka_unit_test(the_ledger_estimates_large_blocks_without_bias),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
