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
#include "v8/closure.h"
#include "v8/functions.h"
#include "v8/heap_text.h"
#include "v8/layout.h"

#define WORD        sizeof(uintptr_t)
#define AT_ONCE     32 /* frames */
#define SHARED_BITS 9
#define PLACE_BITS  10
#define TEXTS       8 /* scripts whose last counted line is kept */

/* Before the first collection that this thread is told of, nothing is taken to have moved for so
 * long: closures, and shared data, which only major collections move. */
#define CLOSURES_STAY_NS 10000000u
#define SHARED_STAYS_NS  100000000u
#define TOLD             (UINT64_C(1) << 63)

/* A frame whose function is looked for. */
struct candidate {
    struct ls_managed_frame *frame;
    uintptr_t shared;
    uintptr_t bytecode_map; /* of what lies where unoptimised code has its bytecode */
    bool runs_bytecode;
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
    uintptr_t bytecode_map; /* that of all bytecode; 0: not met yet */
    struct shared_entry shared[1 << SHARED_BITS];
    struct place_entry places[1 << PLACE_BITS];
    struct text_entry texts[TEXTS];
    struct candidate candidates[AT_ONCE];
    struct ls_v8_closure closures[AT_ONCE];
    struct ls_guarded_read reads[AT_ONCE * LS_V8_CLOSURE_READS];
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
        /* As in capture/thread.c, not from jemalloc. */
        known = ls_memory_own_map(sizeof(*known), sizeof(*known));
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

static uintptr_t stack_word(const struct ls_managed_frame *frame, int offset)
{
    uintptr_t word;

    memcpy(&word, (const char *)frame->frame_pointer + offset, sizeof(word));
    return word;
}

/* All bytecode has one and the same map, which never moves. */
static bool is_bytecode_map(struct knowledge *known, uintptr_t map)
{
    struct ls_guarded_read read;
    uint16_t type = 0;

    if (known->bytecode_map != 0 || map == 0)
        return map != 0 && map == known->bytecode_map;
    read = ls_v8_read_type(&layout, map, &type);
    read_all(&read, 1);
    if (!read.done || type != layout.type_bytecode)
        return false;
    known->bytecode_map = map;
    return true;
}

static void read_closures(struct knowledge *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct candidate *candidate = &known->candidates[i];

        candidate->shared = 0;
        candidate->bytecode_map = 0;
        known->reads[i * 2] = (struct ls_guarded_read){
            .address = ls_v8_field(candidate->frame->function, layout.function_shared),
            .into = &candidate->shared,
            .size = WORD};
        known->reads[i * 2 + 1] = ls_v8_read_object(
            stack_word(candidate->frame, layout.frame_bytecode), &candidate->bytecode_map, WORD);
    }
    read_all(known->reads, count * 2);
    for (size_t i = 0; i < count; i++)
        known->candidates[i].runs_bytecode =
            is_bytecode_map(known, known->candidates[i].bytecode_map);
}

static void give_identity(const struct candidate *candidate, uintptr_t identity)
{
    candidate->frame->identity =
        candidate->runs_bytecode ? identity : identity | LS_JS_FRAME_OPTIMISED;
}

/* Closures to shared data. What is known already is settled; the others are left. */
static size_t find_shared(struct knowledge *known, size_t count)
{
    size_t left = 0;

    read_closures(known, count);
    for (size_t i = 0; i < count; i++) {
        const struct candidate *candidate = &known->candidates[i];
        const struct shared_entry *entry = shared_entry(known, candidate->shared);

        candidate->frame->unsure = candidate->shared == 0;
        if (candidate->shared == 0)
            continue;
        if (entry->shared == candidate->shared)
            give_identity(candidate, entry->identity);
        else
            known->candidates[left++] = *candidate;
    }
    return left;
}

/* Line and column of a place, from 1; 0 when the source cannot be read. */
static void find_line(struct knowledge *known, const struct ls_v8_closure *closure, uint32_t *line,
                      uint32_t *column)
{
    struct text_entry *text = &known->texts[closure->script % TEXTS];
    struct ls_v8_place_in_text place = {0};

    *line = 0;
    *column = 0;
    if (text->script == closure->script && text->place.position <= closure->position)
        place = text->place;
    if (!ls_v8_heap_text_move(&layout, closure->source, closure->position, &place, known->scratch))
        return;
    *text = (struct text_entry){closure->script, place};
    *line = place.line + 1 + (uint32_t)closure->line_offset;
    *column = closure->position - place.line_start + 1;
    if (place.line == 0)
        *column += (uint32_t)closure->column_offset;
}

static struct ls_v8_text write_text(uintptr_t string, char *buffer)
{
    size_t length = ls_v8_heap_text_write(&layout, string, buffer, LS_V8_FUNCTION_TEXT_MAX);

    return (struct ls_v8_text){buffer, length};
}

static uintptr_t identify(struct knowledge *known, const struct ls_v8_closure *closure)
{
    struct place_entry *entry = place_entry(known, closure->script, closure->position);
    struct ls_v8_text name;
    struct ls_v8_text file;
    uint32_t line;
    uint32_t column;

    if (entry->script == closure->script && entry->position == closure->position)
        return entry->identity;
    name = write_text(closure->own_name, known->name);
    if (name.length == 0)
        name = write_text(closure->inferred_name, known->name);
    file = write_text(closure->script_name, known->script);
    find_line(known, closure, &line, &column);
    *entry = (struct place_entry){closure->script, closure->position,
                                  ls_js_frame(ls_v8_function_intern(name, file, line, column))};
    return entry->identity;
}

/* Functions met for the first time, or for the first time since they may have moved. */
static void find_functions(struct knowledge *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        known->closures[i].shared = known->candidates[i].shared;
    if (ls_v8_closures_follow(&layout, known->closures, count, known->reads) != 0)
        ls_store_relaxed(&refused, true);
    for (size_t i = 0; i < count; i++) {
        const struct candidate *candidate = &known->candidates[i];
        uintptr_t identity;

        /* During a collection objects are in two places and none of them proves what it is. */
        candidate->frame->unsure = !known->closures[i].sound && !known->closures[i].scriptless;
        if (!known->closures[i].sound)
            continue;
        identity = identify(known, &known->closures[i]);
        give_identity(candidate, identity);
        *shared_entry(known, candidate->shared) =
            (struct shared_entry){candidate->shared, identity};
    }
}

/* Frames of builtins, exits and entries hold a small number for their kind where others have a
 * context. */
static bool may_be_function(const struct ls_managed_frame *frame)
{
    return ls_v8_is_object(stack_word(frame, layout.frame_context)) &&
           ls_v8_is_object(frame->function);
}

static void name_some(struct knowledge *known, struct ls_managed_frame *frames, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        if (may_be_function(&frames[i]))
            known->candidates[left++].frame = &frames[i];
    }
    left = find_shared(known, left);
    if (left > 0)
        find_functions(known, left);
}

static void name_frames(void **memory, struct ls_managed_frame *frames, size_t count)
{
    struct knowledge *known;

    for (size_t i = 0; i < count; i++) {
        frames[i].identity = 0;
        frames[i].unsure = false;
    }
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
    if (!ls_v8_layout_find(&layout, symbols->scope) || !ls_v8_closure_fits(&layout) ||
        layout.frame_function != -(int)(LS_MANAGED_FUNCTION_WORDS * WORD))
        return NULL;
    return &managed;
}
