/*
 * SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
#include <jansson.h>
#include <string.h>

#include "cli/check_formats.h"

#define SCHEMA_ADDRESS "https://json.schemastore.org/sarif-2.1.0.json"
#define STACK_FRAMES   32

/* A path as a URI reference (RFC 3986): absolute ones become file:// addresses. */
static json_t *uri_of(const char *path)
{
    char uri[3 * 4096 + 8] = "";
    size_t used = 0;

    if (*path == '/')
        used = (size_t)snprintf(uri, sizeof(uri), "file://");
    for (; *path != '\0' && used + 4 < sizeof(uri); path++) {
        unsigned char byte = (unsigned char)*path;

        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
            (byte >= '0' && byte <= '9') || strchr("-._~/+@", byte) != NULL)
            uri[used++] = (char)byte;
        else
            used += (size_t)snprintf(uri + used, sizeof(uri) - used, "%%%02X", byte);
    }
    return json_string(uri);
}

static json_t *describe_place(const char *file, unsigned line)
{
    return json_pack("{s:{s:{s:o}, s:{s:I}}}", "physicalLocation", "artifactLocation", "uri",
                     uri_of(file), "region", "startLine", (json_int_t)(line > 0 ? line : 1));
}

static json_t *describe_frame(const struct ls_snapshot_frame *frame)
{
    json_t *location = json_object();
    json_t *described;

    if (*frame->file != '\0' && strncmp(frame->file, "node:", 5) != 0)
        json_object_update_new(location, describe_place(frame->file, frame->line));
    json_object_set_new(
        location, "message",
        json_pack("{s:s}", "text", *frame->function != '\0' ? frame->function : "(no name)"));
    described = json_pack("{s:o}", "location", location);
    if (*frame->module != '\0')
        json_object_set_new(described, "module", json_string(frame->module));
    return described;
}

static json_t *describe_stack(const struct ls_snapshot_site *site)
{
    json_t *frames = json_array();

    for (size_t i = 0; i < site->frame_count && i < STACK_FRAMES; i++)
        json_array_append_new(frames, describe_frame(&site->frames[i]));
    return json_pack("[{s:o}]", "frames", frames);
}

static void add_site(const struct ls_check *check, json_t *result,
                     const struct ls_snapshot_site *site)
{
    char file[4096];
    char id[17];
    unsigned line;

    snprintf(id, sizeof(id), "%016lx", (unsigned long)site->id);
    json_object_set_new(result, "partialFingerprints", json_pack("{s:s}", "leakshimSite/v1", id));
    if (ls_check_source(check, site, file, sizeof(file), &line))
        json_object_set_new(result, "locations", json_pack("[o]", describe_place(file, line)));
    if (site->frame_count > 0)
        json_object_set_new(result, "stacks", describe_stack(site));
    json_object_set_new(result, "properties",
                        json_pack("{s:s, s:f, s:f, s:f, s:f}", "resource",
                                  ls_resource_names[site->resource], "growthBytesPerSecond",
                                  site->growth_bytes_per_s, "growthCountPerSecond",
                                  site->growth_count_per_s, "liveBytes", site->live_bytes,
                                  "confidence", site->confidence));
}

static json_t *describe_finding(const struct ls_check *check, const struct ls_finding *finding)
{
    json_t *result = json_pack(
        "{s:s, s:I, s:s, s:{s:s}, s:I}", "ruleId", ls_finding_names[finding->kind], "ruleIndex",
        (json_int_t)finding->kind, "level", finding->state == LS_FINDING_FAILS ? "error" : "note",
        "message", "text", finding->message, "occurrenceCount", (json_int_t)finding->runs);

    if (finding->site != NULL)
        add_site(check, result, finding->site);
    if (finding->state == LS_FINDING_BASELINED)
        json_object_set_new(result, "baselineState", json_string("unchanged"));
    else if (finding->known_growth_bytes_per_s >= 0)
        json_object_set_new(result, "baselineState", json_string("updated"));
    if (finding->suppression != NULL)
        json_object_set_new(result, "suppressions",
                            json_pack("[{s:s, s:s}]", "kind", "external", "justification",
                                      finding->suppression->pattern));
    return result;
}

static json_t *describe_rules(void)
{
    json_t *rules = json_array();

    for (size_t i = 0; i < LS_FINDING_KIND_COUNT; i++)
        json_array_append_new(rules, json_pack("{s:s, s:{s:s}}", "id", ls_finding_names[i],
                                               "shortDescription", "text", ls_finding_meanings[i]));
    return rules;
}

void ls_check_write_sarif(const struct ls_check *check, FILE *file)
{
    json_t *results = json_array();
    json_t *root;

    for (size_t i = 0; i < check->result->count; i++)
        json_array_append_new(results, describe_finding(check, &check->result->findings[i]));
    root = json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:o}]}", "$schema", SCHEMA_ADDRESS,
                     "version", "2.1.0", "runs", "tool", "driver", "name", "leakshim", "version",
                     LEAKSHIM_VERSION, "rules", describe_rules(), "results", results);
    json_dumpf(root, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    fputc('\n', file);
    json_decref(root);
}
