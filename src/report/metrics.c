#include <string.h>

#include "base/text.h"
#include "report/emitter.h"
#include "report/utf8.h"
#include "report/writers.h"

/*
 * Names are prom-client's where it has one
 * (https://github.com/siimon/prom-client/tree/master/lib/metrics), so that existing dashboards
 * read them; the rest start with leakshim_. A verdict is a state set, one series a state, and
 * never a label of a figure: a series that changes its labels breaks in two.
 */

static void family(struct ls_emitter *emitter, const char *name, const char *type, const char *help)
{
    ls_emitter_string(emitter, "# HELP ");
    ls_emitter_string(emitter, name);
    ls_emitter_char(emitter, ' ');
    ls_emitter_string(emitter, help);
    ls_emitter_string(emitter, "\n# TYPE ");
    ls_emitter_string(emitter, name);
    ls_emitter_char(emitter, ' ');
    ls_emitter_string(emitter, type);
    ls_emitter_char(emitter, '\n');
}

static void finish_sample(struct ls_emitter *emitter, double value)
{
    ls_emitter_char(emitter, ' ');
    if (value != value)
        ls_emitter_string(emitter, "NaN");
    else if (value - value != 0.0)
        ls_emitter_string(emitter, value > 0 ? "+Inf" : "-Inf");
    else
        ls_emitter_decimal(emitter, value, 6);
    ls_emitter_char(emitter, '\n');
}

static void single(struct ls_emitter *emitter, const char *name, const char *type, const char *help,
                   double value)
{
    family(emitter, name, type, help);
    ls_emitter_string(emitter, name);
    finish_sample(emitter, value);
}

/* Backslash, quote and line feed are escaped (the format's only three); other control characters
 * are legal but would break terminals and logs, so they are replaced. */
static void label(struct ls_emitter *emitter, const char *name, const char *value, bool first)
{
    size_t length = ls_emitter_prefix(value, LS_EMITTER_SHORT_BYTES);

    ls_emitter_char(emitter, first ? '{' : ',');
    ls_emitter_string(emitter, name);
    ls_emitter_string(emitter, "=\"");
    for (size_t i = 0; i < length;) {
        uint32_t character;
        char encoded[4];

        i += ls_utf8_decode(value + i, length - i, &character);
        if (character == '\\' || character == '"') {
            ls_emitter_char(emitter, '\\');
            ls_emitter_char(emitter, (char)character);
        } else if (character == '\n') {
            ls_emitter_string(emitter, "\\n");
        } else {
            if (ls_utf8_is_control(character))
                character = LS_UTF8_REPLACEMENT;
            ls_emitter_bytes(emitter, encoded, ls_utf8_encode(character, encoded));
        }
    }
    if (value[length] != '\0')
        ls_emitter_string(emitter, LS_UTF8_ELLIPSIS);
    ls_emitter_char(emitter, '"');
}

static void state_set(struct ls_emitter *emitter, const char *name, const char *help,
                      const char *const *states, size_t count, size_t current)
{
    family(emitter, name, "gauge", help);
    for (size_t i = 0; i < count; i++) {
        ls_emitter_string(emitter, name);
        label(emitter, "state", states[i], true);
        ls_emitter_char(emitter, '}');
        finish_sample(emitter, i == current ? 1 : 0);
    }
}

static void write_process(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    const double never = __builtin_inf();

    if (snapshot->memory.rss_bytes >= 0)
        single(emitter, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
               snapshot->memory.rss_bytes);
    single(emitter, "process_start_time_seconds", "gauge",
           "Start time of the process since unix epoch in seconds.", snapshot->process.started_at);
    single(emitter, "leakshim_resident_memory_growth_bytes_per_second", "gauge",
           "Growth of the resident memory.", snapshot->memory.rss_growth_bytes_per_s);
    if (snapshot->process.limit_bytes > 0)
        single(emitter, "leakshim_memory_limit_bytes", "gauge",
               "The tightest memory limit the process runs under.", snapshot->process.limit_bytes);
    single(emitter, "leakshim_memory_limit_reached_in_seconds", "gauge",
           "Time until the memory limit is reached at the present growth; +Inf if never.",
           snapshot->memory.seconds_to_limit >= 0 ? snapshot->memory.seconds_to_limit : never);
}

static void write_verdict(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    state_set(emitter, "leakshim_verdict", "What the process does: 1 for the present state.",
              ls_process_verdict_names, LS_PROCESS_VERDICT_COUNT, snapshot->verdict.state);
    single(emitter, "leakshim_rising_sites", "gauge", "Callsites whose live amount keeps rising.",
           snapshot->verdict.rising_sites);
    single(emitter, "leakshim_growth_explained_ratio", "gauge",
           "Share of the resident growth that the rising sites explain, 0 to 1.",
           snapshot->verdict.explained_growth_share);
}

static void write_balance(struct ls_emitter *emitter, const struct ls_snapshot_memory *memory)
{
    const struct {
        const char *part;
        double bytes;
    } parts[] = {
        {"v8_heap", memory->v8_heap_bytes},
        {"live_heap", memory->live_heap_bytes},
        {"allocator_slack", memory->allocator_slack_bytes},
        {"mapping", memory->mapping_bytes},
        {"stack", memory->stack_bytes},
        {"file", memory->file_bytes},
        {"leakshim", memory->own_bytes},
        {"unexplained", memory->unexplained_bytes},
    };

    family(emitter, "leakshim_memory_part_bytes", "gauge",
           "What the resident memory consists of; parts that are not known are left out.");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].bytes < 0 && strcmp(parts[i].part, "unexplained") != 0)
            continue;
        ls_emitter_string(emitter, "leakshim_memory_part_bytes");
        label(emitter, "part", parts[i].part, true);
        ls_emitter_char(emitter, '}');
        finish_sample(emitter, parts[i].bytes);
    }
}

/* Threads may share a name; two series with the same labels would void the whole scrape, so the
 * loop's number is a label too. */
static void loop_family(struct ls_emitter *emitter, const struct ls_snapshot *snapshot,
                        const char *name, const char *help, size_t field)
{
    family(emitter, name, "gauge", help);
    for (size_t i = 0; i < snapshot->event_loop_count; i++) {
        const struct ls_snapshot_event_loop *loop = &snapshot->event_loops[i];
        const double values[] = {loop->delay_p50_s, loop->delay_p99_s, loop->delay_max_s,
                                 loop->utilization};

        ls_emitter_string(emitter, name);
        ls_emitter_string(emitter, "{loop=\"");
        ls_emitter_unsigned(emitter, loop->number);
        ls_emitter_char(emitter, '"');
        label(emitter, "thread", loop->thread, false);
        ls_emitter_char(emitter, '}');
        finish_sample(emitter, values[field]);
    }
}

static void write_event_loops(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    if (snapshot->event_loop_count == 0)
        return;
    loop_family(emitter, snapshot, "nodejs_eventloop_lag_p50_seconds",
                "The 50th percentile of the event loop delays.", 0);
    loop_family(emitter, snapshot, "nodejs_eventloop_lag_p99_seconds",
                "The 99th percentile of the event loop delays.", 1);
    loop_family(emitter, snapshot, "nodejs_eventloop_lag_max_seconds",
                "The longest event loop delay.", 2);
    loop_family(emitter, snapshot, "nodejs_eventloop_utilization_ratio",
                "Share of the time the event loop was busy, 0 to 1.", 3);
}

/* A worker has the name of others too: the isolate's number is a label, as with loops. */
static void isolate_family(struct ls_emitter *emitter, const struct ls_snapshot *snapshot,
                           const char *name, const char *type, const char *help, size_t field)
{
    family(emitter, name, type, help);
    for (size_t i = 0; i < snapshot->isolate_count; i++) {
        const struct ls_snapshot_isolate *isolate = &snapshot->isolates[i];
        const double values[] = {isolate->used_heap_bytes,   isolate->total_heap_bytes,
                                 isolate->external_bytes,    isolate->used_heap_after_gc_bytes,
                                 isolate->heap_limit_bytes,  isolate->major_gcs,
                                 isolate->array_buffer_bytes};

        if (values[field] < 0)
            continue;
        ls_emitter_string(emitter, name);
        ls_emitter_string(emitter, "{isolate=\"");
        ls_emitter_unsigned(emitter, isolate->number);
        ls_emitter_char(emitter, '"');
        label(emitter, "thread", isolate->thread, false);
        ls_emitter_char(emitter, '}');
        finish_sample(emitter, values[field]);
    }
}

static void write_isolates(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    if (snapshot->isolate_count == 0)
        return;
    isolate_family(emitter, snapshot, "nodejs_heap_size_used_bytes", "gauge",
                   "Process heap size used from Node.js in bytes.", 0);
    isolate_family(emitter, snapshot, "nodejs_heap_size_total_bytes", "gauge",
                   "Process heap size from Node.js in bytes.", 1);
    isolate_family(emitter, snapshot, "nodejs_external_memory_bytes", "gauge",
                   "Node.js external memory size in bytes.", 2);
    isolate_family(emitter, snapshot, "leakshim_js_heap_used_after_gc_bytes", "gauge",
                   "JavaScript heap in use after the last major collection.", 3);
    isolate_family(emitter, snapshot, "leakshim_js_heap_limit_bytes", "gauge",
                   "What V8 lets this JavaScript heap grow to.", 4);
    isolate_family(emitter, snapshot, "leakshim_js_major_gcs_total", "counter",
                   "Major collections of this JavaScript heap since it was first seen.", 5);
    isolate_family(emitter, snapshot, "leakshim_js_array_buffer_bytes", "gauge",
                   "Memory of ArrayBuffers and Buffers.", 6);
}

enum site_field { LIVE_BYTES, LIVE_RESOURCES, GROWTH_BYTES, GROWTH_RESOURCES, RISING };

static double site_value(const struct ls_snapshot_site *site, enum site_field field)
{
    switch (field) {
    case LIVE_BYTES:
        return site->live_bytes;
    case LIVE_RESOURCES:
        return site->live_count;
    case GROWTH_BYTES:
        return site->growth_bytes_per_s;
    case GROWTH_RESOURCES:
        return site->growth_count_per_s;
    case RISING:
        break;
    }
    return site->verdict == LS_VERDICT_RISING ? 1 : 0;
}

static void id_label(struct ls_emitter *emitter, uint64_t id)
{
    char buffer[24];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_text_hex(&text, id, 16);
    label(emitter, "id", buffer, true);
}

static void site_family(struct ls_emitter *emitter, const struct ls_snapshot *snapshot,
                        const char *name, const char *help, enum site_field field)
{
    if (snapshot->site_count == 0)
        return;
    family(emitter, name, "gauge", help);
    for (size_t i = 0; i < snapshot->site_count; i++) {
        const struct ls_snapshot_site *site = &snapshot->sites[i];

        ls_emitter_string(emitter, name);
        id_label(emitter, site->id);
        label(emitter, "resource", ls_resource_names[site->resource], false);
        label(emitter, "function", site->function, false);
        label(emitter, "location", site->location, false);
        ls_emitter_char(emitter, '}');
        finish_sample(emitter, site_value(site, field));
    }
}

static void write_sites(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    site_family(emitter, snapshot, "leakshim_site_live_bytes",
                "Live bytes of the callsites in the summary.", LIVE_BYTES);
    site_family(emitter, snapshot, "leakshim_site_live_resources",
                "Live blocks, objects or descriptors of these callsites.", LIVE_RESOURCES);
    site_family(emitter, snapshot, "leakshim_site_growth_bytes_per_second",
                "Growth of the live bytes of these callsites.", GROWTH_BYTES);
    site_family(emitter, snapshot, "leakshim_site_growth_resources_per_second",
                "Growth of the live resources of these callsites.", GROWTH_RESOURCES);
    site_family(emitter, snapshot, "leakshim_site_rising",
                "1 when the callsite is judged to keep rising.", RISING);
}

static void write_health(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    state_set(emitter, "leakshim_health", "State of the tracking: 1 for the present state.",
              ls_health_state_names, 3, snapshot->health.state);
    single(emitter, "leakshim_lost_acquires_total", "counter",
           "Resources that could not be tracked.", (double)snapshot->health.lost_acquires);
    single(emitter, "leakshim_lost_releases_total", "counter",
           "Releases of tracked resources that were lost.", (double)snapshot->health.lost_releases);
    single(emitter, "leakshim_ring_high_water_events", "gauge",
           "Most events that ever waited for the collector.",
           (double)snapshot->health.ring_high_water);
    single(emitter, "leakshim_sites", "gauge", "Callsites known.", (double)snapshot->health.sites);
    single(emitter, "leakshim_sites_overflowed_total", "counter",
           "Stacks that found the site table full.", (double)snapshot->health.sites_overflowed);
    single(emitter, "leakshim_own_memory_bytes", "gauge", "Memory leakshim itself uses.",
           snapshot->health.own_bytes);
    single(emitter, "leakshim_own_cpu_seconds_total", "counter",
           "CPU time of leakshim's collector.", snapshot->health.own_cpu_s);
    single(emitter, "leakshim_summaries_total", "counter", "Summaries written in this run.",
           (double)snapshot->sequence);
    single(emitter, "leakshim_last_written_timestamp_seconds", "gauge",
           "When these figures were taken, since unix epoch in seconds.", snapshot->written_at);
}

int ls_report_write_metrics(const struct ls_snapshot *snapshot, const struct ls_sink *sink)
{
    struct ls_emitter emitter;

    ls_emitter_init(&emitter, sink);
    write_process(&emitter, snapshot);
    write_verdict(&emitter, snapshot);
    write_balance(&emitter, &snapshot->memory);
    write_event_loops(&emitter, snapshot);
    write_isolates(&emitter, snapshot);
    write_sites(&emitter, snapshot);
    write_health(&emitter, snapshot);
    return ls_emitter_finish(&emitter);
}
