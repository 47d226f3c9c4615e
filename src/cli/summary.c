#include "cli/summary.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json_file.h"
#include "cli/summary_fields.h"
#include "cli/summary_sites.h"

#define SCHEMA        "leakshim-summary/1"
#define SCHEMA_FAMILY "leakshim-summary/"

static void read_process(struct ls_fields *fields, const json_t *root, struct ls_snapshot *snapshot)
{
    const json_t *process = ls_field_object(fields, root, "process");

    snapshot->process.pid = ls_field_integer(fields, process, "pid");
    snapshot->process.command = ls_field_string(fields, process, "command");
    snapshot->process.program = ls_field_string(fields, process, "program");
    snapshot->process.run = "";
    snapshot->process.started_at = ls_field_time(fields, process, "started_at");
    snapshot->process.uptime_s = ls_field_known(fields, process, "uptime_s", 0);
    snapshot->process.limit_bytes = ls_field_known(fields, process, "limit_bytes", 0);
    snapshot->process.limit_source = ls_field_string(fields, process, "limit_source");
    snapshot->process.launch = json_object_get(process, "launch") != NULL
                                   ? ls_field_string(fields, process, "launch")
                                   : "";
}

static void read_settings(struct ls_fields *fields, const json_t *root,
                          struct ls_snapshot *snapshot)
{
    const json_t *settings = ls_field_object(fields, root, "settings");

    snapshot->settings.mode = ls_field_string(fields, settings, "mode");
    snapshot->settings.sample_bytes = ls_field_known(fields, settings, "sample", 0);
    snapshot->settings.js_sample_bytes = ls_field_known(fields, settings, "js_sample", 0);
    snapshot->settings.interval_s = ls_field_number(fields, settings, "interval");
    snapshot->settings.track = ls_field_string(fields, settings, "track");
    snapshot->settings.depth = (unsigned)ls_field_count(fields, settings, "depth");
    snapshot->settings.top = (unsigned)ls_field_count(fields, settings, "top");
    snapshot->settings.allocator = ls_field_string(fields, settings, "allocator");
}

static void read_health(struct ls_fields *fields, const json_t *root, struct ls_snapshot *snapshot)
{
    const json_t *health = ls_field_object(fields, root, "health");
    const json_t *notes = ls_field_array(fields, health, "notes");

    snapshot->health.state = (enum ls_health_state)ls_field_choice(
        fields, health, "state", ls_health_state_names,
        sizeof(ls_health_state_names) / sizeof(ls_health_state_names[0]));
    snapshot->health.lost_acquires = ls_field_count(fields, health, "lost_acquires");
    snapshot->health.lost_releases = ls_field_count(fields, health, "lost_releases");
    snapshot->health.ring_high_water = ls_field_count(fields, health, "ring_high_water");
    snapshot->health.sites = ls_field_count(fields, health, "sites");
    snapshot->health.sites_overflowed = ls_field_count(fields, health, "sites_overflowed");
    snapshot->health.own_bytes = ls_field_known(fields, health, "own_bytes", 0);
    snapshot->health.own_cpu_s = ls_field_known(fields, health, "own_cpu_s", 0);
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const char *note = json_string_value(json_array_get(notes, i));

        if (note != NULL && snapshot->health.note_count < LS_SNAPSHOT_NOTES_MAX)
            snapshot->health.notes[snapshot->health.note_count++] = note;
    }
}

/* Only where mappings are tracked. */
static void read_mapped(struct ls_fields *fields, const json_t *memory_object,
                        struct ls_snapshot_memory *memory)
{
    const json_t *object = json_object_get(memory_object, "mapped");
    struct ls_snapshot_mapped *mapped;

    if (object == NULL)
        return;
    mapped = ls_fields_allocate(fields, 1, sizeof(*mapped));
    memory->mapped = mapped;
    if (mapped == NULL)
        return;
    mapped->committed_bytes = ls_field_known(fields, object, "committed_bytes", 0);
    mapped->reserved_bytes = ls_field_known(fields, object, "reserved_bytes", 0);
    mapped->differing_bytes = ls_field_known(fields, object, "differing_bytes", -1);
}

static void read_memory(struct ls_fields *fields, const json_t *root,
                        struct ls_snapshot_memory *memory)
{
    const json_t *object = ls_field_object(fields, root, "memory");

    memory->rss_bytes = ls_field_known(fields, object, "rss_bytes", -1);
    memory->rss_growth_bytes_per_s = ls_field_known(fields, object, "rss_growth_bytes_per_s", 0);
    memory->seconds_to_limit = ls_field_known(fields, object, "seconds_to_limit", -1);
    memory->seconds_to_limit_low = ls_field_newer(fields, object, "seconds_to_limit_low", -1);
    memory->seconds_to_limit_high = ls_field_newer(fields, object, "seconds_to_limit_high", -1);
    memory->v8_heap_bytes = ls_field_known(fields, object, "v8_heap_bytes", -1);
    memory->live_heap_bytes = ls_field_known(fields, object, "live_heap_bytes", -1);
    memory->allocator_slack_bytes = ls_field_known(fields, object, "allocator_slack_bytes", -1);
    memory->mapping_bytes = ls_field_known(fields, object, "mapping_bytes", -1);
    memory->stack_bytes = ls_field_known(fields, object, "stack_bytes", -1);
    memory->file_bytes = ls_field_known(fields, object, "file_bytes", -1);
    memory->own_bytes = ls_field_newer(fields, object, "own_bytes", -1);
    read_mapped(fields, object, memory);
    memory->unexplained_bytes = ls_field_known(fields, object, "unexplained_bytes", 0);
    memory->parts_age_s = ls_field_newer(fields, object, "parts_age_s", -1);
}

static void read_event_loops(struct ls_fields *fields, const json_t *root,
                             struct ls_snapshot *snapshot)
{
    const json_t *array = ls_field_array(fields, root, "event_loops");
    struct ls_snapshot_event_loop *loops =
        ls_fields_allocate(fields, json_array_size(array), sizeof(*loops));

    snapshot->event_loops = loops;
    if (loops == NULL)
        return;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *loop = ls_field_item(fields, array, i, "event_loops");

        loops[i].number = (unsigned)i;
        loops[i].thread = ls_field_string(fields, loop, "thread");
        loops[i].thread_id = ls_field_integer(fields, loop, "thread_id");
        loops[i].delay_p50_s = ls_field_known(fields, loop, "delay_p50_s", 0);
        loops[i].delay_p95_s = ls_field_known(fields, loop, "delay_p95_s", 0);
        loops[i].delay_p99_s = ls_field_known(fields, loop, "delay_p99_s", 0);
        loops[i].delay_max_s = ls_field_known(fields, loop, "delay_max_s", 0);
        loops[i].utilization = ls_field_known(fields, loop, "utilization", 0);
    }
    snapshot->event_loop_count = json_array_size(array);
}

static void read_modules(struct ls_fields *fields, const json_t *root, struct ls_snapshot *snapshot)
{
    const json_t *array = ls_field_array(fields, root, "modules");
    struct ls_snapshot_module *modules =
        ls_fields_allocate(fields, json_array_size(array), sizeof(*modules));

    snapshot->modules = modules;
    if (modules == NULL)
        return;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *module = ls_field_item(fields, array, i, "modules");

        modules[i].path = ls_field_optional_string(fields, module, "path");
        modules[i].build_id = ls_field_optional_string(fields, module, "build_id");
        modules[i].live_bytes = ls_field_known(fields, module, "live_bytes", 0);
        modules[i].growth_bytes_per_s = ls_field_known(fields, module, "growth_bytes_per_s", 0);
        modules[i].rising_sites = (unsigned)ls_field_count(fields, module, "rising_sites");
    }
    snapshot->module_count = json_array_size(array);
}

static void read_isolate(struct ls_fields *fields, const json_t *object,
                         struct ls_snapshot_isolate *isolate)
{
    static const char *const states[] = {"tracked", "set aside"};

    isolate->number = ls_field_count(fields, object, "number");
    isolate->thread = ls_field_string(fields, object, "thread");
    isolate->thread_id = ls_field_integer(fields, object, "thread_id");
    isolate->set_aside = ls_field_choice(fields, object, "state", states, 2) == 1;
    isolate->used_heap_bytes = ls_field_known(fields, object, "used_heap_bytes", -1);
    isolate->used_heap_after_gc_bytes =
        ls_field_known(fields, object, "used_heap_after_gc_bytes", -1);
    isolate->total_heap_bytes = ls_field_known(fields, object, "total_heap_bytes", -1);
    isolate->heap_limit_bytes = ls_field_known(fields, object, "heap_limit_bytes", -1);
    isolate->external_bytes = ls_field_known(fields, object, "external_bytes", -1);
    isolate->array_buffer_bytes = ls_field_newer(fields, object, "array_buffer_bytes", -1);
    isolate->major_gcs = ls_field_known(fields, object, "major_gcs", -1);
    isolate->since_major_gc_s = ls_field_known(fields, object, "since_major_gc_s", -1);
    isolate->js_sample_bytes = ls_field_known(fields, object, "js_sample_bytes", -1);
}

static void read_isolates(struct ls_fields *fields, const json_t *root,
                          struct ls_snapshot *snapshot)
{
    const json_t *array = ls_field_optional_array(fields, root, "isolates");
    struct ls_snapshot_isolate *isolates =
        ls_fields_allocate(fields, json_array_size(array), sizeof(*isolates));

    snapshot->isolates = isolates;
    snapshot->isolate_count = isolates != NULL ? json_array_size(array) : 0;
    for (size_t i = 0; i < snapshot->isolate_count; i++)
        read_isolate(fields, ls_field_item(fields, array, i, "isolates"), &isolates[i]);
}

static void read_verdict(struct ls_fields *fields, const json_t *root, struct ls_snapshot *snapshot)
{
    const json_t *verdict = ls_field_object(fields, root, "verdict");

    snapshot->verdict.state = (enum ls_process_verdict)ls_field_choice(
        fields, verdict, "state", ls_process_verdict_names, LS_PROCESS_VERDICT_COUNT);
    snapshot->verdict.rising_sites = (unsigned)ls_field_count(fields, verdict, "rising_sites");
    snapshot->verdict.drained_sites = (unsigned)ls_field_count(fields, verdict, "drained_sites");
    snapshot->verdict.rose_s = ls_field_number(fields, verdict, "rose_s");
    snapshot->verdict.explained_growth_share =
        ls_field_known(fields, verdict, "explained_growth_share", 0);
    snapshot->verdict.message = ls_field_string(fields, verdict, "message");
}

static void check_schema(struct ls_fields *fields, const json_t *root)
{
    const char *schema = json_string_value(json_object_get(root, "schema"));

    if (!json_is_object(root) || schema == NULL ||
        strncmp(schema, SCHEMA_FAMILY, strlen(SCHEMA_FAMILY)) != 0)
        ls_fields_fail(fields, "is not a summary of leakshim");
    else if (strcmp(schema, SCHEMA) != 0)
        ls_fields_fail(fields, "has the schema %.64s; this leakshim reads " SCHEMA, schema);
}

static void read_snapshot(struct ls_fields *fields, const json_t *root,
                          struct ls_snapshot *snapshot)
{
    const json_t *final = json_object_get(root, "final");

    check_schema(fields, root);
    snapshot->written_at = ls_field_time(fields, root, "written_at");
    snapshot->sequence = ls_field_count(fields, root, "sequence");
    if (!json_is_boolean(final))
        ls_fields_fail(fields, "has no valid field final");
    snapshot->final = json_is_true(final);
    read_process(fields, root, snapshot);
    read_settings(fields, root, snapshot);
    read_health(fields, root, snapshot);
    read_memory(fields, root, &snapshot->memory);
    read_event_loops(fields, root, snapshot);
    read_isolates(fields, root, snapshot);
    read_verdict(fields, root, snapshot);
    ls_summary_read_sites(fields, root, snapshot);
    read_modules(fields, root, snapshot);
}

static int take_document(json_t *root, struct ls_summary *summary, char *reason)
{
    struct ls_fields fields = {.reason = reason, .reason_size = LS_SUMMARY_REASON_MAX};

    *summary = (struct ls_summary){.document = root};
    if (root == NULL)
        return errno != 0 ? -errno : -EINVAL;
    read_snapshot(&fields, root, &summary->snapshot);
    if (fields.error != 0)
        ls_summary_free(summary);
    return fields.error;
}

int ls_summary_read(const char *path, struct ls_summary *summary,
                    char reason[LS_SUMMARY_REASON_MAX])
{
    return take_document(
        ls_json_file_read(path, LS_SUMMARY_BYTES_MAX, reason, LS_SUMMARY_REASON_MAX), summary,
        reason);
}

int ls_summary_parse(const char *bytes, size_t length, struct ls_summary *summary,
                     char reason[LS_SUMMARY_REASON_MAX])
{
    return take_document(ls_json_parse(bytes, length, reason, LS_SUMMARY_REASON_MAX), summary,
                         reason);
}

const char *ls_summary_keep(struct ls_summary *summary, const char *text)
{
    static const char name[] = " kept"; /* no field of a summary */
    json_t *kept = json_object_get(summary->document, name);
    json_t *copy = json_stringn_nocheck(text, strlen(text));

    if (kept == NULL) {
        kept = json_array();
        json_object_set_new(summary->document, name, kept);
    }
    return json_array_append_new(kept, copy) == 0 ? json_string_value(copy) : NULL;
}

void ls_summary_free(struct ls_summary *summary)
{
    struct ls_snapshot *snapshot = &summary->snapshot;

    ls_summary_free_sites(snapshot);
    free((void *)snapshot->memory.mapped);
    free((void *)snapshot->modules);
    free((void *)snapshot->event_loops);
    free((void *)snapshot->isolates);
    json_decref(summary->document);
    *summary = (struct ls_summary){0};
}
