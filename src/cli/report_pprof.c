/*
 * The sites as a profile that `go tool pprof` and its relatives read: for each site one sample with
 * what is live and how fast it grows, for each module one mapping with its build id.
 *
 * A jansson object serves as the dictionary of what has a number already: strings, functions,
 * mappings and locations, each under a key of its own kind.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cli/commands.h"
#include "cli/report_formats.h"
#include "cli/terminal.h"
#include "profile.pb-c.h"

#define PAGE_BYTES  4096
#define KEY_BYTES   8300
#define VALUE_KINDS 3

struct list {
    void **items;
    size_t count;
};

struct builder {
    Pprof__Profile *profile; /* on the heap, as what frees it wants it */
    json_t *numbers;
    struct list strings;
    struct list mappings;
    struct list locations;
    struct list functions;
    struct list samples;
};

/* A tool that cannot have a few megabytes has nothing to say; nothing of it is left behind. */
static void *check_memory(void *memory)
{
    if (memory == NULL) {
        ls_terminal_complain("out of memory");
        exit(LS_EXIT_USAGE);
    }
    return memory;
}

static void *make(size_t count, size_t size)
{
    return check_memory(calloc(count, size));
}

/* The number a thing has from now on: its place in the list, from 1 on. */
static uint64_t append(struct list *list, void *item)
{
    /* Room for the next power of two, whenever one is reached. */
    if ((list->count & (list->count + 1)) == 0)
        list->items =
            check_memory(reallocarray(list->items, 2 * (list->count + 1), sizeof(*list->items)));
    list->items[list->count++] = item;
    return list->count;
}

static uint64_t known_number(struct builder *builder, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(builder->numbers, key));
}

static void remember(struct builder *builder, const char *key, uint64_t number)
{
    json_object_set_new_nocheck(builder->numbers, key, json_integer((json_int_t)number));
}

/* The place of a string in the table; the empty one is at 0. */
static int64_t string_of(struct builder *builder, const char *string)
{
    char key[KEY_BYTES];
    uint64_t number;

    snprintf(key, sizeof(key), "s%.8192s", string);
    number = known_number(builder, key);
    if (number == 0) {
        number = append(&builder->strings, check_memory(strdup(string)));
        remember(builder, key, number);
    }
    return (int64_t)number - 1;
}

static uint64_t function_of(struct builder *builder, const struct ls_snapshot_frame *frame)
{
    /* V8 tells where a function starts, debug information where in it one is. */
    unsigned start = strcmp(frame->language, "js") == 0 ? frame->line : 0;
    char key[KEY_BYTES];
    Pprof__Function *function;
    uint64_t number;

    snprintf(key, sizeof(key), "f%u %.4000s %.4000s", start, frame->function, frame->file);
    number = known_number(builder, key);
    if (number != 0)
        return number;
    function = make(1, sizeof(*function));
    pprof__function__init(function);
    number = append(&builder->functions, function);
    function->id = number;
    function->name = string_of(builder, *frame->function != '\0' ? frame->function : "(anonymous)");
    function->system_name = function->name;
    function->filename = string_of(builder, frame->file);
    function->start_line = start;
    remember(builder, key, number);
    return number;
}

/* The module as it was loaded. Its end is not known: as far as frames in it reach. */
static uint64_t mapping_of(struct builder *builder, const struct ls_snapshot_frame *frame)
{
    uint64_t start = frame->pc >= frame->offset ? frame->pc - frame->offset : 0;
    uint64_t limit = (frame->pc + PAGE_BYTES) & ~(uint64_t)(PAGE_BYTES - 1);
    char key[KEY_BYTES];
    Pprof__Mapping *mapping;
    uint64_t number;

    snprintf(key, sizeof(key), "m%lx %.4096s %.128s", (unsigned long)start, frame->module,
             frame->build_id);
    number = known_number(builder, key);
    if (number == 0) {
        mapping = make(1, sizeof(*mapping));
        pprof__mapping__init(mapping);
        number = append(&builder->mappings, mapping);
        mapping->id = number;
        mapping->memory_start = start;
        mapping->filename = string_of(builder, frame->module);
        mapping->build_id = string_of(builder, frame->build_id);
        mapping->has_functions = true;
        remember(builder, key, number);
    }
    if (builder->mappings.count < number)
        return 0;
    mapping = builder->mappings.items[number - 1];
    mapping->has_functions = mapping->has_functions && *frame->function != '\0';
    if (*frame->file != '\0') {
        mapping->has_filenames = true;
        mapping->has_line_numbers = true;
        mapping->has_inline_frames = true;
    }
    if (limit > mapping->memory_limit)
        mapping->memory_limit = limit;
    return number;
}

static void add_line(struct builder *builder, Pprof__Location *location,
                     const struct ls_snapshot_frame *frame)
{
    Pprof__Line *line = make(1, sizeof(*line));

    pprof__line__init(line);
    line->function_id = function_of(builder, frame);
    line->line = frame->line;
    location->line[location->n_line++] = line;
}

/* How many frames are at one address: functions inlined there, and the one they are in. */
static size_t group_of(const struct ls_snapshot_site *site, size_t first)
{
    size_t count = 1;

    while (first + count < site->frame_count && site->frames[first + count - 1].inlined)
        count++;
    return count;
}

/* Of a group of frames, innermost first. */
static uint64_t location_of(struct builder *builder, const struct ls_snapshot_frame *frame,
                            size_t count)
{
    bool is_native = *frame->module != '\0' && frame->pc != 0;
    bool has_name = *frame->function != '\0' || !is_native;
    uint64_t mapping = is_native ? mapping_of(builder, frame) : 0;
    uint64_t function = has_name ? function_of(builder, frame) : 0;
    char key[128];
    Pprof__Location *location;
    uint64_t number;

    snprintf(key, sizeof(key), "l%lx %lx %lx", (unsigned long)frame->pc, (unsigned long)mapping,
             (unsigned long)function);
    number = known_number(builder, key);
    if (number != 0)
        return number;
    location = make(1, sizeof(*location));
    pprof__location__init(location);
    number = append(&builder->locations, location);
    location->id = number;
    location->mapping_id = mapping;
    location->address = is_native ? frame->pc : 0;
    location->line = make(count, sizeof(*location->line));
    for (size_t i = 0; has_name && i < count; i++)
        add_line(builder, location, &frame[i]);
    remember(builder, key, number);
    return number;
}

static void add_label(struct builder *builder, Pprof__Sample *sample, const char *key,
                      const char *value)
{
    Pprof__Label *label = make(1, sizeof(*label));

    pprof__label__init(label);
    label->key = string_of(builder, key);
    label->str = string_of(builder, value);
    sample->label[sample->n_label++] = label;
}

static int64_t whole(double number)
{
    return number >= 9e18 ? INT64_MAX : number > 0 ? (int64_t)(number + 0.5) : 0;
}

static void add_site(struct builder *builder, const struct ls_snapshot *snapshot,
                     const struct ls_snapshot_site *site)
{
    struct ls_snapshot_frame alone = {
        .module = "", .build_id = "", .function = site->function, .file = "", .language = "c"};
    size_t frames = site->frame_count > 0 ? site->frame_count : 1;
    Pprof__Sample *sample = make(1, sizeof(*sample));

    pprof__sample__init(sample);
    sample->location_id = make(frames, sizeof(*sample->location_id));
    if (site->frame_count == 0)
        sample->location_id[sample->n_location_id++] = location_of(builder, &alone, 1);
    for (size_t i = 0; i < site->frame_count;) {
        size_t count = group_of(site, i);

        sample->location_id[sample->n_location_id++] =
            location_of(builder, &site->frames[i], count);
        i += count;
    }
    sample->value = make(VALUE_KINDS, sizeof(*sample->value));
    sample->value[0] = whole(site->live_count);
    sample->value[1] = whole(site->live_bytes);
    sample->value[2] = whole(site->growth_bytes_per_s * 60);
    sample->n_value = VALUE_KINDS;
    sample->label = make(3, sizeof(*sample->label));
    add_label(builder, sample, "resource", ls_resource_names[site->resource]);
    add_label(builder, sample, "verdict", ls_verdict_names[site->verdict]);
    add_label(builder, sample, "program", snapshot->process.program);
    append(&builder->samples, sample);
}

static Pprof__ValueType *value_type(struct builder *builder, const char *type, const char *unit)
{
    Pprof__ValueType *value = make(1, sizeof(*value));

    pprof__value_type__init(value);
    value->type = string_of(builder, type);
    value->unit = string_of(builder, unit);
    return value;
}

static void add_header(struct builder *builder, const struct ls_runs *runs)
{
    Pprof__Profile *profile = builder->profile;
    const struct ls_snapshot *snapshot = &runs->items[0].summary.snapshot;

    profile->sample_type = make(VALUE_KINDS, sizeof(*profile->sample_type));
    profile->sample_type[0] = value_type(builder, "inuse_objects", "count");
    profile->sample_type[1] = value_type(builder, "inuse_space", "bytes");
    profile->sample_type[2] = value_type(builder, "growth_per_minute", "bytes");
    profile->n_sample_type = VALUE_KINDS;
    profile->default_sample_type = string_of(builder, "inuse_space");
    profile->period_type = value_type(builder, "space", "bytes");
    profile->period = whole(snapshot->settings.sample_bytes);
    profile->time_nanos = whole(snapshot->written_at * 1e9);
    profile->duration_nanos = whole(snapshot->process.uptime_s * 1e9);
    profile->comment = make(1, sizeof(*profile->comment));
    profile->comment[0] = string_of(builder, snapshot->verdict.message);
    profile->n_comment = 1;
}

/* The lists of the builder become those of the message, which frees them with all that is in it. */
static void close_lists(struct builder *builder)
{
    Pprof__Profile *profile = builder->profile;

    profile->string_table = (char **)builder->strings.items;
    profile->n_string_table = builder->strings.count;
    profile->mapping = (Pprof__Mapping **)builder->mappings.items;
    profile->n_mapping = builder->mappings.count;
    profile->location = (Pprof__Location **)builder->locations.items;
    profile->n_location = builder->locations.count;
    profile->function = (Pprof__Function **)builder->functions.items;
    profile->n_function = builder->functions.count;
    profile->sample = (Pprof__Sample **)builder->samples.items;
    profile->n_sample = builder->samples.count;
}

static int write_compressed(const uint8_t *bytes, size_t length, FILE *file)
{
    /* 16 asks zlib for gzip's format: https://zlib.net/manual.html#Advanced */
    z_stream stream = {.next_in = (uint8_t *)(uintptr_t)bytes, .avail_in = (uInt)length};
    uint8_t piece[65536];
    int state;

    if (length > UINT32_MAX || deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                                            Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    do {
        stream.next_out = piece;
        stream.avail_out = sizeof(piece);
        state = deflate(&stream, Z_FINISH);
        fwrite(piece, 1, sizeof(piece) - stream.avail_out, file);
    } while (state == Z_OK);
    deflateEnd(&stream);
    return state == Z_STREAM_END ? 0 : -EIO;
}

static int write_profile(const Pprof__Profile *profile, FILE *file)
{
    size_t length = pprof__profile__get_packed_size(profile);
    uint8_t *bytes = malloc(length);
    int error = -ENOMEM;

    if (bytes != NULL)
        error = write_compressed(bytes, pprof__profile__pack(profile, bytes), file);
    free(bytes);
    return error;
}

int ls_report_pprof(const struct ls_runs *runs, FILE *file)
{
    struct builder builder = {
        .profile = make(1, sizeof(*builder.profile)),
        .numbers = check_memory(json_object()),
    };
    int error;

    pprof__profile__init(builder.profile);
    string_of(&builder, "");
    add_header(&builder, runs);
    for (size_t i = 0; i < runs->count; i++) {
        const struct ls_snapshot *snapshot = &runs->items[i].summary.snapshot;

        for (size_t j = 0; j < snapshot->site_count; j++)
            add_site(&builder, snapshot, &snapshot->sites[j]);
    }
    close_lists(&builder);
    error = write_profile(builder.profile, file);
    json_decref(builder.numbers);
    pprof__profile__free_unpacked(builder.profile, NULL);
    return error;
}
