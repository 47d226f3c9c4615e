#include "report/metrics_sites.h"

#include <string.h>

#include "report/exposition.h"
#include "report/writers.h"

/*
 * Names are prom-client's where it has one
 * (https://github.com/siimon/prom-client/tree/master/lib/metrics), else OpenTelemetry's where that
 * has one, so that existing dashboards read them; the rest start with leakshim_. A verdict is a
 * state set, one series a state, and never a label of a figure: a series that changes its labels
 * breaks in two.
 *
 * HELP is the same text for every process, and that of other exporters where the name is theirs
 * too: of one name with two texts node_exporter drops one.
 */

static void state_set(struct ls_exposition *exposition, const char *name, const char *help,
                      const char *const *states, size_t count, size_t current)
{
    ls_exposition_family(exposition, name, "gauge", help);
    for (size_t i = 0; i < count; i++) {
        ls_exposition_begin(exposition);
        ls_exposition_label(exposition, "state", states[i]);
        ls_exposition_value(exposition, i == current ? 1 : 0);
    }
}

/* What tells the file of a process that lives from one left by a process that does not. */
static void write_run(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    ls_exposition_single(exposition, "process_start_time_seconds", "gauge",
                         "Start time of the process since unix epoch in seconds.",
                         snapshot->process.started_at);
    ls_exposition_single(exposition, "leakshim_last_written_timestamp_seconds", "gauge",
                         "When these figures were taken, since unix epoch in seconds.",
                         snapshot->written_at);
    ls_exposition_single(exposition, "leakshim_interval_seconds", "gauge",
                         "Time between two summaries, as set.", snapshot->settings.interval_s);
    ls_exposition_single(exposition, "leakshim_final", "gauge",
                         "1 when the process has ended by itself and nothing more will come.",
                         snapshot->final ? 1 : 0);
}

static void write_counters(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    ls_exposition_single(exposition, "leakshim_summaries_total", "counter",
                         "Summaries written in this run.", (double)snapshot->sequence);
    ls_exposition_single(exposition, "leakshim_lost_acquires_total", "counter",
                         "Resources that could not be tracked.",
                         (double)snapshot->health.lost_acquires);
    ls_exposition_single(exposition, "leakshim_lost_releases_total", "counter",
                         "Releases of tracked resources that were lost.",
                         (double)snapshot->health.lost_releases);
    ls_exposition_single(exposition, "leakshim_sites_overflowed_total", "counter",
                         "Stacks that found the site table full.",
                         (double)snapshot->health.sites_overflowed);
    ls_exposition_single(exposition, "leakshim_own_cpu_seconds_total", "counter",
                         "CPU time of leakshim's collector.", snapshot->health.own_cpu_s);
}

static void write_seconds(struct ls_exposition *exposition, const char *name, const char *help,
                          double seconds)
{
    const double never = __builtin_inf();

    ls_exposition_single(exposition, name, "gauge", help, seconds >= 0 ? seconds : never);
}

static void write_memory(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    if (snapshot->memory.rss_bytes >= 0)
        ls_exposition_single(exposition, "process_resident_memory_bytes", "gauge",
                             "Resident memory size in bytes.", snapshot->memory.rss_bytes);
    ls_exposition_single(exposition, "leakshim_resident_memory_growth_bytes_per_second", "gauge",
                         "Growth of the resident memory.", snapshot->memory.rss_growth_bytes_per_s);
    if (snapshot->process.limit_bytes > 0)
        ls_exposition_single(exposition, "leakshim_memory_limit_bytes", "gauge",
                             "The tightest memory limit the process runs under.",
                             snapshot->process.limit_bytes);
    write_seconds(exposition, "leakshim_memory_limit_reached_in_seconds",
                  "Time until the memory limit is reached at the present growth; +Inf if never.",
                  snapshot->memory.seconds_to_limit);
    write_seconds(exposition, "leakshim_memory_limit_reached_in_low_seconds",
                  "That time is longer than this in 19 cases of 20; +Inf if never.",
                  snapshot->memory.seconds_to_limit_low);
    write_seconds(exposition, "leakshim_memory_limit_reached_in_high_seconds",
                  "That time is shorter than this in 19 cases of 20; +Inf if it may be never.",
                  snapshot->memory.seconds_to_limit_high);
}

static void write_verdict(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    state_set(exposition, "leakshim_verdict", "What the process does: 1 for the present state.",
              ls_process_verdict_names, LS_PROCESS_VERDICT_COUNT, snapshot->verdict.state);
    ls_exposition_single(exposition, "leakshim_rising_sites", "gauge",
                         "Callsites whose live amount keeps rising, listed or not.",
                         snapshot->verdict.rising_sites);
    ls_exposition_single(exposition, "leakshim_rising_sites_growth_bytes_per_second", "gauge",
                         "Growth of the live bytes of these callsites together.",
                         snapshot->verdict.rising_growth_bytes_per_s);
    ls_exposition_single(exposition, "leakshim_growth_explained_ratio", "gauge",
                         "Share of the resident growth that the rising sites explain, 0 to 1.",
                         snapshot->verdict.explained_growth_share);
}

static void write_balance(struct ls_exposition *exposition, const struct ls_snapshot_memory *memory)
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

    ls_exposition_family(
        exposition, "leakshim_memory_part_bytes", "gauge",
        "What the resident memory consists of; parts that are not known are left out.");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].bytes < 0 && strcmp(parts[i].part, "unexplained") != 0)
            continue;
        ls_exposition_begin(exposition);
        ls_exposition_label(exposition, "part", parts[i].part);
        ls_exposition_value(exposition, parts[i].bytes);
    }
}

/* Threads may share a name, so that of a sample also has the number of what it tells of. */
static void thread_sample(struct ls_exposition *exposition, const char *kind, uint64_t number,
                          const char *thread, double value)
{
    ls_exposition_begin(exposition);
    ls_exposition_label_number(exposition, kind, number);
    ls_exposition_label(exposition, "thread", thread);
    ls_exposition_value(exposition, value);
}

static void loop_family(struct ls_exposition *exposition, const struct ls_snapshot *snapshot,
                        const char *name, const char *help, size_t field)
{
    ls_exposition_family(exposition, name, "gauge", help);
    for (size_t i = 0; i < snapshot->event_loop_count; i++) {
        const struct ls_snapshot_event_loop *loop = &snapshot->event_loops[i];
        const double values[] = {loop->delay_p50_s, loop->delay_p95_s, loop->delay_p99_s,
                                 loop->delay_max_s, loop->utilization};

        thread_sample(exposition, "loop", loop->number, loop->thread, values[field]);
    }
}

static void write_event_loops(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    if (snapshot->event_loop_count == 0)
        return;
    loop_family(exposition, snapshot, "nodejs_eventloop_lag_p50_seconds",
                "The 50th percentile of the recorded event loop delays.", 0);
    loop_family(exposition, snapshot, "nodejs_eventloop_lag_p95_seconds",
                "The 95th percentile of the recorded event loop delays.", 1);
    loop_family(exposition, snapshot, "nodejs_eventloop_lag_p99_seconds",
                "The 99th percentile of the recorded event loop delays.", 2);
    loop_family(exposition, snapshot, "nodejs_eventloop_lag_max_seconds",
                "The maximum recorded event loop delay.", 3);
    loop_family(exposition, snapshot, "nodejs_eventloop_utilization_ratio",
                "Share of the time the event loop was busy, 0 to 1.", 4);
}

static void isolate_family(struct ls_exposition *exposition, const struct ls_snapshot *snapshot,
                           const char *name, const char *type, const char *help, size_t field)
{
    ls_exposition_family(exposition, name, type, help);
    for (size_t i = 0; i < snapshot->isolate_count; i++) {
        const struct ls_snapshot_isolate *isolate = &snapshot->isolates[i];
        const double values[] = {isolate->used_heap_bytes,   isolate->total_heap_bytes,
                                 isolate->external_bytes,    isolate->used_heap_after_gc_bytes,
                                 isolate->heap_limit_bytes,  isolate->major_gcs,
                                 isolate->array_buffer_bytes};

        if (values[field] < 0)
            continue;
        thread_sample(exposition, "isolate", isolate->number, isolate->thread, values[field]);
    }
}

static void write_isolates(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    if (snapshot->isolate_count == 0)
        return;
    isolate_family(exposition, snapshot, "nodejs_heap_size_used_bytes", "gauge",
                   "Process heap size used from Node.js in bytes.", 0);
    isolate_family(exposition, snapshot, "nodejs_heap_size_total_bytes", "gauge",
                   "Process heap size from Node.js in bytes.", 1);
    isolate_family(exposition, snapshot, "nodejs_external_memory_bytes", "gauge",
                   "Node.js external memory size in bytes.", 2);
    isolate_family(exposition, snapshot, "leakshim_js_heap_used_after_gc_bytes", "gauge",
                   "JavaScript heap in use after the last major collection.", 3);
    isolate_family(exposition, snapshot, "leakshim_js_heap_limit_bytes", "gauge",
                   "What V8 lets this JavaScript heap grow to.", 4);
    isolate_family(exposition, snapshot, "leakshim_js_major_gcs_total", "counter",
                   "Major collections of this JavaScript heap since it was first seen.", 5);
    isolate_family(exposition, snapshot, "leakshim_js_array_buffer_bytes", "gauge",
                   "Memory of ArrayBuffers and Buffers.", 6);
}

static void write_health(struct ls_exposition *exposition, const struct ls_snapshot *snapshot)
{
    state_set(exposition, "leakshim_health", "State of the tracking: 1 for the present state.",
              ls_health_state_names, 3, snapshot->health.state);
    ls_exposition_single(exposition, "leakshim_ring_high_water_events", "gauge",
                         "Most events that ever waited for the collector.",
                         (double)snapshot->health.ring_high_water);
    ls_exposition_single(exposition, "leakshim_sites", "gauge", "Callsites known.",
                         (double)snapshot->health.sites);
    ls_exposition_single(exposition, "leakshim_own_memory_bytes", "gauge",
                         "Memory leakshim itself uses.", snapshot->health.own_bytes);
}

/* A process that has ended holds nothing: its last file has no gauges of what it held, so that
 * Prometheus ends these series and alerts on them resolve, though the file stays. */
int ls_report_write_metrics(const struct ls_snapshot *snapshot, const struct ls_sink *sink)
{
    struct ls_exposition exposition;

    ls_exposition_init(&exposition, snapshot, sink);
    write_run(&exposition, snapshot);
    write_counters(&exposition, snapshot);
    if (!snapshot->final) {
        write_memory(&exposition, snapshot);
        write_verdict(&exposition, snapshot);
        write_balance(&exposition, &snapshot->memory);
        write_event_loops(&exposition, snapshot);
        write_isolates(&exposition, snapshot);
        ls_metrics_write_sites(&exposition, snapshot);
        ls_metrics_write_peers(&exposition, snapshot);
        write_health(&exposition, snapshot);
    }
    return ls_exposition_finish(&exposition);
}
