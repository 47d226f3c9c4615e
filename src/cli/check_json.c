#include <jansson.h>
#include <string.h>

#include "cli/check_formats.h"

static json_t *describe_run(const struct ls_run *run)
{
    const struct ls_snapshot *snapshot = &run->summary.snapshot;

    return json_pack("{s:s, s:s, s:I, s:f, s:b, s:s, s:s}", "directory", run->directory, "program",
                     snapshot->process.program, "pid", (json_int_t)snapshot->process.pid,
                     "uptime_s", snapshot->process.uptime_s, "final", (int)snapshot->final,
                     "verdict", ls_process_verdict_names[snapshot->verdict.state], "message",
                     snapshot->verdict.message);
}

static json_t *describe_site(const struct ls_check *check, const struct ls_snapshot_site *site)
{
    char file[4096];
    char id[17];
    unsigned line;
    json_t *object;

    snprintf(id, sizeof(id), "%016lx", (unsigned long)site->id);
    object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f}", "id", id, "resource",
                       ls_resource_names[site->resource], "verdict",
                       ls_verdict_names[site->verdict], "function", site->function, "location",
                       site->location, "confidence", site->confidence, "live_bytes",
                       site->live_bytes, "live_count", site->live_count, "growth_bytes_per_s",
                       site->growth_bytes_per_s, "growth_count_per_s", site->growth_count_per_s);
    if (ls_check_source(check, site, file, sizeof(file), &line)) {
        json_object_set_new(object, "file", json_string(file));
        json_object_set_new(object, "line", json_integer(line));
    }
    return object;
}

static json_t *describe_finding(const struct ls_check *check, const struct ls_finding *finding)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:I, s:s}", "kind", ls_finding_names[finding->kind], "state",
                  ls_finding_state_names[finding->state], "message", finding->message, "runs",
                  (json_int_t)finding->runs, "run", finding->run->directory);

    if (finding->site != NULL)
        json_object_set_new(object, "site", describe_site(check, finding->site));
    if (finding->suppression != NULL)
        json_object_set_new(object, "suppression", json_string(finding->suppression->pattern));
    if (finding->known_growth_bytes_per_s >= 0)
        json_object_set_new(object, "baseline_growth_bytes_per_s",
                            json_real(finding->known_growth_bytes_per_s));
    return object;
}

void ls_check_write_json(const struct ls_check *check, FILE *file)
{
    json_t *runs = json_array();
    json_t *findings = json_array();
    json_t *root;

    for (size_t i = 0; i < check->runs->count; i++)
        json_array_append_new(runs, describe_run(&check->runs->items[i]));
    for (size_t i = 0; i < check->result->count; i++)
        json_array_append_new(findings, describe_finding(check, &check->result->findings[i]));
    root = json_pack("{s:s, s:b, s:I, s:o, s:o}", "schema", "leakshim-check/1", "passed",
                     (int)(check->result->failed == 0), "without_verdict",
                     (json_int_t)check->result->learning, "findings", findings, "runs", runs);
    json_dumpf(root, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    fputc('\n', file);
    json_decref(root);
}
