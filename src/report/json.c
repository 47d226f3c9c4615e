#include "report/emitter.h"
#include "report/writers.h"

/*
 * Figures keep one digit more than a reader can use and no more: bytes and counts whole, rates to
 * a thousandth, times to a microsecond.
 */
enum { WHOLE = 0, RATE = 3, SHARE = 4, SECONDS = 3, CPU_SECONDS = 6, DELAY_SECONDS = 6 };

static void write_process(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    ls_emitter_object_begin(emitter, "process");
    ls_emitter_json_unsigned(emitter, "pid", (uint64_t)snapshot->process.pid);
    ls_emitter_json_string(emitter, "command", snapshot->process.command);
    ls_emitter_json_string(emitter, "program", snapshot->process.program);
    ls_emitter_json_time(emitter, "started_at", snapshot->process.started_at);
    ls_emitter_json_number(emitter, "uptime_s", snapshot->process.uptime_s, SECONDS);
    if (snapshot->process.limit_bytes > 0)
        ls_emitter_json_number(emitter, "limit_bytes", snapshot->process.limit_bytes, WHOLE);
    else
        ls_emitter_json_null(emitter, "limit_bytes");
    ls_emitter_json_string(emitter, "limit_source", snapshot->process.limit_source);
    if (snapshot->process.launch != NULL && snapshot->process.launch[0] != '\0')
        ls_emitter_json_string(emitter, "launch", snapshot->process.launch);
    ls_emitter_object_end(emitter);
}

static void write_settings(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    ls_emitter_object_begin(emitter, "settings");
    ls_emitter_json_string(emitter, "mode", snapshot->settings.mode);
    ls_emitter_json_number(emitter, "sample", snapshot->settings.sample_bytes, WHOLE);
    if (snapshot->settings.js_sample_bytes > 0)
        ls_emitter_json_number(emitter, "js_sample", snapshot->settings.js_sample_bytes, WHOLE);
    else
        ls_emitter_json_null(emitter, "js_sample");
    ls_emitter_json_number(emitter, "interval", snapshot->settings.interval_s, SECONDS);
    ls_emitter_json_string(emitter, "track", snapshot->settings.track);
    ls_emitter_json_unsigned(emitter, "depth", snapshot->settings.depth);
    ls_emitter_json_unsigned(emitter, "top", snapshot->settings.top);
    ls_emitter_json_string(emitter, "allocator", snapshot->settings.allocator);
    ls_emitter_object_end(emitter);
}

static void write_health(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    ls_emitter_object_begin(emitter, "health");
    ls_emitter_json_string(emitter, "state", ls_health_state_names[snapshot->health.state]);
    ls_emitter_json_unsigned(emitter, "lost_acquires", snapshot->health.lost_acquires);
    ls_emitter_json_unsigned(emitter, "lost_releases", snapshot->health.lost_releases);
    ls_emitter_json_unsigned(emitter, "ring_high_water", snapshot->health.ring_high_water);
    ls_emitter_json_unsigned(emitter, "sites", snapshot->health.sites);
    ls_emitter_json_unsigned(emitter, "sites_overflowed", snapshot->health.sites_overflowed);
    ls_emitter_json_number(emitter, "own_bytes", snapshot->health.own_bytes, WHOLE);
    ls_emitter_json_number(emitter, "own_cpu_s", snapshot->health.own_cpu_s, CPU_SECONDS);
    ls_emitter_array_begin(emitter, "notes");
    for (size_t i = 0; i < snapshot->health.note_count; i++)
        ls_emitter_json_string(emitter, NULL, snapshot->health.notes[i]);
    ls_emitter_array_end(emitter);
    ls_emitter_object_end(emitter);
}

static void write_memory(struct ls_emitter *emitter, const struct ls_snapshot_memory *memory)
{
    ls_emitter_object_begin(emitter, "memory");
    ls_emitter_json_known_number(emitter, "rss_bytes", memory->rss_bytes, WHOLE);
    ls_emitter_json_number(emitter, "rss_growth_bytes_per_s", memory->rss_growth_bytes_per_s, RATE);
    ls_emitter_json_known_number(emitter, "seconds_to_limit", memory->seconds_to_limit, SECONDS);
    ls_emitter_json_known_number(emitter, "seconds_to_limit_low", memory->seconds_to_limit_low,
                                 SECONDS);
    ls_emitter_json_known_number(emitter, "seconds_to_limit_high", memory->seconds_to_limit_high,
                                 SECONDS);
    ls_emitter_json_known_number(emitter, "v8_heap_bytes", memory->v8_heap_bytes, WHOLE);
    ls_emitter_json_known_number(emitter, "live_heap_bytes", memory->live_heap_bytes, WHOLE);
    ls_emitter_json_known_number(emitter, "allocator_slack_bytes", memory->allocator_slack_bytes,
                                 WHOLE);
    ls_emitter_json_known_number(emitter, "mapping_bytes", memory->mapping_bytes, WHOLE);
    ls_emitter_json_known_number(emitter, "stack_bytes", memory->stack_bytes, WHOLE);
    ls_emitter_json_known_number(emitter, "file_bytes", memory->file_bytes, WHOLE);
    ls_emitter_json_known_number(emitter, "own_bytes", memory->own_bytes, WHOLE);
    ls_emitter_json_number(emitter, "unexplained_bytes", memory->unexplained_bytes, WHOLE);
    ls_emitter_json_known_number(emitter, "parts_age_s", memory->parts_age_s, SECONDS);
    if (memory->mapped != NULL) {
        ls_emitter_object_begin(emitter, "mapped");
        ls_emitter_json_number(emitter, "committed_bytes", memory->mapped->committed_bytes, WHOLE);
        ls_emitter_json_number(emitter, "reserved_bytes", memory->mapped->reserved_bytes, WHOLE);
        ls_emitter_json_known_number(emitter, "differing_bytes", memory->mapped->differing_bytes,
                                     WHOLE);
        ls_emitter_object_end(emitter);
    }
    ls_emitter_object_end(emitter);
}

static void write_event_loops(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    ls_emitter_array_begin(emitter, "event_loops");
    for (size_t i = 0; i < snapshot->event_loop_count; i++) {
        const struct ls_snapshot_event_loop *loop = &snapshot->event_loops[i];

        ls_emitter_object_begin(emitter, NULL);
        ls_emitter_json_string(emitter, "thread", loop->thread);
        ls_emitter_json_number(emitter, "thread_id", loop->thread_id, WHOLE);
        ls_emitter_json_number(emitter, "delay_p50_s", loop->delay_p50_s, DELAY_SECONDS);
        ls_emitter_json_number(emitter, "delay_p95_s", loop->delay_p95_s, DELAY_SECONDS);
        ls_emitter_json_number(emitter, "delay_p99_s", loop->delay_p99_s, DELAY_SECONDS);
        ls_emitter_json_number(emitter, "delay_max_s", loop->delay_max_s, DELAY_SECONDS);
        ls_emitter_json_number(emitter, "utilization", loop->utilization, SHARE);
        ls_emitter_object_end(emitter);
    }
    ls_emitter_array_end(emitter);
}

static void write_isolates(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    ls_emitter_array_begin(emitter, "isolates");
    for (size_t i = 0; i < snapshot->isolate_count; i++) {
        const struct ls_snapshot_isolate *isolate = &snapshot->isolates[i];

        ls_emitter_object_begin(emitter, NULL);
        ls_emitter_json_unsigned(emitter, "number", isolate->number);
        ls_emitter_json_string(emitter, "thread", isolate->thread);
        ls_emitter_json_number(emitter, "thread_id", isolate->thread_id, WHOLE);
        ls_emitter_json_string(emitter, "state", isolate->set_aside ? "set aside" : "tracked");
        ls_emitter_json_known_number(emitter, "used_heap_bytes", isolate->used_heap_bytes, WHOLE);
        ls_emitter_json_known_number(emitter, "used_heap_after_gc_bytes",
                                     isolate->used_heap_after_gc_bytes, WHOLE);
        ls_emitter_json_known_number(emitter, "total_heap_bytes", isolate->total_heap_bytes, WHOLE);
        ls_emitter_json_known_number(emitter, "heap_limit_bytes", isolate->heap_limit_bytes, WHOLE);
        ls_emitter_json_known_number(emitter, "external_bytes", isolate->external_bytes, WHOLE);
        ls_emitter_json_known_number(emitter, "array_buffer_bytes", isolate->array_buffer_bytes,
                                     WHOLE);
        ls_emitter_json_known_number(emitter, "major_gcs", isolate->major_gcs, WHOLE);
        ls_emitter_json_known_number(emitter, "since_major_gc_s", isolate->since_major_gc_s,
                                     SECONDS);
        ls_emitter_json_known_number(emitter, "js_sample_bytes", isolate->js_sample_bytes, WHOLE);
        ls_emitter_object_end(emitter);
    }
    ls_emitter_array_end(emitter);
}

static void write_verdict(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    ls_emitter_object_begin(emitter, "verdict");
    ls_emitter_json_string(emitter, "state", ls_process_verdict_names[snapshot->verdict.state]);
    ls_emitter_json_unsigned(emitter, "rising_sites", snapshot->verdict.rising_sites);
    ls_emitter_json_unsigned(emitter, "drained_sites", snapshot->verdict.drained_sites);
    ls_emitter_json_number(emitter, "rose_s", snapshot->verdict.rose_s, SECONDS);
    ls_emitter_json_number(emitter, "explained_growth_share",
                           snapshot->verdict.explained_growth_share, SHARE);
    ls_emitter_json_string(emitter, "message", snapshot->verdict.message);
    ls_emitter_object_end(emitter);
}

static void write_frame(struct ls_emitter *emitter, const struct ls_snapshot_frame *frame)
{
    ls_emitter_object_begin(emitter, NULL);
    if (frame->pc != 0)
        ls_emitter_json_address(emitter, "pc", frame->pc);
    else
        ls_emitter_json_null(emitter, "pc");
    ls_emitter_json_optional_string(emitter, "module", frame->module);
    ls_emitter_json_optional_string(emitter, "build_id", frame->build_id);
    if (frame->module[0] != '\0')
        ls_emitter_json_address(emitter, "offset", frame->offset);
    else
        ls_emitter_json_null(emitter, "offset");
    ls_emitter_json_optional_string(emitter, "function", frame->function);
    ls_emitter_json_optional_string(emitter, "file", frame->file);
    if (frame->line != 0)
        ls_emitter_json_unsigned(emitter, "line", frame->line);
    else
        ls_emitter_json_null(emitter, "line");
    ls_emitter_json_string(emitter, "language", frame->language);
    if (frame->inlined)
        ls_emitter_json_bool(emitter, "inlined", true);
    ls_emitter_object_end(emitter);
}

static void write_series(struct ls_emitter *emitter, const struct ls_snapshot_site *site)
{
    ls_emitter_array_begin(emitter, "series");
    for (size_t i = 0; i < site->point_count; i++) {
        ls_emitter_array_begin(emitter, NULL);
        ls_emitter_json_number(emitter, NULL, site->points[i].time_s, SECONDS);
        ls_emitter_json_number(emitter, NULL, site->points[i].live_bytes, WHOLE);
        ls_emitter_json_number(emitter, NULL, site->points[i].live_count, WHOLE);
        ls_emitter_array_end(emitter);
    }
    ls_emitter_array_end(emitter);
}

static void write_peers(struct ls_emitter *emitter, const struct ls_snapshot_site *site)
{
    ls_emitter_array_begin(emitter, "peers");
    for (size_t i = 0; i < site->peer_count; i++) {
        const struct ls_snapshot_peer *peer = &site->peers[i];

        ls_emitter_object_begin(emitter, NULL);
        ls_emitter_json_optional_string(emitter, "address", peer->address);
        ls_emitter_json_number(emitter, "opened", peer->opened, WHOLE);
        ls_emitter_json_number(emitter, "opened_per_s", peer->opened_per_s, RATE);
        ls_emitter_json_number(emitter, "live", peer->live, WHOLE);
        ls_emitter_json_number(emitter, "unused", peer->unused, WHOLE);
        ls_emitter_json_number(emitter, "failed", peer->failed, WHOLE);
        ls_emitter_object_begin(emitter, "errors");
        for (size_t k = 0; k < peer->error_count; k++)
            ls_emitter_json_unsigned(emitter, peer->errors[k].name, peer->errors[k].count);
        ls_emitter_object_end(emitter);
        ls_emitter_json_known_number(emitter, "connect_p50_s", peer->connect_p50_s, DELAY_SECONDS);
        ls_emitter_json_known_number(emitter, "life_p50_s", peer->life_p50_s, DELAY_SECONDS);
        ls_emitter_object_end(emitter);
    }
    ls_emitter_array_end(emitter);
}

static void write_threads(struct ls_emitter *emitter, const struct ls_snapshot_threads *threads)
{
    ls_emitter_object_begin(emitter, "threads");
    ls_emitter_json_unsigned(emitter, "running", threads->running);
    ls_emitter_json_unsigned(emitter, "finished", threads->finished);
    ls_emitter_json_unsigned(emitter, "detached", threads->detached);
    ls_emitter_json_unsigned(emitter, "cancelled", threads->cancelled);
    ls_emitter_json_number(emitter, "stack_bytes", threads->stack_bytes, WHOLE);
    ls_emitter_array_begin(emitter, "names");
    for (size_t i = 0; i < threads->name_count; i++) {
        ls_emitter_object_begin(emitter, NULL);
        ls_emitter_json_string(emitter, "name", threads->names[i].name);
        ls_emitter_json_unsigned(emitter, "count", threads->names[i].count);
        ls_emitter_object_end(emitter);
    }
    ls_emitter_array_end(emitter);
    ls_emitter_object_end(emitter);
}

static void write_site(struct ls_emitter *emitter, const struct ls_snapshot_site *site)
{
    ls_emitter_object_begin(emitter, NULL);
    ls_emitter_json_id(emitter, "id", site->id);
    ls_emitter_json_string(emitter, "resource", ls_resource_names[site->resource]);
    if (site->kind != NULL)
        ls_emitter_json_string(emitter, "kind", site->kind);
    ls_emitter_json_string(emitter, "verdict", ls_verdict_names[site->verdict]);
    ls_emitter_json_number(emitter, "confidence", site->confidence, SHARE);
    ls_emitter_json_number(emitter, "live_bytes", site->live_bytes, WHOLE);
    ls_emitter_json_number(emitter, "live_count", site->live_count, WHOLE);
    ls_emitter_json_number(emitter, "error_bytes", site->error_bytes, WHOLE);
    ls_emitter_json_number(emitter, "peak_live_bytes", site->peak_live_bytes, WHOLE);
    ls_emitter_json_number(emitter, "peak_live_count", site->peak_live_count, WHOLE);
    if (site->resource == LS_RESOURCE_MAP)
        ls_emitter_json_number(emitter, "reserved_bytes", site->reserved_bytes, WHOLE);
    ls_emitter_json_known_number(emitter, "acquired_count", site->acquired_count, WHOLE);
    ls_emitter_json_known_number(emitter, "acquired_bytes", site->acquired_bytes, WHOLE);
    ls_emitter_json_known_number(emitter, "released_count", site->released_count, WHOLE);
    ls_emitter_json_number(emitter, "growth_bytes_per_s", site->growth_bytes_per_s, RATE);
    ls_emitter_json_number(emitter, "growth_count_per_s", site->growth_count_per_s, RATE);
    ls_emitter_json_known_number(emitter, "median_age_s", site->median_age_s, SECONDS);
    ls_emitter_json_optional_string(emitter, "function", site->function);
    ls_emitter_json_optional_string(emitter, "location", site->location);
    ls_emitter_json_optional_string(emitter, "module", site->module);
    ls_emitter_array_begin(emitter, "stack");
    for (size_t i = 0; i < site->frame_count; i++)
        write_frame(emitter, &site->frames[i]);
    ls_emitter_array_end(emitter);
    if (site->threads != NULL)
        write_threads(emitter, site->threads);
    write_series(emitter, site);
    if (site->resource == LS_RESOURCE_SOCKET)
        write_peers(emitter, site);
    ls_emitter_object_end(emitter);
}

static void write_modules(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    ls_emitter_array_begin(emitter, "modules");
    for (size_t i = 0; i < snapshot->module_count; i++) {
        const struct ls_snapshot_module *module = &snapshot->modules[i];

        ls_emitter_object_begin(emitter, NULL);
        ls_emitter_json_optional_string(emitter, "path", module->path);
        ls_emitter_json_optional_string(emitter, "build_id", module->build_id);
        ls_emitter_json_number(emitter, "live_bytes", module->live_bytes, WHOLE);
        ls_emitter_json_number(emitter, "growth_bytes_per_s", module->growth_bytes_per_s, RATE);
        ls_emitter_json_unsigned(emitter, "rising_sites", module->rising_sites);
        ls_emitter_object_end(emitter);
    }
    ls_emitter_array_end(emitter);
}

int ls_report_write_json(const struct ls_snapshot *snapshot, const struct ls_sink *sink)
{
    struct ls_emitter emitter;

    ls_emitter_init(&emitter, sink);
    ls_emitter_object_begin(&emitter, NULL);
    ls_emitter_json_string(&emitter, "schema", "leakshim-summary/1");
    ls_emitter_json_time(&emitter, "written_at", snapshot->written_at);
    ls_emitter_json_unsigned(&emitter, "sequence", snapshot->sequence);
    ls_emitter_json_bool(&emitter, "final", snapshot->final);
    write_process(&emitter, snapshot);
    write_settings(&emitter, snapshot);
    write_health(&emitter, snapshot);
    write_memory(&emitter, &snapshot->memory);
    write_event_loops(&emitter, snapshot);
    write_isolates(&emitter, snapshot);
    write_verdict(&emitter, snapshot);
    ls_emitter_array_begin(&emitter, "sites");
    for (size_t i = 0; i < snapshot->site_count; i++)
        write_site(&emitter, &snapshot->sites[i]);
    ls_emitter_array_end(&emitter);
    write_modules(&emitter, snapshot);
    ls_emitter_object_end(&emitter);
    ls_emitter_char(&emitter, '\n');
    return ls_emitter_finish(&emitter);
}
