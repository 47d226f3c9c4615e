/*
 * Function names of native frames. Each module's symbol table is read once for all frames that wait
 * for a name; names are kept in a table of bounded size, which starts anew when it is full.
 */
#include "runtime/runtime.h"

#include <string.h>

#include "base/hash.h"
#include "report/symbols.h"
#include "runtime/notes.h"
#include "system/memory.h"

#define ENTRIES        16384 /* a power of two */
#define FILL_MAX       (ENTRIES / 4 * 3)
#define QUERIES_MAX    4096
#define NAME_MAX_BYTES 256
#define NAMES_BYTES    ((size_t)1 << 20)

struct entry {
    uint64_t key;     /* hash of module, build-id and offset; 0: free */
    const char *name; /* in `names`; "" when the module has none for it */
};

static struct entry *entries;
static uint32_t used;
static struct ls_arena names;
static struct ls_symbols_query *queries;
static char *query_names;

static bool make_tables(void)
{
    size_t name_bytes = (size_t)QUERIES_MAX * NAME_MAX_BYTES;

    if (entries == NULL)
        entries = ls_memory_own_map(ENTRIES * sizeof(*entries), ENTRIES * sizeof(*entries) / 4);
    if (queries == NULL)
        queries = ls_memory_own_map(QUERIES_MAX * sizeof(*queries), 0);
    if (query_names == NULL)
        query_names = ls_memory_own_map(name_bytes, 0);
    if (names.base == NULL && ls_arena_init(&names, NAMES_BYTES) != 0)
        return false;
    return entries != NULL && queries != NULL && query_names != NULL;
}

static void start_anew(void)
{
    memset(entries, 0, ENTRIES * sizeof(*entries));
    used = 0;
    ls_arena_reset(&names);
}

static uint64_t key_of(const struct ls_snapshot_frame *frame)
{
    uint64_t key = ls_hash_bytes(frame->offset, frame->module, strlen(frame->module));

    key = ls_hash_bytes(key, frame->build_id, strlen(frame->build_id));
    return key | 1;
}

static struct entry *place_of(uint64_t key)
{
    uint32_t at = (uint32_t)(key >> 32) & (ENTRIES - 1);

    while (entries[at].key != 0 && entries[at].key != key)
        at = (at + 1) & (ENTRIES - 1);
    return &entries[at];
}

static bool is_native(const struct ls_snapshot_frame *frame)
{
    return frame->pc != 0 && frame->module[0] != '\0';
}

typedef void visit_frame(void *context, struct ls_snapshot_frame *frame);

static void for_each_frame(struct ls_snapshot *snapshot, visit_frame *visit, void *context)
{
    for (size_t i = 0; i < snapshot->site_count; i++) {
        for (size_t j = 0; j < snapshot->sites[i].frame_count; j++) {
            /* The frames lie in the caller's arena; const is for the writers. */
            struct ls_snapshot_frame *frame =
                (struct ls_snapshot_frame *)&snapshot->sites[i].frames[j];

            if (is_native(frame))
                visit(context, frame);
        }
    }
}

struct batch {
    const struct ls_snapshot_frame *first; /* its module is the batch's */
    size_t count;
};

static bool same_module(const struct ls_snapshot_frame *a, const struct ls_snapshot_frame *b)
{
    return strcmp(a->module, b->module) == 0 && strcmp(a->build_id, b->build_id) == 0;
}

/* Takes the frame into the batch if it has no name yet and is of the batch's module. The entry is
 * made at once, so that a frame met twice is asked for once. */
static void collect_frame(void *context, struct ls_snapshot_frame *frame)
{
    struct batch *batch = context;
    uint64_t key = key_of(frame);
    struct entry *entry = place_of(key);
    struct ls_symbols_query *query;

    if (entry->key != 0 || batch->count == QUERIES_MAX || used >= FILL_MAX)
        return;
    if (batch->first == NULL)
        batch->first = frame;
    if (!same_module(batch->first, frame))
        return;
    entry->key = key;
    entry->name = "";
    used++;
    query = &queries[batch->count];
    *query = (struct ls_symbols_query){
        .offset = frame->offset - 1, /* a return address: the call lies before it */
        .name = query_names + batch->count * NAME_MAX_BYTES,
        .capacity = NAME_MAX_BYTES,
        .tag = (size_t)(entry - entries),
    };
    batch->count++;
}

static void name_batch(const struct batch *batch)
{
    int status = ls_symbols_name(batch->first->module, batch->first->build_id, queries,
                                 batch->count);

    if (status <= 0)
        return; /* no symbols, or another file by now: module and offset have to do */
    for (size_t i = 0; i < batch->count; i++)
        entries[queries[i].tag].name =
            ls_arena_copy(&names, queries[i].name, strlen(queries[i].name));
}

static void set_name(void *context, struct ls_snapshot_frame *frame)
{
    const struct entry *entry = place_of(key_of(frame));

    (void)context;
    if (entry->key != 0)
        frame->function = entry->name;
}

void ls_names_resolve(struct ls_snapshot *snapshot)
{
    if (!make_tables())
        return;
    if (used >= FILL_MAX || names.used > NAMES_BYTES / 4 * 3)
        start_anew();
    for (;;) {
        struct batch batch = {NULL, 0};

        for_each_frame(snapshot, collect_frame, &batch);
        if (batch.count == 0)
            break;
        name_batch(&batch);
    }
    for_each_frame(snapshot, set_name, NULL);
}

/* Wrappers whose callers are the ones to blame. Exact names, and prefixes marked by a star. */
static bool is_allocator(const char *function)
{
    static const char *const wrappers[] = {
        "malloc",        "calloc",        "realloc",        "xmalloc*",      "xcalloc*",
        "xrealloc*",     "xstrdup*",      "x_malloc",       "safe_malloc",   "operator new*",
        "g_malloc*",     "g_realloc*",    "g_strdup*",      "g_slice_alloc*", "zmalloc*",
        "zcalloc*",      "zrealloc*",     "ztrymalloc*",    "ztryrealloc*",  "sdsnew*",
        "ngx_alloc",     "ngx_calloc",    "ngx_palloc*",    "ngx_pnalloc",   "ngx_pcalloc",
        "sqlite3Mem*",   "sqlite3Malloc*", "PyMem_*",       "PyObject_Malloc", "_PyObject_Malloc*",
        "_PyMem_*",      "uv__malloc",    "uv__calloc",     "uv__realloc",   "CRYPTO_malloc",
        "CRYPTO_zalloc", "CRYPTO_realloc", "std::*",        "__gnu_cxx::*",
    };

    for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
        size_t length = strlen(wrappers[i]);
        bool prefix = wrappers[i][length - 1] == '*';

        if (prefix ? strncmp(function, wrappers[i], length - 1) == 0
                   : strcmp(function, wrappers[i]) == 0)
            return true;
    }
    return false;
}

size_t ls_names_choose(const struct ls_snapshot_site *site)
{
    size_t chosen = site->named_frame;

    if (site->resource == LS_RESOURCE_JS)
        return chosen;
    while (chosen + 1 < site->frame_count && is_allocator(site->frames[chosen].function) &&
           site->frames[chosen + 1].module[0] != '\0')
        chosen++;
    return chosen;
}

void ls_names_after_fork(void)
{
    if (entries != NULL)
        start_anew();
}
