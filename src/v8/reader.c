#include "v8/reader.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "system/memory.h"
#include "v8/functions.h"
#include "v8/guard.h"
#include "v8/profile.h"
#include "v8/weights.h"

/* v8::HandleScope is 24 bytes, v8::HeapStatistics 112; room for newer ones to grow. */
#define HANDLE_SCOPE_WORDS 16
#define STATISTICS_WORDS   64

/* Order of the members of v8::HeapStatistics, unchanged from V8 10.2 to 13.6
 * (https://github.com/nodejs/node/blob/v24.x/deps/v8/include/v8-statistics.h). */
enum {
    STATISTICS_TOTAL = 0,
    STATISTICS_USED = 4,
    STATISTICS_LIMIT = 5,
    STATISTICS_MALLOCED = 6,
    STATISTICS_EXTERNAL = 7,
};

/* v8::AllocationProfile's virtual functions in order: GetRootNode, GetSamples, and the destructor's
 * two entries, complete and deleting (https://itanium-cxx-abi.github.io/cxx-abi/abi.html#vtable).
 */
struct profile_vtable {
    const struct ls_v8_node *(*root)(void *profile);
    const struct ls_v8_vector *(*samples)(void *profile);
    void (*destroy)(void *profile);
    void (*destroy_and_free)(void *profile);
};

struct profile {
    const struct profile_vtable *vtable;
};

#define FIRST_PLACES 256
#define PLACES_MAX   (2 * LS_V8_FUNCTIONS_MAX)

/* Relaxed: set once some profile has been found sound page by page; checking another is harmless.
 */
static _Atomic bool layout_proved;

struct reading_context {
    const struct ls_v8_symbols *symbols;
    struct ls_v8_isolate *record;
    void *isolate;
    const struct ls_v8_reading_order *order;
};

static bool in_code(const struct ls_v8_symbols *symbols, const void *function)
{
    uintptr_t address = (uintptr_t)function;

    return address >= symbols->code_start && address < symbols->code_end;
}

static bool readable(void *data, const void *address, size_t size)
{
    (void)data;
    return ls_v8_guard_mapped(address, size);
}

static bool profile_sound(const struct ls_v8_symbols *symbols, const struct profile *profile)
{
    const struct profile_vtable *vtable;

    if (!ls_v8_guard_mapped(profile, sizeof(*profile)))
        return false;
    vtable = profile->vtable;
    if ((uintptr_t)vtable < symbols->image_start || (uintptr_t)(vtable + 1) > symbols->image_end ||
        (uintptr_t)vtable % sizeof(void *) != 0 || !ls_v8_guard_mapped(vtable, sizeof(*vtable)))
        return false;
    return in_code(symbols, (const void *)vtable->root) &&
           in_code(symbols, (const void *)vtable->samples) &&
           in_code(symbols, (const void *)vtable->destroy_and_free);
}

/* The root is always called "(root)" and belongs to no script: proof that names, numbers and
 * WriteUtf8 mean what we think. */
static bool root_sound(const struct reading_context *context, const struct ls_v8_node *root)
{
    static const char expected[] = "(root)";
    char name[sizeof(expected)];

    if (!root || (uintptr_t)root % sizeof(void *) != 0 ||
        !ls_v8_guard_mapped(root, sizeof(*root)) || !root->name ||
        (uintptr_t)root->name % sizeof(void *) != 0 ||
        !ls_v8_guard_mapped(root->name, sizeof(void *)) || root->script_id != 0)
        return false;
    return ls_v8_string_write(context->symbols, root->name, context->isolate, name, sizeof(name)) ==
               sizeof(expected) - 1 &&
           memcmp(name, expected, sizeof(expected) - 1) == 0;
}

static const struct ls_js_function *intern_node(const struct reading_context *context,
                                                const struct ls_v8_node *node)
{
    char name[LS_V8_FUNCTION_TEXT_MAX];
    char script[LS_V8_FUNCTION_TEXT_MAX];
    struct ls_v8_text name_text = {name, 0};
    struct ls_v8_text script_text = {script, 0};

    name_text.length =
        ls_v8_string_write(context->symbols, node->name, context->isolate, name, sizeof(name));
    script_text.length = ls_v8_string_write(context->symbols, node->script_name, context->isolate,
                                            script, sizeof(script));
    return ls_v8_function_intern(name_text, script_text, node->line > 0 ? (uint32_t)node->line : 0,
                                 node->column > 0 ? (uint32_t)node->column : 0);
}

static struct ls_v8_place *find_place(struct ls_v8_place *places, size_t capacity, int script_id,
                                      int start_position)
{
    size_t slot = ls_hash_mix((uint64_t)(uint32_t)script_id << 32 | (uint32_t)start_position) &
                  (capacity - 1);

    while (places[slot].function &&
           (places[slot].script_id != script_id || places[slot].start_position != start_position))
        slot = (slot + 1) & (capacity - 1);
    return &places[slot];
}

/* Makes room for one more place. A program that keeps compiling new scripts starts over at the
 * bound; without memory the table is left as it is. */
static bool grow_places(struct ls_v8_isolate *record)
{
    size_t capacity = record->place_capacity ? record->place_capacity * 2 : FIRST_PLACES;
    struct ls_v8_place *places;

    if (record->place_count * 4 < record->place_capacity * 3)
        return true;
    if (capacity > PLACES_MAX) {
        memset(record->places, 0, record->place_capacity * sizeof(*record->places));
        record->place_count = 0;
        return true;
    }
    places = ls_memory_own_allocate(capacity * sizeof(*places));
    if (!places)
        return false;
    for (size_t i = 0; i < record->place_capacity; i++) {
        const struct ls_v8_place *place = &record->places[i];

        if (place->function)
            *find_place(places, capacity, place->script_id, place->start_position) = *place;
    }
    if (record->places)
        ls_memory_own_free(record->places, record->place_capacity * sizeof(*record->places));
    record->places = places;
    record->place_capacity = capacity;
    return true;
}

static const struct ls_js_function *function_of(void *data, const struct ls_v8_node *node)
{
    const struct reading_context *context = data;
    struct ls_v8_isolate *record = context->record;
    struct ls_v8_place *place;

    /* Builtins and states such as "(V8 API)" share script 0 and position 0. */
    if (node->script_id == 0 || !grow_places(record))
        return intern_node(context, node);
    place =
        find_place(record->places, record->place_capacity, node->script_id, node->start_position);
    if (!place->function) {
        place->function = intern_node(context, node);
        place->script_id = node->script_id;
        place->start_position = node->start_position;
        record->place_count++;
    }
    return place->function;
}

static void read_statistics(const struct reading_context *context, struct ls_js_reading *reading)
{
    size_t words[STATISTICS_WORDS] = {0};
    size_t used, total, limit;

    reading->array_buffer_bytes =
        ls_v8_array_buffers_bytes(&context->symbols->array_buffers, context->isolate);
    context->symbols->heap_statistics_init(words);
    context->symbols->isolate_heap_statistics(context->isolate, words);
    used = words[STATISTICS_USED];
    total = words[STATISTICS_TOTAL];
    limit = words[STATISTICS_LIMIT];
    /* Figures that cannot be right are left out rather than shown. */
    if (used == 0 || total == 0 || limit == 0 || used > total || total >> 46 || limit >> 46)
        return;
    reading->used_heap_bytes = used;
    reading->total_heap_bytes = total;
    reading->heap_limit_bytes = limit;
    reading->malloced_bytes = words[STATISTICS_MALLOCED];
    reading->external_bytes = words[STATISTICS_EXTERNAL];
}

/* Functions that are only on stacks, and hold nothing themselves, are no sites. */
static size_t count_sites(const struct ls_v8_rollup *rollup)
{
    size_t count = 0;

    for (size_t i = 0; i < rollup->site_count; i++)
        count += rollup->sites[i].live_count > 0;
    return count;
}

/* One block: the reading, its sites, the ends of the age intervals, the bytes of each site in each,
 * and the inclusive ones. */
static struct ls_js_reading *allocate_reading(size_t sites, size_t intervals)
{
    size_t ages_offset = sizeof(struct ls_js_reading) + sites * sizeof(struct ls_js_site);
    size_t bytes_offset = ages_offset + intervals * sizeof(uint64_t);
    size_t size = bytes_offset + 2 * sites * intervals * sizeof(float);
    char *block = ls_memory_own_allocate(size);
    struct ls_js_reading *reading = (struct ls_js_reading *)(void *)block;

    if (!reading)
        return NULL;
    reading->allocated_bytes = size;
    reading->sites = (struct ls_js_site *)(reading + 1);
    reading->age_count = intervals;
    if (!intervals)
        return reading;
    reading->age_end_ns = (const uint64_t *)(void *)(block + ages_offset);
    for (size_t i = 0; i < sites; i++) {
        const float *ages = (const float *)(void *)(block + bytes_offset) + 2 * i * intervals;

        reading->sites[i].age_bytes = ages;
        reading->sites[i].inclusive_age_bytes = ages + intervals;
    }
    return reading;
}

static void copy_site(struct ls_js_site *copy, const struct ls_js_site *site, size_t index,
                      const struct ls_v8_age_table *ages)
{
    float *age_bytes = (float *)(uintptr_t)copy->age_bytes;
    size_t bytes = ages->intervals * sizeof(*age_bytes);

    *copy = *site;
    copy->age_bytes = age_bytes;
    copy->inclusive_age_bytes = age_bytes ? age_bytes + ages->intervals : NULL;
    if (age_bytes && ages->bytes) {
        memcpy(age_bytes, &ages->bytes[index * ages->intervals], bytes);
        memcpy(age_bytes + ages->intervals, &ages->inclusive[index * ages->intervals], bytes);
    }
    /* Counted for user functions only. */
    if (copy->inclusive_bytes < copy->live_bytes)
        copy->inclusive_bytes = copy->live_bytes;
}

static struct ls_js_reading *make_reading(const struct ls_v8_rollup *rollup,
                                          const struct ls_v8_age_table *ages)
{
    struct ls_js_reading *reading = allocate_reading(count_sites(rollup), ages->intervals);

    if (!reading)
        return NULL;
    reading->truncated = rollup->truncated;
    if (ages->intervals)
        memcpy((uint64_t *)(uintptr_t)reading->age_end_ns, ages->end_ns,
               ages->intervals * sizeof(uint64_t));
    for (size_t i = 0; i < rollup->site_count; i++) {
        if (rollup->sites[i].live_count > 0)
            copy_site(&reading->sites[reading->site_count++], &rollup->sites[i], i, ages);
    }
    return reading;
}

/* The list of live samples; 0 and none when it cannot be one. */
static size_t find_samples(const struct profile *profile, const struct ls_v8_profile_source *source,
                           const struct ls_v8_sample **samples)
{
    const struct ls_v8_vector *list = profile->vtable->samples((void *)(uintptr_t)profile);
    int64_t count;

    *samples = NULL;
    if (!list || (uintptr_t)list % sizeof(void *) != 0 ||
        (source->readable && !source->readable(source->data, list, sizeof(*list))))
        return 0;
    count = ls_v8_vector_length(source, list, sizeof(struct ls_v8_sample));
    if (count <= 0)
        return 0;
    *samples = list->begin;
    return (size_t)count;
}

/* What a reading is made of, until it is made. */
struct parts {
    struct ls_v8_rollup rollup;
    struct ls_v8_age_table ages;
    struct ls_v8_weights weights;
};

static void clean_up(struct parts *parts)
{
    ls_v8_weights_clean_up(&parts->weights);
    ls_v8_age_table_clean_up(&parts->ages);
    ls_v8_rollup_clean_up(&parts->rollup);
}

static int read_parts(struct reading_context *context, const struct profile *profile,
                      struct ls_v8_profile_source *source, struct parts *parts)
{
    const struct ls_v8_reading_order *order = context->order;
    bool as_started = ls_v8_intervals_only(order->intervals, (uint64_t)order->sample_bytes);
    struct ls_v8_intervals *mixed = as_started ? NULL : order->intervals;
    const struct ls_v8_node *root = profile->vtable->root((void *)(uintptr_t)profile);
    const struct ls_v8_sample *samples;
    size_t count;
    int status;

    if (source->readable && !root_sound(context, root))
        return -EFAULT;
    count = find_samples(profile, source, &samples);
    if (mixed) {
        status = ls_v8_weights_fill(&parts->weights, mixed, samples, count);
        if (status < 0)
            return status;
        source->weights = &parts->weights;
    }
    status = ls_v8_profile_roll_up(&parts->rollup, root, source);
    if (status < 0)
        return status;
    /* Ages are a help, not a need: without memory they stay 0. */
    ls_v8_ages_read(&context->record->ages, &parts->rollup, samples, count, mixed, order->now_ns,
                    order->after_major_gc, &parts->ages);
    if (mixed)
        ls_v8_intervals_forget(mixed);
    return 0;
}

static int read_profile(struct reading_context *context, const struct profile *profile,
                        struct ls_js_reading **reading, double *frames)
{
    struct ls_v8_profile_source source = {
        .function = function_of,
        .readable = ls_load_relaxed(&layout_proved) ? NULL : readable,
        .data = context,
        .sample_bytes = context->order->sample_bytes,
    };
    struct parts parts = {0};
    int status = read_parts(context, profile, &source, &parts);

    if (status == 0) {
        ls_store_relaxed(&layout_proved, true);
        *frames = parts.rollup.bytes > 0 ? parts.rollup.frame_bytes / parts.rollup.bytes : 0;
        *reading = make_reading(&parts.rollup, &parts.ages);
        status = *reading ? 0 : -ENOMEM;
    }
    clean_up(&parts);
    return status;
}

int ls_v8_reader_read(const struct ls_v8_symbols *symbols, struct ls_v8_isolate *record,
                      void *isolate, const struct ls_v8_reading_order *order,
                      struct ls_js_reading **reading, double *frames)
{
    struct reading_context context = {symbols, record, isolate, order};
    void *scope[HANDLE_SCOPE_WORDS] = {NULL};
    struct profile *profile;
    int status;

    *reading = NULL;
    symbols->handle_scope_open(scope, isolate);
    profile = symbols->sampling_profile(symbols->isolate_heap_profiler(isolate));
    if (!profile) {
        status = -ENODATA;
    } else if (!profile_sound(symbols, profile)) {
        /* Not deleted: whatever it is, its destructor is not where we would look. */
        status = -EFAULT;
    } else {
        status = read_profile(&context, profile, reading, frames);
        profile->vtable->destroy_and_free(profile);
    }
    symbols->handle_scope_close(scope);
    if (status == 0)
        read_statistics(&context, *reading);
    return status;
}
