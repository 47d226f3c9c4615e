#include "cli/html_data.h"

#include <stdlib.h>
#include <string.h>

#include "cli/gate.h"
#include "cli/html_history.h"
#include "cli/story.h"
#include "report/utf8.h"

/* A page of runs as the library writes them stays below 2 MiB, one run below 0.5 MiB. */
#define TEXT_BYTES_MAX       4096
#define ITEMS_MAX            256
#define DEPTH_MAX            8
#define RUNS_MAX             1000
#define RUNS_WITH_SITES_MAX  32
#define SITES_MAX            500
#define SITES_LEAST_OF_A_RUN 25
#define RISING_MAX           50
/* Above the first a double has no fractions, and a reader of JSON no certainty; above the second no
 * figure makes sense, and axes would burst. */
#define WHOLE_MAX  9007199254740992.0
#define NUMBER_MAX 1e18

static json_t *copy_text(const char *text)
{
    char clean[TEXT_BYTES_MAX + sizeof(LS_UTF8_ELLIPSIS)];
    size_t length = strlen(text);
    size_t used = 0;

    for (size_t i = 0; i < length;) {
        uint32_t character;

        if (used + 4 > TEXT_BYTES_MAX) {
            memcpy(clean + used, LS_UTF8_ELLIPSIS, sizeof(LS_UTF8_ELLIPSIS) - 1);
            used += sizeof(LS_UTF8_ELLIPSIS) - 1;
            break;
        }
        i += ls_utf8_decode(text + i, length - i, &character);
        if (ls_utf8_is_control(character))
            character = LS_UTF8_REPLACEMENT;
        used += ls_utf8_encode(character, clean + used);
    }
    return json_stringn(clean, used);
}

/* Numbers are read as reals and would all be written with a fraction. */
static json_t *copy_number(double number)
{
    if (number < WHOLE_MAX && number > -WHOLE_MAX && number == (double)(json_int_t)number)
        return json_integer((json_int_t)number);
    return json_real(number > NUMBER_MAX    ? NUMBER_MAX
                     : number < -NUMBER_MAX ? -NUMBER_MAX
                                            : number);
}

static json_t *copy_value(const json_t *value, unsigned depth);

static json_t *copy_array(const json_t *array, unsigned depth)
{
    json_t *copy = json_array();

    for (size_t i = 0; i < json_array_size(array) && i < ITEMS_MAX; i++)
        json_array_append_new(copy, copy_value(json_array_get(array, i), depth + 1));
    return copy;
}

static json_t *copy_object(const json_t *object, const char *left_out, unsigned depth)
{
    json_t *copy = json_object();
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        json_t *clean = copy_text(key);

        if (strcmp(key, left_out) != 0 && json_object_size(copy) < ITEMS_MAX)
            json_object_set_new(copy, json_string_value(clean), copy_value(value, depth + 1));
        json_decref(clean);
    }
    return copy;
}

static json_t *copy_value(const json_t *value, unsigned depth)
{
    if (json_is_string(value))
        return copy_text(json_string_value(value));
    if (json_is_number(value))
        return copy_number(json_number_value(value));
    if (json_is_boolean(value))
        return json_boolean(json_is_true(value));
    if (depth < DEPTH_MAX && json_is_array(value))
        return copy_array(value, depth);
    if (depth < DEPTH_MAX && json_is_object(value))
        return copy_object(value, "", depth);
    return json_null();
}

/* Frames of all stacks, each once: stacks share most of them. */
struct frames {
    json_t *list;
    json_t *places; /* of a frame, by its text */
};

static json_t *place_of(struct frames *frames, const json_t *frame)
{
    static const char *const fields[] = {"function", "file",   "line",
                                         "module",   "offset", "language"};
    json_t *record = json_array();
    json_t *place;
    char *key;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        json_array_append_new(record, copy_value(json_object_get(frame, fields[i]), DEPTH_MAX));
    key = json_dumps(record, JSON_COMPACT);
    place = json_incref(json_object_get(frames->places, key));
    if (place == NULL) {
        place = json_integer((json_int_t)json_array_size(frames->list));
        json_array_append(frames->list, record);
        json_object_set(frames->places, key, place);
    }
    free(key);
    json_decref(record);
    return place;
}

static json_t *describe_site(const json_t *site, struct frames *frames)
{
    json_t *copy = copy_object(site, "stack", 0);
    const json_t *stack = json_object_get(site, "stack");
    json_t *places = json_array();

    for (size_t i = 0; i < json_array_size(stack) && i < ITEMS_MAX; i++)
        json_array_append_new(places, place_of(frames, json_array_get(stack, i)));
    json_object_set_new(copy, "stack", places);
    return copy;
}

static json_t *describe_history(const struct ls_run *run)
{
    struct ls_html_point *points = NULL;
    size_t count = ls_html_history(run->directory, &points);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("[o, o]", copy_number(points[i].time_s), copy_number(points[i].bytes)));
    free(points);
    return list;
}

static json_t *describe_run(const struct ls_run *run, double now, size_t site_limit,
                            struct frames *frames)
{
    const json_t *sites = json_object_get(run->summary.document, "sites");
    json_t *summary = copy_object(run->summary.document, "sites", 0);
    size_t count = json_array_size(sites);
    json_t *listed = json_array();

    for (size_t i = 0; i < count && i < site_limit; i++)
        json_array_append_new(listed, describe_site(json_array_get(sites, i), frames));
    json_object_set_new(summary, "sites", listed);
    return json_pack("{s:o, s:s, s:I, s:b, s:o, s:o}", "name", copy_text(run->name), "ending",
                     ls_ending_names[ls_story_ending(&run->summary.snapshot, now)],
                     "sites_left_out", (json_int_t)(count > site_limit ? count - site_limit : 0),
                     "detailed", (int)(site_limit > 0), "history",
                     site_limit > 0 ? describe_history(run) : json_array(), "summary", summary);
}

static json_t *describe_service(const struct ls_runs *runs, size_t first, size_t skipped,
                                double now)
{
    struct ls_service service = ls_story_sum_up(runs, first, now);
    const struct ls_snapshot *snapshot = &runs->items[first].summary.snapshot;
    json_t *endings = json_object();
    json_t *members = json_array();

    for (size_t i = 0; i < LS_ENDING_COUNT; i++)
        json_object_set_new(endings, ls_ending_names[i],
                            json_integer((json_int_t)service.endings[i]));
    for (size_t i = first > skipped ? first : skipped; i < runs->count; i++) {
        if (ls_story_is_same_service(&runs->items[i], &runs->items[first]))
            json_array_append_new(members, json_integer((json_int_t)(i - skipped)));
    }
    return json_pack("{s:o, s:o, s:I, s:I, s:f, s:f, s:o, s:o}", "command",
                     copy_text(snapshot->process.command), "program",
                     copy_text(snapshot->process.program), "count", (json_int_t)service.runs,
                     "restarts", (json_int_t)service.restarts, "shortest_s", service.shortest_s,
                     "longest_s", service.longest_s, "endings", endings, "runs", members);
}

/* What rises, once for all runs, as in the story for terminals. */
static json_t *describe_rising(const struct ls_runs *runs, size_t skipped)
{
    struct ls_gate_result result;
    json_t *list = json_array();

    if (!ls_gate_judge(runs, &ls_criteria_default, &result))
        return list;
    for (size_t i = 0; i < result.count && i < RISING_MAX; i++) {
        const struct ls_finding *finding = &result.findings[i];
        size_t run = (size_t)(finding->run - runs->items);

        json_array_append_new(
            list, json_pack("{s:o, s:I, s:I}", "message", copy_text(finding->message), "runs",
                            (json_int_t)finding->runs, "run",
                            (json_int_t)(run >= skipped ? run - skipped : runs->count)));
    }
    ls_gate_free(&result);
    return list;
}

/* How many sites each of the runs may show. */
static size_t share_of_sites(const struct ls_runs *runs)
{
    size_t detailed = runs->count < RUNS_WITH_SITES_MAX ? runs->count : RUNS_WITH_SITES_MAX;
    size_t share = detailed > 0 ? SITES_MAX / detailed : 0;

    return share > SITES_LEAST_OF_A_RUN ? share : SITES_LEAST_OF_A_RUN;
}

json_t *ls_html_data(const struct ls_runs *runs, double now)
{
    struct frames frames = {.list = json_array(), .places = json_object()};
    size_t skipped = runs->count > RUNS_MAX ? runs->count - RUNS_MAX : 0;
    size_t share = share_of_sites(runs);
    json_t *list = json_array();
    json_t *services = json_array();

    for (size_t i = skipped; i < runs->count; i++)
        json_array_append_new(list, describe_run(&runs->items[i], now,
                                                 i + RUNS_WITH_SITES_MAX < runs->count ? 0 : share,
                                                 &frames));
    for (size_t i = 0; i < runs->count; i++) {
        if (ls_story_is_first(runs, i) && json_array_size(services) < ITEMS_MAX)
            json_array_append_new(services, describe_service(runs, i, skipped, now));
    }
    json_decref(frames.places);
    return json_pack("{s:s, s:f, s:I, s:o, s:o, s:o, s:o}", "version", LEAKSHIM_VERSION, "made_at",
                     now, "runs_left_out", (json_int_t)skipped, "frames", frames.list, "services",
                     services, "rising", describe_rising(runs, skipped), "runs", list);
}
