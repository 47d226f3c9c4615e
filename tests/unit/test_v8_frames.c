#include "v8/frames.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/js_function.h"
#include "system/memory.h"
#include "v8_image.h"

#define FRAMES 40

static struct v8_image image;
static const struct ls_managed *managed;
static void *memory;
static int isolate_of_the_test;
/* Below each frame pointer, a word each: the context, the function, a count, the bytecode. */
#define FRAME_WORDS 6
static uintptr_t stack[FRAMES * FRAME_WORDS];
static struct ls_managed_frame frames[FRAMES];

static void *current_isolate(void)
{
    return &isolate_of_the_test;
}

static int set_up_all(void **state)
{
    static struct ls_v8_symbols symbols;

    (void)state;
    symbols.isolate_current = current_isolate;
    symbols.scope = RTLD_DEFAULT;
    managed = ls_v8_frames_start(&symbols);
    return managed != NULL && ls_memory_start(LS_MEMORY_TRACKED_ONLY) == 0 ? 0 : -1;
}

static int set_up(void **state)
{
    (void)state;
    memset(&image, 0, sizeof(image));
    ls_v8_frames_moved(true); /* what was learned of the last test's image is forgotten */
    return 0;
}

static void put(size_t index, uintptr_t function)
{
    uintptr_t *pointer = &stack[index * FRAME_WORDS + 4];

    pointer[-1] = v8_object(&image, 600, 2);
    pointer[-2] = function;
    frames[index] =
        (struct ls_managed_frame){.frame_pointer = (uintptr_t)pointer, .function = function};
}

static const struct ls_js_function *name_one(uintptr_t function)
{
    put(0, function);
    managed->name(&memory, frames, 1);
    return ls_js_frame_function(frames[0].identity);
}

static int32_t next_script_id(void)
{
    static int32_t id;

    return ++id;
}

static uintptr_t script_of(const char *name, const char *source)
{
    return v8_script(&image, next_script_id(), v8_one_byte(&image, name),
                     v8_one_byte(&image, source));
}

static void a_closure_leads_to_its_function(void **state)
{
    struct v8_function function = {.name = v8_one_byte(&image, "getData"),
                                   .script = script_of("/app/src/cache.js", "\n\n  function()"),
                                   .position = 12};
    const struct ls_js_function *found = name_one(v8_closure(&image, &function));

    (void)state;
    assert_non_null(found);
    assert_string_equal(found->name, "getData");
    assert_string_equal(found->script, "/app/src/cache.js");
    assert_int_equal(found->line, 3);
    assert_int_equal(found->column, 11);
    assert_true(found->user_code);
}

static void an_empty_name_gives_way_to_the_inferred_one(void **state)
{
    struct v8_function function = {.name = v8_one_byte(&image, ""),
                                   .inferred = v8_one_byte(&image, "object.deep.er"),
                                   .script = script_of("/app/a.js", "x")};
    struct v8_function nameless = {.script = script_of("node:zlib", "x")};

    (void)state;
    assert_string_equal(name_one(v8_closure(&image, &function))->name, "object.deep.er");
    assert_string_equal(name_one(v8_closure(&image, &nameless))->name, "(anonymous)");
    assert_false(name_one(v8_closure(&image, &nameless))->user_code);
}

static void names_are_found_behind_any_number_of_locals(void **state)
{
    static const int32_t locals[] = {0, 1, 74, 75, 76, 200};

    (void)state;
    for (size_t i = 0; i < sizeof(locals) / sizeof(locals[0]); i++) {
        struct v8_function function = {.name = v8_one_byte(&image, "crowded"),
                                       .script = script_of("/app/many.js", "abc"),
                                       .position = 2,
                                       .locals = locals[i]};
        const struct ls_js_function *found = name_one(v8_closure(&image, &function));

        assert_non_null(found);
        assert_string_equal(found->name, "crowded");
        assert_int_equal(found->column, 3);
    }
}

static void frames_without_a_function_have_no_name(void **state)
{
    (void)state;
    assert_null(name_one(0));
    assert_null(name_one(v8_small(7)));
    assert_null(name_one(1));
    assert_null(name_one(0x7fffdeadbeef0001));
    assert_null(name_one(v8_object(&image, TYPE_FUNCTION, 8)));
}

static void a_builtin_frame_is_told_by_its_kind(void **state)
{
    struct v8_function function = {.script = script_of("/app/a.js", "x")};
    uintptr_t closure = v8_closure(&image, &function);

    (void)state;
    put(0, closure);
    stack[3] = v8_small(17);
    managed->name(&memory, frames, 1);
    assert_int_equal(frames[0].identity, 0);
}

static void among_many_frames_each_gets_its_own(void **state)
{
    uintptr_t script = script_of("/app/deep.js", "                                          ");

    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        struct v8_function function = {.script = script, .position = (int32_t)i};

        put(i, i % 5 == 2 ? v8_small(1) : v8_closure(&image, &function));
    }
    managed->name(&memory, frames, FRAMES);
    for (size_t i = 0; i < FRAMES; i++) {
        const struct ls_js_function *found = ls_js_frame_function(frames[i].identity);

        if (i % 5 == 2)
            assert_null(found);
        else
            assert_int_equal(found->column, i + 1);
    }
}

/* During a collection the map's place may hold where the object went. */
static void what_may_be_known_later_is_told_from_what_never_will(void **state)
{
    struct v8_function function = {.script = script_of("/app/a.js", "x")};
    uintptr_t closure = v8_closure(&image, &function);
    uintptr_t shared = v8_words(closure)[4];
    uintptr_t map = v8_words(shared)[0];

    (void)state;
    v8_words(shared)[0] = map - 1;
    assert_null(name_one(closure));
    assert_true(frames[0].unsure);
    v8_words(shared)[0] = map;
    assert_non_null(name_one(closure));
    assert_false(frames[0].unsure);
    ls_v8_frames_moved(true);
    v8_words(shared)[4] = v8_object(&image, 131, 4); /* V8's undefined */
    assert_null(name_one(closure));
    assert_false(frames[0].unsure);
    assert_null(name_one(v8_small(2)));
    assert_false(frames[0].unsure);
}

static void a_frame_without_bytecode_runs_optimised_code(void **state)
{
    struct v8_function function = {.script = script_of("/app/a.js", "x")};
    uintptr_t closure = v8_closure(&image, &function);
    const uintptr_t others[] = {0, v8_small(3), v8_one_byte(&image, "x"), UINTPTR_MAX - 2};
    const struct ls_js_function *found;

    (void)state;
    put(0, closure);
    stack[0] = v8_object(&image, TYPE_BYTECODE, 4);
    managed->name(&memory, frames, 1);
    assert_int_equal(frames[0].identity & LS_JS_FRAME_OPTIMISED, 0);
    found = ls_js_frame_function(frames[0].identity);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        stack[0] = others[i];
        managed->name(&memory, frames, 1);
        assert_int_equal(frames[0].identity & LS_JS_FRAME_OPTIMISED, LS_JS_FRAME_OPTIMISED);
        assert_ptr_equal(ls_js_frame_function(frames[0].identity), found);
    }
}

static void shared_data_is_looked_at_anew_after_a_major_collection(void **state)
{
    struct v8_function first = {.name = v8_one_byte(&image, "first"),
                                .script = script_of("/app/a.js", "x")};
    struct v8_function second = {.name = v8_one_byte(&image, "second"),
                                 .script = script_of("/app/b.js", "x")};
    uintptr_t closure = v8_closure(&image, &first);
    uintptr_t other = v8_closure(&image, &second);
    uintptr_t shared = v8_words(closure)[4];

    (void)state;
    assert_string_equal(name_one(closure)->name, "first");
    memcpy(v8_words(shared), v8_words(v8_words(other)[4]), 6 * sizeof(uintptr_t));
    ls_v8_frames_moved(true);
    assert_string_equal(name_one(closure)->name, "second");
}

static uint64_t random_state = 42;

static uint64_t random_number(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return random_state >> 16;
}

/* A word of the image, or from nowhere. */
static uintptr_t random_word(void)
{
    switch (random_number() % 5) {
    case 0:
        return (uintptr_t)&image.words[random_number() % IMAGE_WORDS] + 1;
    case 1:
        return random_number() | 1;
    case 2:
        return v8_small((int32_t)random_number());
    case 3:
        return random_number() << 40 | 1;
    default:
        return 0;
    }
}

/* Whatever lies in the heap, the host lives: words anywhere on the way become others. */
static void no_word_of_the_heap_can_do_harm(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct v8_function function = {0};
        uintptr_t closure;

        image.used = 0;
        ls_v8_frames_moved(true);
        function.name = v8_one_byte(&image, "getData");
        function.script = v8_script(&image, 1 + round % 100000, v8_one_byte(&image, "/app/a.js"),
                                    v8_pair(&image, TYPE_CONS_ONE, 30, v8_one_byte(&image, "a\nb"),
                                            v8_one_byte(&image, "")));
        function.position = round % 4;
        closure = v8_closure(&image, &function);
        for (uint64_t i = 1 + random_number() % 4; i > 0; i--)
            image.words[random_number() % image.used] = random_word();
        for (size_t i = 0; i < 4; i++)
            put(i, i == 3 ? random_word() : closure);
        managed->name(&memory, frames, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_closure_leads_to_its_function, set_up),
        cmocka_unit_test_setup(an_empty_name_gives_way_to_the_inferred_one, set_up),
        cmocka_unit_test_setup(names_are_found_behind_any_number_of_locals, set_up),
        cmocka_unit_test_setup(frames_without_a_function_have_no_name, set_up),
        cmocka_unit_test_setup(a_builtin_frame_is_told_by_its_kind, set_up),
        cmocka_unit_test_setup(among_many_frames_each_gets_its_own, set_up),
        cmocka_unit_test_setup(what_may_be_known_later_is_told_from_what_never_will, set_up),
        cmocka_unit_test_setup(a_frame_without_bytecode_runs_optimised_code, set_up),
        cmocka_unit_test_setup(shared_data_is_looked_at_anew_after_a_major_collection, set_up),
        cmocka_unit_test_setup(no_word_of_the_heap_can_do_harm, set_up),
    };

    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
