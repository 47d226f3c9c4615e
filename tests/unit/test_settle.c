#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ledger/js_function.h"
#include "ledger/ledger.h"
#include "system/memory.h"

/* A program's functions, and one of Node's. Native frames have no module in these stacks, so what
 * is inside of JavaScript is empty; `other_native` makes a difference by the resource. */
static const struct ls_js_function main_js = {.key = 11, .name = "main", .user_code = true};
static const struct ls_js_function handler = {.key = 12, .name = "handler", .user_code = true};
static const struct ls_js_function read_body = {.key = 13, .name = "readBody", .user_code = true};
static const struct ls_js_function helper = {.key = 14, .name = "helper", .user_code = true};
static const struct ls_js_function alloc = {.key = 15, .name = "alloc"};
static const struct ls_js_function concat = {.key = 16, .name = "concat"};

static enum ls_resource resource;

static int start(void **state)
{
    const struct ls_ledger_limits limits = {
        .stacks = 2048, .slots = LS_LIVE_CHUNK_SLOTS, .ring_events = 64};

    (void)state;
    return ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_ledger_start(&limits) != 0 ? -1 : 0;
}

/* Sites of one resource are not those of another: each test has its own. */
static int next_resource(void **state)
{
    static const enum ls_resource resources[] = {LS_RESOURCE_HEAP,   LS_RESOURCE_MAP,
                                                 LS_RESOURCE_SOCKET, LS_RESOURCE_FILE,
                                                 LS_RESOURCE_THREAD, LS_RESOURCE_CUSTOM};
    static size_t next;

    (void)state;
    resource = resources[next++];
    return 0;
}

#define OPTIMISED(function) (ls_js_frame(&(function)) | LS_JS_FRAME_OPTIMISED)
#define PLAIN(function)     ls_js_frame(&(function))

/* The site of a block taken at that stack, innermost frame first. */
static struct ls_site *site_at(const uintptr_t *frames, size_t depth)
{
    static uint64_t now = 1;
    uint32_t stack = ls_stack_table_intern(&ls_ledger.stacks, frames, depth, now++);

    ls_ledger_acquire(resource, stack, 100, 1, now);
    ls_ledger_drain();
    ls_ledger_settle_sites(ls_stack_table_count(&ls_ledger.stacks), NULL);
    return ls_ledger.stack_sites[resource][stack];
}

#define SITE_AT(...)                                                                               \
    site_at((const uintptr_t[]){__VA_ARGS__},                                                      \
            sizeof((const uintptr_t[]){__VA_ARGS__}) / sizeof(uintptr_t))

static void a_site_is_the_programs_own_function_nearest_to_the_call(void **state)
{
    struct ls_site *site = SITE_AT(PLAIN(alloc), PLAIN(read_body), PLAIN(handler));

    (void)state;
    assert_ptr_equal(site, SITE_AT(PLAIN(alloc), PLAIN(read_body), PLAIN(main_js)));
    assert_ptr_equal(site, SITE_AT(PLAIN(concat), PLAIN(alloc), PLAIN(read_body)));
    assert_ptr_equal(site, SITE_AT(PLAIN(read_body)));
    assert_ptr_equal(site, SITE_AT(OPTIMISED(alloc), PLAIN(read_body)));
    assert_ptr_not_equal(site, SITE_AT(PLAIN(alloc), PLAIN(helper)));
    assert_true(site->tally.live_count == 5);
}

static void without_a_function_of_the_programs_the_innermost_counts(void **state)
{
    struct ls_site *site = SITE_AT(PLAIN(alloc), PLAIN(concat));

    (void)state;
    assert_ptr_equal(site, SITE_AT(PLAIN(alloc)));
    assert_ptr_not_equal(site, SITE_AT(PLAIN(concat)));
}

static void what_an_inlined_function_takes_stays_its_own(void **state)
{
    struct ls_site *site = SITE_AT(PLAIN(alloc), PLAIN(read_body), PLAIN(handler), PLAIN(main_js));

    (void)state;
    assert_ptr_equal(site, SITE_AT(OPTIMISED(handler), PLAIN(main_js)));
    assert_ptr_equal(site, SITE_AT(PLAIN(concat), OPTIMISED(handler)));
    /* And once more, when the handler is inlined in its turn. */
    assert_ptr_equal(site, SITE_AT(OPTIMISED(main_js)));
    assert_true(site->tally.live_count == 4);
}

static void a_function_that_took_blocks_itself_keeps_them(void **state)
{
    struct ls_site *inner = SITE_AT(PLAIN(read_body), PLAIN(handler));
    struct ls_site *own = SITE_AT(PLAIN(handler));

    (void)state;
    assert_ptr_not_equal(inner, own);
    assert_ptr_equal(own, SITE_AT(OPTIMISED(handler)));
}

static void code_that_was_not_optimised_has_nothing_inlined(void **state)
{
    struct ls_site *inner = SITE_AT(PLAIN(read_body), PLAIN(handler));

    (void)state;
    assert_ptr_not_equal(inner, SITE_AT(PLAIN(handler), PLAIN(main_js)));
}

static void an_optimised_function_without_a_past_is_a_site(void **state)
{
    struct ls_site *site = SITE_AT(OPTIMISED(helper), PLAIN(main_js));

    (void)state;
    assert_ptr_not_equal(site, SITE_AT(OPTIMISED(read_body), PLAIN(helper)));
    assert_ptr_equal(site, SITE_AT(OPTIMISED(helper)));
}

/* What the engine took for itself, by a program counter that stands for its collector. */
#define COLLECTOR ((uintptr_t)0x5000)

static const struct ls_js_function first_js = {.key = 21, .name = "first", .user_code = true};
static const struct ls_js_function second_js = {.key = 22, .name = "second", .user_code = true};

static enum ls_dispatch is_no_dispatch(const struct ls_module *module, uintptr_t pc)
{
    (void)module;
    (void)pc;
    return LS_DISPATCH_NOT;
}

/* In a module, the C library: a native function that JavaScript calls, what the engine calls it by,
 * and another one. */
#define CALLBACK  ((uintptr_t)&qsort + 1)
#define ARGUMENTS ((uintptr_t)&qsort + 2)
#define HELPER    ((uintptr_t)&qsort + 3)
#define STUB      ((uintptr_t)&qsort + 4)
#define FAST_STUB ((uintptr_t)&qsort + 5)
#define OTHER     ((uintptr_t)&qsort + 6)

/* As an engine without its symbols tells it: exported names only. */
static enum ls_dispatch dispatch_of(const struct ls_module *module, uintptr_t pc)
{
    (void)module;
    if (pc == ARGUMENTS)
        return LS_DISPATCH_YES;
    return pc == CALLBACK || pc == HELPER || pc == STUB || pc == FAST_STUB ? LS_DISPATCH_MAYBE
                                                                           : LS_DISPATCH_NOT;
}

static enum ls_site_engine engine_of(const struct ls_stack *stack)
{
    return stack->pcs[0] == COLLECTOR ? LS_SITE_ENGINE_HEAP : LS_SITE_OF_PROGRAM;
}

static void what_the_engine_takes_for_itself_has_no_function(void **state)
{
    static const struct ls_ledger_code code = {is_no_dispatch, engine_of};
    const uintptr_t stacks[3][2] = {
        {COLLECTOR, PLAIN(first_js)}, {COLLECTOR, PLAIN(second_js)}, {0x6000, PLAIN(second_js)}};
    struct ls_site *sites[3];

    (void)state;
    resource = LS_RESOURCE_HEAP;
    for (int i = 0; i < 3; i++) {
        uint32_t stack = ls_stack_table_intern(&ls_ledger.stacks, stacks[i], 2, 1);

        ls_ledger_acquire(resource, stack, 100, 1, 1);
        ls_ledger_drain();
        ls_ledger_settle_sites(ls_stack_table_count(&ls_ledger.stacks), &code);
        sites[i] = ls_ledger.stack_sites[resource][stack];
    }
    assert_ptr_equal(sites[0], sites[1]);
    assert_int_equal(sites[0]->origin, LS_SITE_ENGINE_HEAP);
    assert_false(sites[0]->in_js);
    assert_ptr_not_equal(sites[0], sites[2]);
    assert_int_equal(sites[2]->origin, LS_SITE_OF_PROGRAM);
    assert_true(sites[2]->in_js);
}

static enum ls_site_engine of_program(const struct ls_stack *stack)
{
    (void)stack;
    return LS_SITE_OF_PROGRAM;
}

static void a_call_is_the_same_by_every_way_of_a_nameless_engine(void **state)
{
    static const struct ls_ledger_code code = {dispatch_of, of_program};
    const uintptr_t slow[] = {CALLBACK, ARGUMENTS, HELPER, STUB, PLAIN(first_js)};
    const uintptr_t fast[] = {CALLBACK, FAST_STUB, PLAIN(first_js)};
    const uintptr_t other[] = {OTHER, FAST_STUB, PLAIN(first_js)};
    const struct {
        const uintptr_t *pcs;
        uint32_t depth;
    } stacks[3] = {{slow, 5}, {fast, 3}, {other, 3}};
    struct ls_site *sites[3];

    (void)state;
    resource = LS_RESOURCE_HEAP;
    ls_modules_refresh(&ls_ledger.modules, 1);
    for (int i = 0; i < 3; i++) {
        uint32_t stack =
            ls_stack_table_intern(&ls_ledger.stacks, stacks[i].pcs, stacks[i].depth, 1);

        ls_ledger_acquire(resource, stack, 100, 1, 1);
        ls_ledger_drain();
        ls_ledger_settle_sites(ls_stack_table_count(&ls_ledger.stacks), &code);
        sites[i] = ls_ledger.stack_sites[resource][stack];
    }
    assert_ptr_equal(sites[0], sites[1]);
    assert_ptr_not_equal(sites[0], sites[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_site_is_the_programs_own_function_nearest_to_the_call,
                               next_resource),
        cmocka_unit_test_setup(without_a_function_of_the_programs_the_innermost_counts,
                               next_resource),
        cmocka_unit_test_setup(what_an_inlined_function_takes_stays_its_own, next_resource),
        cmocka_unit_test_setup(a_function_that_took_blocks_itself_keeps_them, next_resource),
        cmocka_unit_test_setup(code_that_was_not_optimised_has_nothing_inlined, next_resource),
        cmocka_unit_test_setup(an_optimised_function_without_a_past_is_a_site, next_resource),
        cmocka_unit_test(what_the_engine_takes_for_itself_has_no_function),
        cmocka_unit_test(a_call_is_the_same_by_every_way_of_a_nameless_engine),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
