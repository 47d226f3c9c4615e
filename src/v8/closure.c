#include "v8/closure.h"

#define WORD sizeof(uintptr_t)

/* A scope info: words after the map
 * (https://github.com/nodejs/node/blob/v24.x/deps/v8/src/objects/scope-info.tq; the bits are the
 * same from V8 10.2 to 13.6). From V8 13 on positions come before the locals, in that order, and
 * the flags are a plain number. */
enum {
    SCOPE_FLAGS = 0,
    SCOPE_LOCALS = 2,
    SCOPE_POSITION = 3, /* where it comes before the locals */
    SCOPE_FIRST_LOCAL_BEHIND_POSITION = 5,
    SCOPE_NAMES_INLINE_MAX = 75,

    SCOPE_TYPE_MASK = 15,
    SCOPE_TYPE_MODULE = 5, /* in those versions */
    SCOPE_HAS_CLASS_VARIABLE = 1 << 10,
    SCOPE_HAS_FUNCTION_NAME = 3 << 12,
    SCOPE_HAS_INFERRED_NAME = 1 << 14,
};

struct ls_guarded_read ls_v8_read_object(uintptr_t object, void *into, size_t size)
{
    if (!ls_v8_is_object(object))
        return (struct ls_guarded_read){.size = 0};
    return (struct ls_guarded_read){.address = object - 1, .into = into, .size = size};
}

struct ls_guarded_read ls_v8_read_type(const struct ls_v8_layout *layout, uintptr_t map,
                                       uint16_t *type)
{
    if (!ls_v8_is_object(map))
        return (struct ls_guarded_read){.size = 0};
    return (struct ls_guarded_read){.address = ls_v8_field(map, layout->map_instance_type),
                                    .into = type,
                                    .size = sizeof(*type)};
}

static uintptr_t at(const uintptr_t *words, int offset)
{
    return words[(size_t)offset / WORD];
}

static bool position_comes_first(const struct ls_v8_layout *layout)
{
    return layout->scope_first_local == SCOPE_FIRST_LOCAL_BEHIND_POSITION;
}

bool ls_v8_closure_fits(const struct ls_v8_layout *layout)
{
    return layout->shared_script < (int)(LS_V8_SHARED_WORDS * WORD) &&
           layout->shared_name < (int)(LS_V8_SHARED_WORDS * WORD) &&
           ls_v8_script_id(layout) < (int)(LS_V8_SCRIPT_WORDS * WORD) &&
           (layout->scope_first_local == SCOPE_POSITION || position_comes_first(layout));
}

static const uintptr_t *scope_of(const struct ls_v8_closure *closure)
{
    return &closure->scope_words[1];
}

static uint32_t scope_flags(const struct ls_v8_layout *layout, const struct ls_v8_closure *closure)
{
    uintptr_t word = scope_of(closure)[SCOPE_FLAGS];

    return position_comes_first(layout) ? (uint32_t)word : (uint32_t)ls_v8_small(word);
}

/* Index, after the map, of what follows the locals: the function's name first, if it has one. */
static size_t index_of_names(const struct ls_v8_layout *layout, const struct ls_v8_closure *closure)
{
    uint32_t locals = (uint32_t)ls_v8_small(scope_of(closure)[SCOPE_LOCALS]);
    uint32_t names = locals < SCOPE_NAMES_INLINE_MAX ? locals : 1;
    bool class_variable = (scope_flags(layout, closure) & SCOPE_HAS_CLASS_VARIABLE) != 0;

    return (size_t)layout->scope_first_local + names + locals + class_variable;
}

/* The reads of one level of one function. */
typedef void plan_level(const struct ls_v8_layout *layout, struct ls_v8_closure *closure,
                        struct ls_guarded_read *reads);

static void plan_shared(const struct ls_v8_layout *layout, struct ls_v8_closure *closure,
                        struct ls_guarded_read *reads)
{
    (void)layout;
    reads[0] =
        ls_v8_read_object(closure->shared, closure->shared_words, sizeof(closure->shared_words));
}

static void plan_script_and_scope(const struct ls_v8_layout *layout, struct ls_v8_closure *closure,
                                  struct ls_guarded_read *reads)
{
    reads[0] = ls_v8_read_type(layout, closure->shared_words[0], &closure->shared_type);
    reads[1] = ls_v8_read_object(at(closure->shared_words, layout->shared_script),
                                 closure->script_words, sizeof(closure->script_words));
    reads[2] = ls_v8_read_object(at(closure->shared_words, layout->shared_name),
                                 closure->scope_words, sizeof(closure->scope_words));
}

static void plan_types_and_names(const struct ls_v8_layout *layout, struct ls_v8_closure *closure,
                                 struct ls_guarded_read *reads)
{
    uintptr_t scope = at(closure->shared_words, layout->shared_name);

    reads[0] = ls_v8_read_type(layout, closure->script_words[0], &closure->script_type);
    reads[1] = ls_v8_read_type(layout, closure->scope_words[0], &closure->scope_type);
    reads[2] = (struct ls_guarded_read){.address = scope - 1 +
                                                   (1 + index_of_names(layout, closure)) * WORD,
                                        .into = closure->name_words,
                                        .size = sizeof(closure->name_words)};
}

/* A function one of whose reads fails is not sound, and not followed any further. */
static int read_level(const struct ls_v8_layout *layout, struct ls_v8_closure *closures,
                      size_t count, struct ls_guarded_read *reads, plan_level *plan, size_t each)
{
    int status;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < each; j++)
            reads[i * each + j].size = 0;
        if (closures[i].sound)
            plan(layout, &closures[i], &reads[i * each]);
    }
    status = ls_guarded_read(reads, count * each);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < each; j++)
            closures[i].sound = closures[i].sound && reads[i * each + j].done;
    }
    return status;
}

static void find_names(const struct ls_v8_layout *layout, struct ls_v8_closure *closure)
{
    uint32_t flags = scope_flags(layout, closure);
    const uintptr_t *next = closure->name_words;

    closure->own_name = 0;
    closure->inferred_name = 0;
    if ((flags & SCOPE_HAS_FUNCTION_NAME) != 0) {
        closure->own_name = next[0];
        next += 2;
    }
    if ((flags & SCOPE_HAS_INFERRED_NAME) != 0)
        closure->inferred_name = *next++;
    if (!position_comes_first(layout)) {
        closure->position = (uint32_t)ls_v8_small(*next);
        return;
    }
    closure->position = (uint32_t)ls_v8_small(scope_of(closure)[SCOPE_POSITION]);
    /* A module's scope has one more word first; its code has no name. */
    if ((flags & SCOPE_TYPE_MASK) == SCOPE_TYPE_MODULE)
        closure->own_name = closure->inferred_name = 0;
}

static void find_script(const struct ls_v8_layout *layout, struct ls_v8_closure *closure)
{
    int offset = ls_v8_script_line_offset(layout);

    closure->script = (uint32_t)ls_v8_small(at(closure->script_words, ls_v8_script_id(layout)));
    closure->script_name = at(closure->script_words, layout->script_name);
    closure->source = at(closure->script_words, layout->script_source);
    closure->line_offset = ls_v8_small(at(closure->script_words, offset));
    closure->column_offset = ls_v8_small(at(closure->script_words, offset + (int)WORD));
}

static bool is_sound(const struct ls_v8_layout *layout, const struct ls_v8_closure *closure)
{
    return closure->shared_type == layout->type_shared &&
           closure->script_type == layout->type_script &&
           closure->scope_type == layout->type_scope_info &&
           ls_v8_small(at(closure->script_words, ls_v8_script_id(layout))) > 0;
}

/* Where another has its script it has V8's `undefined`, and no scope of its own. */
static bool is_scriptless(const struct ls_v8_layout *layout, const struct ls_v8_closure *closure)
{
    return closure->shared_type == layout->type_shared &&
           closure->script_type != layout->type_script;
}

int ls_v8_closures_follow(const struct ls_v8_layout *layout, struct ls_v8_closure *closures,
                          size_t count, struct ls_guarded_read *reads)
{
    int status;

    for (size_t i = 0; i < count; i++)
        closures[i].sound = true;
    status = read_level(layout, closures, count, reads, plan_shared, 1);
    if (status == 0)
        status = read_level(layout, closures, count, reads, plan_script_and_scope, 3);
    if (status == 0)
        status = read_level(layout, closures, count, reads, plan_types_and_names, 3);
    for (size_t i = 0; i < count; i++) {
        closures[i].scriptless = closures[i].sound && is_scriptless(layout, &closures[i]);
        closures[i].sound = closures[i].sound && is_sound(layout, &closures[i]);
        if (!closures[i].sound)
            continue;
        find_script(layout, &closures[i]);
        find_names(layout, &closures[i]);
    }
    return status;
}
