#include "cli/summary_sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t whole_number(double line)
{
    return line >= 1 && line <= UINT32_MAX ? (uint32_t)line : 0;
}

static void read_frame(struct ls_fields *fields, const json_t *object,
                       struct ls_snapshot_frame *frame)
{
    frame->pc = ls_field_hexadecimal(fields, object, "pc");
    frame->module = ls_field_optional_string(fields, object, "module");
    frame->build_id = ls_field_optional_string(fields, object, "build_id");
    frame->offset = ls_field_hexadecimal(fields, object, "offset");
    frame->function = ls_field_optional_string(fields, object, "function");
    frame->file = ls_field_optional_string(fields, object, "file");
    frame->line = whole_number(ls_field_known(fields, object, "line", 0));
    frame->language = ls_field_string(fields, object, "language");
    frame->inlined = json_is_true(json_object_get(object, "inlined"));
}

static void read_stack(struct ls_fields *fields, const json_t *object,
                       struct ls_snapshot_site *site)
{
    const json_t *array = ls_field_array(fields, object, "stack");
    struct ls_snapshot_frame *frames =
        ls_fields_allocate(fields, json_array_size(array), sizeof(*frames));

    site->frames = frames;
    if (frames == NULL)
        return;
    for (size_t i = 0; i < json_array_size(array); i++)
        read_frame(fields, ls_field_item(fields, array, i, "stack"), &frames[i]);
    site->frame_count = json_array_size(array);
}

static void read_series(struct ls_fields *fields, const json_t *object,
                        struct ls_snapshot_site *site)
{
    const json_t *array = ls_field_array(fields, object, "series");
    struct ls_snapshot_point *points =
        ls_fields_allocate(fields, json_array_size(array), sizeof(*points));

    site->points = points;
    if (points == NULL)
        return;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *point = json_array_get(array, i);

        if (json_array_size(point) < 3) {
            ls_fields_fail(fields, "has a point in series[] that is not three numbers");
            return;
        }
        points[i].time_s = json_number_value(json_array_get(point, 0));
        points[i].live_bytes = json_number_value(json_array_get(point, 1));
        points[i].live_count = json_number_value(json_array_get(point, 2));
    }
    site->point_count = json_array_size(array);
}

static void read_errors(const json_t *object, struct ls_snapshot_peer *peer)
{
    const char *name;
    json_t *count;

    json_object_foreach((json_t *)json_object_get(object, "errors"), name, count)
    {
        if (peer->error_count == LS_SNAPSHOT_PEER_ERRORS_MAX)
            return;
        peer->errors[peer->error_count].name = name;
        peer->errors[peer->error_count++].count = whole_number(json_number_value(count));
    }
}

static void read_peer(struct ls_fields *fields, const json_t *object, struct ls_snapshot_peer *peer)
{
    peer->address = ls_field_optional_string(fields, object, "address");
    peer->opened = ls_field_known(fields, object, "opened", 0);
    peer->opened_per_s = ls_field_known(fields, object, "opened_per_s", 0);
    peer->live = ls_field_known(fields, object, "live", 0);
    peer->unused = ls_field_known(fields, object, "unused", 0);
    peer->failed = ls_field_known(fields, object, "failed", 0);
    peer->connect_p50_s = ls_field_known(fields, object, "connect_p50_s", -1);
    peer->life_p50_s = ls_field_known(fields, object, "life_p50_s", -1);
    read_errors(object, peer);
}

/* Sockets only. */
static void read_peers(struct ls_fields *fields, const json_t *object,
                       struct ls_snapshot_site *site)
{
    const json_t *array = ls_field_optional_array(fields, object, "peers");
    struct ls_snapshot_peer *peers =
        ls_fields_allocate(fields, json_array_size(array), sizeof(*peers));

    site->peers = peers;
    site->peer_count = peers != NULL ? json_array_size(array) : 0;
    for (size_t i = 0; i < site->peer_count; i++)
        read_peer(fields, ls_field_item(fields, array, i, "peers"), &peers[i]);
}

static void read_thread_names(struct ls_fields *fields, const json_t *object,
                              struct ls_snapshot_threads *threads)
{
    const json_t *array = ls_field_array(fields, object, "names");

    for (size_t i = 0; i < json_array_size(array) && i < LS_SNAPSHOT_THREAD_NAMES; i++) {
        const json_t *entry = ls_field_item(fields, array, i, "names");

        snprintf(threads->names[i].name, sizeof(threads->names[i].name), "%s",
                 ls_field_string(fields, entry, "name"));
        threads->names[i].count = (unsigned)ls_field_count(fields, entry, "count");
        threads->name_count = i + 1;
    }
}

/* Threads only. */
static void read_threads(struct ls_fields *fields, const json_t *site_object,
                         struct ls_snapshot_site *site)
{
    const json_t *object = json_object_get(site_object, "threads");
    struct ls_snapshot_threads *threads;

    if (object == NULL)
        return;
    threads = ls_fields_allocate(fields, 1, sizeof(*threads));
    site->threads = threads;
    if (threads == NULL)
        return;
    threads->running = (unsigned)ls_field_count(fields, object, "running");
    threads->finished = (unsigned)ls_field_count(fields, object, "finished");
    threads->detached = (unsigned)ls_field_count(fields, object, "detached");
    threads->cancelled = (unsigned)ls_field_count(fields, object, "cancelled");
    threads->stack_bytes = ls_field_known(fields, object, "stack_bytes", 0);
    read_thread_names(fields, object, threads);
}

/* The summary names the frame by its place; of frames with the same place the innermost is meant.
 */
static size_t find_named_frame(const struct ls_snapshot_site *site)
{
    char place[4096];

    for (size_t i = 0; i < site->frame_count && *site->location != '\0'; i++) {
        const struct ls_snapshot_frame *frame = &site->frames[i];
        const char *slash = strrchr(frame->module, '/');
        const char *module = slash != NULL ? slash + 1 : frame->module;

        if (*frame->file != '\0' && frame->line > 0)
            snprintf(place, sizeof(place), "%s:%u", frame->file, frame->line);
        else
            snprintf(place, sizeof(place), "%s+0x%lx", module, (unsigned long)frame->offset);
        if (strcmp(place, site->location) == 0)
            return i;
    }
    for (size_t i = 0; i < site->frame_count && *site->function != '\0'; i++) {
        if (strcmp(site->frames[i].function, site->function) == 0)
            return i;
    }
    return 0;
}

static void read_site_figures(struct ls_fields *fields, const json_t *object,
                              struct ls_snapshot_site *site)
{
    site->confidence = ls_field_known(fields, object, "confidence", 0);
    site->live_bytes = ls_field_known(fields, object, "live_bytes", 0);
    site->live_count = ls_field_known(fields, object, "live_count", 0);
    site->error_bytes = ls_field_known(fields, object, "error_bytes", 0);
    site->peak_live_bytes = ls_field_known(fields, object, "peak_live_bytes", 0);
    site->acquired_count = ls_field_known(fields, object, "acquired_count", -1);
    site->acquired_bytes = ls_field_known(fields, object, "acquired_bytes", -1);
    site->released_count = ls_field_known(fields, object, "released_count", -1);
    site->growth_bytes_per_s = ls_field_known(fields, object, "growth_bytes_per_s", 0);
    site->growth_count_per_s = ls_field_known(fields, object, "growth_count_per_s", 0);
    site->median_age_s = ls_field_known(fields, object, "median_age_s", -1);
}

static void read_site(struct ls_fields *fields, const json_t *object, bool sampled,
                      struct ls_snapshot_site *site)
{
    site->id = ls_field_hexadecimal(fields, object, "id");
    site->resource = (enum ls_resource)ls_field_choice(fields, object, "resource",
                                                       ls_resource_names, LS_RESOURCE_COUNT);
    site->verdict = (enum ls_verdict)ls_field_choice(fields, object, "verdict", ls_verdict_names,
                                                     LS_VERDICT_COUNT);
    site->estimated =
        site->resource == LS_RESOURCE_JS || (site->resource == LS_RESOURCE_HEAP && sampled);
    read_site_figures(fields, object, site);
    if (json_object_get(object, "kind") != NULL)
        site->kind = ls_field_string(fields, object, "kind");
    site->function = ls_field_optional_string(fields, object, "function");
    site->location = ls_field_optional_string(fields, object, "location");
    site->module = ls_field_optional_string(fields, object, "module");
    read_stack(fields, object, site);
    read_series(fields, object, site);
    read_peers(fields, object, site);
    read_threads(fields, object, site);
    site->reserved_bytes = ls_field_newer(fields, object, "reserved_bytes", 0);
    site->peak_live_count = ls_field_newer(fields, object, "peak_live_count", 0);
    if (fields->error == 0)
        site->named_frame = find_named_frame(site);
}

void ls_summary_read_sites(struct ls_fields *fields, const json_t *root,
                           struct ls_snapshot *snapshot)
{
    const json_t *array = ls_field_array(fields, root, "sites");
    struct ls_snapshot_site *sites =
        ls_fields_allocate(fields, json_array_size(array), sizeof(*sites));
    bool sampled = strcmp(snapshot->settings.mode, "exact") != 0;

    snapshot->sites = sites;
    snapshot->site_count = sites != NULL ? json_array_size(array) : 0;
    for (size_t i = 0; i < snapshot->site_count && fields->error == 0; i++)
        read_site(fields, ls_field_item(fields, array, i, "sites"), sampled, &sites[i]);
}

void ls_summary_free_sites(struct ls_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->site_count; i++) {
        free((void *)snapshot->sites[i].frames);
        free((void *)snapshot->sites[i].points);
        free((void *)snapshot->sites[i].peers);
        free((void *)snapshot->sites[i].threads);
    }
    free((void *)snapshot->sites);
}
