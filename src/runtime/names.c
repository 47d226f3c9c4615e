/*
 * Function names of native frames. Each module's symbol table is read once for all frames that wait
 * for a name; names are kept in a table of bounded size, which starts anew when it is full.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "ledger/ledger.h"
#include "report/symbols.h"
#include "report/wrapper.h"
#include "system/memory.h"

#define ENTRIES        16384 /* a power of two */
#define FILL_MAX       (ENTRIES / 4 * 3)
#define QUERIES_MAX    1024
#define NAME_MAX_BYTES 256
#define NAMES_BYTES    ((size_t)1 << 20)
#define NAMES_KEPT     ((size_t)256 << 10)

struct entry {
    uint64_t key;     /* hash of module, build-id and offset; 0: free */
    const char *name; /* in `names`; "" when the module has none for it */
};

static struct entry *entries;
static uint32_t used;
static struct ls_arena names;
static struct ls_symbols_query *queries;
static char *query_names;

int ls_names_start(void)
{
    const size_t entry_bytes = ENTRIES * sizeof(*entries);
    const size_t query_bytes = QUERIES_MAX * sizeof(*queries);
    const size_t name_bytes = (size_t)QUERIES_MAX * NAME_MAX_BYTES;

    if (entries == NULL)
        entries = ls_memory_own_map(entry_bytes, entry_bytes);
    if (queries == NULL)
        queries = ls_memory_own_map(query_bytes, query_bytes);
    if (query_names == NULL)
        query_names = ls_memory_own_map(name_bytes, name_bytes);
    if (entries == NULL || queries == NULL || query_names == NULL)
        return -ENOMEM;
    return names.base != NULL ? 0 : ls_arena_init(&names, NAMES_BYTES, NAMES_KEPT);
}

static void start_anew(void)
{
    memset(entries, 0, ENTRIES * sizeof(*entries));
    used = 0;
    ls_arena_reset(&names);
}

struct address {
    const char *module;
    const char *build_id;
    uint64_t offset; /* of the return address */
};

static uint64_t key_of(const struct address *address)
{
    uint64_t key = ls_hash_bytes(address->offset, address->module, strlen(address->module));

    key = ls_hash_bytes(key, address->build_id, strlen(address->build_id));
    return key | 1;
}

static struct entry *place_of(uint64_t key)
{
    uint32_t at = (uint32_t)(key >> 32) & (ENTRIES - 1);

    while (entries[at].key != 0 && entries[at].key != key)
        at = (at + 1) & (ENTRIES - 1);
    return &entries[at];
}

/* What one pass over a module's symbols is to name. */
struct batch {
    struct address first; /* its module is the batch's */
    size_t count;
};

static bool same_module(const struct address *a, const struct address *b)
{
    return strcmp(a->module, b->module) == 0 && strcmp(a->build_id, b->build_id) == 0;
}

/* Takes the address into the batch if it has no name yet and is of the batch's module. The entry is
 * made at once, so that an address met twice is asked for once. */
static void collect(struct batch *batch, const struct address *address)
{
    uint64_t key = key_of(address);
    struct entry *entry = place_of(key);
    struct ls_symbols_query *query;

    if (entry->key != 0 || batch->count == QUERIES_MAX || used >= FILL_MAX)
        return;
    if (batch->count == 0)
        batch->first = *address;
    if (!same_module(&batch->first, address))
        return;
    entry->key = key;
    entry->name = "";
    used++;
    query = &queries[batch->count];
    *query = (struct ls_symbols_query){
        .offset = address->offset - 1, /* the call lies before its return address */
        .name = query_names + batch->count * NAME_MAX_BYTES,
        .capacity = NAME_MAX_BYTES,
        .tag = (size_t)(entry - entries),
    };
    batch->count++;
}

static void name_batch(const struct batch *batch)
{
    int status = ls_symbols_name(batch->first.module, batch->first.build_id, queries, batch->count);

    if (status <= 0)
        return; /* no symbols, or another file by now: module and offset have to do */
    for (size_t i = 0; i < batch->count; i++)
        entries[queries[i].tag].name =
            ls_arena_copy(&names, queries[i].name, strlen(queries[i].name));
}

static const char *name_of(const struct address *address)
{
    const struct entry *entry = place_of(key_of(address));

    return entry->key == 0 ? "" : entry->name;
}

static bool is_native(const struct ls_snapshot_frame *frame)
{
    return frame->pc != 0 && frame->module[0] != '\0';
}

static struct address address_of_frame(const struct ls_snapshot_frame *frame)
{
    return (struct address){frame->module, frame->build_id, frame->offset};
}

static void collect_snapshot(struct batch *batch, const struct ls_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->site_count; i++) {
        for (size_t j = 0; j < snapshot->sites[i].frame_count; j++) {
            struct address address = address_of_frame(&snapshot->sites[i].frames[j]);

            if (is_native(&snapshot->sites[i].frames[j]))
                collect(batch, &address);
        }
    }
}

static void set_names(const struct ls_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->site_count; i++) {
        /* The frames lie in the caller's arena; const is for the writers. */
        struct ls_snapshot_frame *frames =
            (struct ls_snapshot_frame *)(uintptr_t)snapshot->sites[i].frames;

        for (size_t j = 0; j < snapshot->sites[i].frame_count; j++) {
            struct address address = address_of_frame(&frames[j]);

            if (is_native(&frames[j]))
                frames[j].function = name_of(&address);
        }
    }
}

void ls_names_resolve(struct ls_snapshot *snapshot)
{
    struct batch batch;

    if (used >= FILL_MAX || names.used > NAMES_BYTES / 4 * 3)
        start_anew();
    do {
        batch.count = 0;
        collect_snapshot(&batch, snapshot);
        if (batch.count > 0)
            name_batch(&batch);
    } while (batch.count > 0);
    set_names(snapshot);
}

/* More frames than any engine puts between its generated code and a native function. */
#define DISPATCH_FRAMES_MAX 8

static struct address address_of_pc(const struct ls_module *module, uintptr_t pc)
{
    return (struct address){module->path, module->build_id, pc - module->bias};
}

static void collect_dispatch(struct batch *batch, const struct ls_stack *stack)
{
    uint32_t jit = ls_ledger_first_jit_frame(stack);

    if (jit == stack->depth)
        return;
    for (uint32_t i = jit; i > 0 && jit - i < DISPATCH_FRAMES_MAX; i--) {
        const struct ls_module *module =
            ls_modules_find(&ls_ledger.modules, stack->pcs[i - 1], stack->first_seen_ns);
        struct address address;

        if (module == NULL) /* the name of what was acquired */
            return;
        address = address_of_pc(module, stack->pcs[i - 1]);
        collect(batch, &address);
    }
}

static void collect_engine(void *context, const struct ls_module *module, uintptr_t pc)
{
    struct address address = address_of_pc(module, pc);

    collect(context, &address);
}

void ls_names_learn(uint32_t stacks_known)
{
    static uint32_t stacks_learned;
    struct batch batch;

    if (stacks_learned >= stacks_known)
        return;
    do {
        batch.count = 0;
        for (uint32_t i = stacks_learned; i < stacks_known; i++) {
            const struct ls_stack *stack = ls_stack_table_get(&ls_ledger.stacks, i);

            if (stack == NULL)
                continue;
            collect_dispatch(&batch, stack);
            ls_engine_code_each(stack, collect_engine, &batch);
        }
        if (batch.count > 0)
            name_batch(&batch);
    } while (batch.count > 0);
    stacks_learned = stacks_known;
}

static bool starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

const char *ls_names_known(const struct ls_module *module, uintptr_t pc)
{
    struct address address = address_of_pc(module, pc);

    return name_of(&address);
}

/* Whether the function's name is known and starts with one of these. */
static bool is_one_of(const struct ls_module *module, uintptr_t pc, const char *const *prefixes,
                      size_t count)
{
    const char *name;

    if (module == NULL)
        return false;
    name = ls_names_known(module, pc);
    for (size_t i = 0; i < count; i++) {
        if (starts_with(name, prefixes[i]))
            return true;
    }
    return false;
}

bool ls_names_is_wasm_memory(const struct ls_module *module, uintptr_t pc)
{
    static const char *const prefixes[] = {
        "v8::internal::WasmMemoryObject::",
        "v8::internal::BackingStore::AllocateWasmMemory",
    };

    return is_one_of(module, pc, prefixes, LS_ARRAY_LENGTH(prefixes));
}

enum ls_dispatch ls_names_dispatch_of(const struct ls_module *module, uintptr_t pc)
{
    /* V8's embedded builtins, and the C++ functions through which interpreted code calls out. */
    static const char *const prefixes[] = {
        "Builtins_",
        "v8::internal::Builtin_",
        "v8::internal::Builtins::",
        "v8::internal::FunctionCallbackArguments::",
        "v8::internal::PropertyCallbackArguments::",
        "v8::internal::(anonymous namespace)::HandleApiCallHelper",
        "v8::internal::Runtime_",
    };

    if (is_one_of(module, pc, prefixes, LS_ARRAY_LENGTH(prefixes)))
        return LS_DISPATCH_YES;
    return module != NULL && *ls_names_known(module, pc) == '\0' && ls_engine_code_owns(module)
               ? LS_DISPATCH_MAYBE
               : LS_DISPATCH_NOT;
}

size_t ls_names_choose(const struct ls_snapshot_site *site)
{
    size_t chosen = site->named_frame;

    if (site->frames[chosen].module[0] == '\0') /* JavaScript's, or unknown code */
        return chosen;
    while (chosen + 1 < site->frame_count &&
           ls_wrapper_is_allocator(site->frames[chosen].function) &&
           site->frames[chosen + 1].module[0] != '\0')
        chosen++;
    return chosen;
}

void ls_names_after_fork(void)
{
    if (entries != NULL)
        start_anew();
}
