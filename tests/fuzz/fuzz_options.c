/*
 * Fuzz target for the option parser. Besides what the sanitizers see, for every input: each value
 * lies in its range, complaints are printable, bounded in length and number, and the options
 * written out and parsed again are the same options.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the target must fail in a release build too. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_complaint(void *context, const char *line)
{
    size_t *count = context;

    ++*count;
    require(strlen(line) < LS_OPTIONS_COMPLAINT_MAX - 1);
    for (; *line != '\0'; line++)
        require(*line >= ' ' && *line <= '~');
}

static void check_ranges(const struct ls_options *options)
{
    const char *name = options->only;

    require(options->mode <= LS_MODE_OFF && options->allocator <= LS_ALLOCATOR_JEMALLOC);
    require(options->sample_bytes >= 1 && options->sample_bytes <= (size_t)1 << 30);
    require(options->js_sample_bytes >= 1024 && options->js_sample_bytes <= (size_t)1 << 30);
    require(options->interval_ns >= 100000000 && options->interval_ns <= 3600000000000);
    require(options->memory_bytes >= (size_t)4 << 20 && options->memory_bytes <= (size_t)16 << 30);
    require(options->keep >= 1 && options->keep <= 100000);
    require(options->depth >= 1 && options->depth <= 128);
    require(options->top >= 1 && options->top <= 10000);
    require(options->track >= 1 && options->track < 1u << LS_RESOURCE_COUNT);
    require(options->directory[0] != '\0');
    require(memchr(options->directory, '\0', sizeof(options->directory)) != NULL);
    for (; *name != '\0'; name += strlen(name) + 1)
        require(ls_options_program_wanted(options, name) && strchr(name, '/') == NULL);
    require(name < options->only + sizeof(options->only));
}

static void check_round_trip(const struct ls_options *options)
{
    static char bytes[2 * (LS_OPTIONS_DIRECTORY_MAX + LS_OPTIONS_ONLY_MAX) + 1024];
    struct ls_options_description description;
    struct ls_options again;
    struct ls_text text;
    size_t complaints = 0;

    ls_text_init(&text, bytes, sizeof(bytes));
    for (size_t i = 0; ls_options_describe(i, &description); i++) {
        ls_text_string(&text, description.name);
        ls_text_char(&text, '=');
        require(ls_options_write_value(options, description.name, &text));
        ls_text_char(&text, ',');
    }
    require(!text.truncated);
    ls_options_defaults(&again);
    ls_options_parse(&again, bytes, check_complaint, &complaints);
    require(complaints == 0);
    require(options->mode == again.mode && options->allocator == again.allocator);
    require(options->sample_bytes == again.sample_bytes);
    require(options->js_sample_bytes == again.js_sample_bytes);
    require(options->interval_ns == again.interval_ns);
    require(options->memory_bytes == again.memory_bytes);
    require(options->keep == again.keep && options->depth == again.depth);
    require(options->top == again.top && options->track == again.track);
    require(options->children == again.children && options->start == again.start);
    require(strcmp(options->directory, again.directory) == 0);
    require(memcmp(options->only, again.only, sizeof(options->only)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ls_options options;
    size_t complaints = 0;
    char *string = malloc(size + 1); /* of the exact size, so that a read behind the end is seen */

    require(string != NULL);
    memcpy(string, data, size);
    string[size] = '\0';
    ls_options_defaults(&options);
    ls_options_parse(&options, string, check_complaint, &complaints);
    require(complaints <= LS_OPTIONS_COMPLAINTS_MAX);
    check_ranges(&options);
    check_round_trip(&options);
    free(string);
    return 0;
}
