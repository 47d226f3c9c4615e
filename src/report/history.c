#include "report/emitter.h"
#include "report/writers.h"

#define LISTED_SITES 10

static void write_site(struct ls_emitter *emitter, const struct ls_snapshot_site *site)
{
    ls_emitter_object_begin(emitter, NULL);
    ls_emitter_json_id(emitter, "id", site->id);
    ls_emitter_json_string(emitter, "resource", ls_resource_names[site->resource]);
    if (site->function[0] != '\0')
        ls_emitter_json_short_string(emitter, "function", site->function);
    else
        ls_emitter_json_null(emitter, "function");
    ls_emitter_json_string(emitter, "verdict", ls_verdict_names[site->verdict]);
    ls_emitter_json_number(emitter, "live_bytes", site->live_bytes, 0);
    ls_emitter_json_number(emitter, "live_count", site->live_count, 0);
    ls_emitter_json_number(emitter, "growth_bytes_per_s", site->growth_bytes_per_s, 3);
    ls_emitter_json_number(emitter, "growth_count_per_s", site->growth_count_per_s, 3);
    ls_emitter_object_end(emitter);
}

int ls_report_write_history(const struct ls_snapshot *snapshot, const struct ls_sink *sink)
{
    struct ls_emitter emitter;

    ls_emitter_init(&emitter, sink);
    ls_emitter_object_begin(&emitter, NULL);
    ls_emitter_json_time(&emitter, "written_at", snapshot->written_at);
    ls_emitter_json_unsigned(&emitter, "sequence", snapshot->sequence);
    ls_emitter_json_number(&emitter, "uptime_s", snapshot->process.uptime_s, 3);
    ls_emitter_json_known_number(&emitter, "rss_bytes", snapshot->memory.rss_bytes, 0);
    ls_emitter_json_number(&emitter, "rss_growth_bytes_per_s",
                           snapshot->memory.rss_growth_bytes_per_s, 3);
    ls_emitter_json_known_number(&emitter, "seconds_to_limit", snapshot->memory.seconds_to_limit,
                                 3);
    ls_emitter_json_string(&emitter, "verdict", ls_process_verdict_names[snapshot->verdict.state]);
    ls_emitter_json_number(&emitter, "own_bytes", snapshot->health.own_bytes, 0);
    ls_emitter_json_number(&emitter, "own_cpu_s", snapshot->health.own_cpu_s, 6);
    ls_emitter_array_begin(&emitter, "sites");
    for (size_t i = 0; i < snapshot->site_count && i < LISTED_SITES; i++)
        write_site(&emitter, &snapshot->sites[i]);
    ls_emitter_array_end(&emitter);
    ls_emitter_object_end(&emitter);
    ls_emitter_char(&emitter, '\n');
    return ls_emitter_finish(&emitter);
}
