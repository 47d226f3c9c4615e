#include "v8/frames.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "ledger/js_function.h"
#include "system/clock.h"
#include "system/guarded_read.h"
#include "system/memory.h"
#include "v8/functions.h"
#include "v8/heap_text.h"
#include "v8/layout.h"

#define WORD         sizeof(uintptr_t)
#define AT_ONCE      32 /* frames */
#define SHARED_WORDS 6
#define SCRIPT_WORDS 10
#define SCOPE_WORDS  6
#define NAME_WORDS   4
#define SHARED_BITS  9
#define PLACE_BITS   10
#define TEXTS        8 /* scripts whose last counted line is kept */

/* Before the first collection that this thread is told of, nothing is taken to have moved for so
 * long: closures, and shared data, which only major collections move. */
#define CLOSURES_STAY_NS 10000000u
#define SHARED_STAYS_NS  100000000u
#define TOLD             (UINT64_C(1) << 63)

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

/* A frame's function, as far as it has been followed. */
struct candidate {
    struct ls_managed_frame *frame;
    uintptr_t shared;
    uintptr_t shared_words[SHARED_WORDS];
    uintptr_t script_words[SCRIPT_WORDS];
    uintptr_t scope_words[SCOPE_WORDS];
    uintptr_t name_words[NAME_WORDS];
    uint16_t shared_type;
    uint16_t script_type;
    uint16_t scope_type;
};

struct shared_entry {
    uintptr_t shared;
    uintptr_t identity;
};

/* A place in a script has the same function for as long as the isolate lives. */
struct place_entry {
    uint32_t script;
    uint32_t position;
    uintptr_t identity;
};

struct text_entry {
    uint32_t script;
    struct ls_v8_place_in_text place;
};

/* What one thread knows of its isolate's functions. */
struct knowledge {
    uint64_t thread;
    const void *isolate;
    uint64_t moved;
    struct shared_entry shared[1 << SHARED_BITS];
    struct place_entry places[1 << PLACE_BITS];
    struct text_entry texts[TEXTS];
    struct candidate candidates[AT_ONCE];
    struct ls_guarded_read reads[AT_ONCE * 3];
    char name[LS_V8_FUNCTION_TEXT_MAX];
    char script[LS_V8_FUNCTION_TEXT_MAX];
    char scratch[LS_V8_SCRATCH_BYTES];
};

static struct ls_v8_layout layout;
static const struct ls_v8_symbols *v8;
static _Atomic uint64_t threads_seen; /* relaxed: hands out numbers */
static _Atomic bool refused;          /* relaxed: a note */

static LS_THREAD_LOCAL uint64_t thread_number;
static LS_THREAD_LOCAL uint64_t collections;
static LS_THREAD_LOCAL uint64_t major_collections;

void ls_v8_frames_moved(bool major)
{
    collections++;
    if (major)
        major_collections++;
}

static uint64_t epoch(void)
{
    return collections > 0 ? collections | TOLD : ls_clock_coarse_ns() / CLOSURES_STAY_NS;
}

bool ls_v8_frames_refused(void)
{
    return ls_load_relaxed(&refused);
}

/* What must be the same for shared data to lie where it lay. */
static uint64_t moved_until_now(void)
{
    return collections > 0 ? major_collections | TOLD : ls_clock_coarse_ns() / SHARED_STAYS_NS;
}

static struct knowledge *knowledge_of(void **memory)
{
    struct knowledge *known = *memory;
    const void *isolate = v8->isolate_current();
    uint64_t moved = moved_until_now();

    if (isolate == NULL)
        return NULL;
    if (thread_number == 0)
        thread_number = ls_add_relaxed(&threads_seen, 1) + 1;
    if (known == NULL) {
        known = ls_memory_own_allocate(sizeof(*known));
        if (known == NULL)
            return NULL;
        *memory = known;
    }
    if (known->thread != thread_number || known->isolate != isolate) {
        memset(known, 0, offsetof(struct knowledge, candidates));
        known->thread = thread_number;
        known->isolate = isolate;
    }
    if (known->moved != moved) {
        memset(known->shared, 0, sizeof(known->shared));
        known->moved = moved;
    }
    return known;
}

static struct shared_entry *shared_entry(struct knowledge *known, uintptr_t shared)
{
    return &known->shared[shared * LS_HASH_SEED >> (64 - SHARED_BITS)];
}

static struct place_entry *place_entry(struct knowledge *known, uint32_t script, uint32_t position)
{
    uint64_t place = (uint64_t)script << 32 | position;

    return &known->places[place * LS_HASH_SEED >> (64 - PLACE_BITS)];
}

static void read_all(struct ls_guarded_read *reads, size_t count)
{
    if (ls_guarded_read(reads, count) != 0)
        ls_store_relaxed(&refused, true);
}

static struct ls_guarded_read read_object(uintptr_t object, void *into, size_t size)
{
    if (!ls_v8_is_object(object))
        return (struct ls_guarded_read){.size = 0};
    return (struct ls_guarded_read){.address = object - 1, .into = into, .size = size};
}

static struct ls_guarded_read read_type(uintptr_t map, uint16_t *type)
{
    if (!ls_v8_is_object(map))
        return (struct ls_guarded_read){.size = 0};
    return (struct ls_guarded_read){
        .address = ls_v8_field(map, layout.map_instance_type), .into = type, .size = sizeof(*type)};
}

static uintptr_t at(const uintptr_t *words, int offset)
{
    return words[(size_t)offset / WORD];
}

/* Keeps the candidates of which `each` reads are done. */
static size_t keep_done(struct knowledge *known, size_t count, size_t each)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        bool done = true;

        for (size_t j = 0; j < each; j++)
            done = done && known->reads[i * each + j].done;
        if (done)
            known->candidates[kept++] = known->candidates[i];
    }
    return kept;
}

/* Closures to shared data. What is known already is settled; the others are left. */
static size_t find_shared(struct knowledge *known, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++)
        known->reads[i] = (struct ls_guarded_read){
            .address = ls_v8_field(known->candidates[i].frame->function, layout.function_shared),
            .into = &known->candidates[i].shared,
            .size = WORD};
    read_all(known->reads, count);
    count = keep_done(known, count, 1);
    for (size_t i = 0; i < count; i++) {
        const struct shared_entry *entry = shared_entry(known, known->candidates[i].shared);

        if (entry->shared == known->candidates[i].shared)
            known->candidates[i].frame->identity = entry->identity;
        else
            known->candidates[left++] = known->candidates[i];
    }
    return left;
}

static size_t read_shared(struct knowledge *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        known->reads[i] = read_object(known->candidates[i].shared,
                                      known->candidates[i].shared_words, SHARED_WORDS * WORD);
    read_all(known->reads, count);
    return keep_done(known, count, 1);
}

static size_t read_script_and_scope(struct knowledge *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct candidate *candidate = &known->candidates[i];

        known->reads[i * 3] = read_type(candidate->shared_words[0], &candidate->shared_type);
        known->reads[i * 3 + 1] = read_object(at(candidate->shared_words, layout.shared_script),
                                              candidate->script_words, SCRIPT_WORDS * WORD);
        known->reads[i * 3 + 2] = read_object(at(candidate->shared_words, layout.shared_name),
                                              candidate->scope_words, SCOPE_WORDS * WORD);
    }
    read_all(known->reads, count * 3);
    return keep_done(known, count, 3);
}

static const uintptr_t *scope_of(const struct candidate *candidate)
{
    return &candidate->scope_words[1];
}

static bool position_comes_first(void)
{
    return layout.scope_first_local == SCOPE_FIRST_LOCAL_BEHIND_POSITION;
}

static uint32_t scope_flags(const struct candidate *candidate)
{
    uintptr_t word = scope_of(candidate)[SCOPE_FLAGS];

    return position_comes_first() ? (uint32_t)word : (uint32_t)ls_v8_small(word);
}

/* Index, after the map, of what follows the locals: the function's name first, if it has one. */
static size_t index_of_names(const struct candidate *candidate)
{
    uint32_t locals = (uint32_t)ls_v8_small(scope_of(candidate)[SCOPE_LOCALS]);
    uint32_t names = locals < SCOPE_NAMES_INLINE_MAX ? locals : 1;
    bool class_variable = (scope_flags(candidate) & SCOPE_HAS_CLASS_VARIABLE) != 0;

    return (size_t)layout.scope_first_local + names + locals + class_variable;
}

static size_t read_types_and_names(struct knowledge *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct candidate *candidate = &known->candidates[i];
        uintptr_t scope = at(candidate->shared_words, layout.shared_name);

        known->reads[i * 3] = read_type(candidate->script_words[0], &candidate->script_type);
        known->reads[i * 3 + 1] = read_type(candidate->scope_words[0], &candidate->scope_type);
        known->reads[i * 3 + 2] =
            (struct ls_guarded_read){.address = scope - 1 + (1 + index_of_names(candidate)) * WORD,
                                     .into = candidate->name_words,
                                     .size = NAME_WORDS * WORD};
    }
    read_all(known->reads, count * 3);
    return keep_done(known, count, 3);
}

static bool is_sound(const struct candidate *candidate)
{
    return candidate->shared_type == layout.type_shared &&
           candidate->script_type == layout.type_script &&
           candidate->scope_type == layout.type_scope_info &&
           ls_v8_small(at(candidate->script_words, ls_v8_script_id(&layout))) > 0;
}

/* Its own name, and the one V8 has inferred for it, which counts where the own one is empty. */
struct names {
    uintptr_t own;
    uintptr_t inferred;
    uint32_t position; /* where the function starts */
};

static struct names names_of(const struct candidate *candidate)
{
    uint32_t flags = scope_flags(candidate);
    const uintptr_t *next = candidate->name_words;
    struct names names = {0};

    if ((flags & SCOPE_HAS_FUNCTION_NAME) != 0) {
        names.own = next[0];
        next += 2;
    }
    if ((flags & SCOPE_HAS_INFERRED_NAME) != 0)
        names.inferred = *next++;
    if (!position_comes_first()) {
        names.position = (uint32_t)ls_v8_small(*next);
        return names;
    }
    names.position = (uint32_t)ls_v8_small(scope_of(candidate)[SCOPE_POSITION]);
    /* A module's scope has one more word first; its code has no name. */
    if ((flags & SCOPE_TYPE_MASK) == SCOPE_TYPE_MODULE)
        names.own = names.inferred = 0;
    return names;
}

static struct ls_v8_text write_text(uintptr_t string, char *buffer)
{
    size_t length = ls_v8_heap_text_write(&layout, string, buffer, LS_V8_FUNCTION_TEXT_MAX);

    return (struct ls_v8_text){buffer, length};
}

/* Line and column of a place, from 1; 0 when the source cannot be read. */
static void find_line(struct knowledge *known, const struct candidate *candidate, uint32_t position,
                      uint32_t *line, uint32_t *column)
{
    uint32_t script = (uint32_t)ls_v8_small(at(candidate->script_words, ls_v8_script_id(&layout)));
    struct text_entry *text = &known->texts[script % TEXTS];
    struct ls_v8_place_in_text place = {0};
    int offset = ls_v8_script_line_offset(&layout);
    uintptr_t source = at(candidate->script_words, layout.script_source);

    *line = 0;
    *column = 0;
    if (text->script == script && text->place.position <= position)
        place = text->place;
    if (!ls_v8_heap_text_move(&layout, source, position, &place, known->scratch))
        return;
    *text = (struct text_entry){script, place};
    *line = place.line + 1 + (uint32_t)ls_v8_small(at(candidate->script_words, offset));
    *column = position - place.line_start + 1;
    if (place.line == 0)
        *column += (uint32_t)ls_v8_small(at(candidate->script_words, offset + (int)WORD));
}

static uintptr_t identify(struct knowledge *known, const struct candidate *candidate)
{
    uint32_t script = (uint32_t)ls_v8_small(at(candidate->script_words, ls_v8_script_id(&layout)));
    struct names names = names_of(candidate);
    struct place_entry *entry = place_entry(known, script, names.position);
    struct ls_v8_text name;
    struct ls_v8_text file;
    uint32_t line;
    uint32_t column;

    if (entry->script == script && entry->position == names.position)
        return entry->identity;
    name = write_text(names.own, known->name);
    if (name.length == 0)
        name = write_text(names.inferred, known->name);
    file = write_text(at(candidate->script_words, layout.script_name), known->script);
    find_line(known, candidate, names.position, &line, &column);
    *entry = (struct place_entry){script, names.position,
                                  ls_js_frame(ls_v8_function_intern(name, file, line, column))};
    return entry->identity;
}

static void settle(struct knowledge *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct candidate *candidate = &known->candidates[i];

        if (!is_sound(candidate))
            continue;
        candidate->frame->identity = identify(known, candidate);
        *shared_entry(known, candidate->shared) =
            (struct shared_entry){candidate->shared, candidate->frame->identity};
    }
}

/* Frames of builtins, exits and entries hold a small number for their kind where others have a
 * context. */
static bool may_be_function(const struct ls_managed_frame *frame)
{
    uintptr_t context;

    memcpy(&context, (const char *)frame->frame_pointer + layout.frame_context, sizeof(context));
    return ls_v8_is_object(context) && ls_v8_is_object(frame->function);
}

static void name_some(struct knowledge *known, struct ls_managed_frame *frames, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        if (may_be_function(&frames[i]))
            known->candidates[left++].frame = &frames[i];
    }
    left = find_shared(known, left);
    if (left == 0)
        return;
    left = read_shared(known, left);
    left = read_script_and_scope(known, left);
    settle(known, read_types_and_names(known, left));
}

static void name_frames(void **memory, struct ls_managed_frame *frames, size_t count)
{
    struct knowledge *known;

    for (size_t i = 0; i < count; i++)
        frames[i].identity = 0;
    known = knowledge_of(memory);
    if (known == NULL)
        return;
    for (size_t i = 0; i < count; i += AT_ONCE)
        name_some(known, &frames[i], count - i < AT_ONCE ? count - i : AT_ONCE);
}

static const struct ls_managed managed = {.name = name_frames, .epoch = epoch};

const struct ls_managed *ls_v8_frames_start(const struct ls_v8_symbols *symbols)
{
    v8 = symbols;
    if (!ls_v8_layout_find(&layout, symbols->scope) ||
        layout.frame_function != -(int)(LS_MANAGED_FUNCTION_WORDS * WORD) ||
        layout.shared_script >= (int)(SHARED_WORDS * WORD) ||
        layout.shared_name >= (int)(SHARED_WORDS * WORD) ||
        ls_v8_script_id(&layout) >= (int)(SCRIPT_WORDS * WORD) ||
        (layout.scope_first_local != SCOPE_POSITION && !position_comes_first()))
        return NULL;
    return &managed;
}
