#include "cli/baseline.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/json_file.h"
#include "cli/summary_fields.h"
#include "cli/terminal.h"

#define SCHEMA    "leakshim-baseline/1"
#define BYTES_MAX (64U << 20)

static void read_sites(struct ls_fields *fields, const json_t *root, struct ls_baseline *baseline)
{
    const json_t *array = ls_field_array(fields, root, "sites");

    baseline->sites = ls_fields_allocate(fields, json_array_size(array), sizeof(*baseline->sites));
    baseline->count = baseline->sites != NULL ? json_array_size(array) : 0;
    for (size_t i = 0; i < baseline->count && fields->error == 0; i++) {
        const json_t *object = ls_field_item(fields, array, i, "sites");

        baseline->sites[i] = (struct ls_baseline_site){
            .id = ls_field_hexadecimal(fields, object, "id"),
            .resource = (enum ls_resource)ls_field_choice(fields, object, "resource",
                                                          ls_resource_names, LS_RESOURCE_COUNT),
            .function = ls_field_optional_string(fields, object, "function"),
            .location = ls_field_optional_string(fields, object, "location"),
            .growth_bytes_per_s = ls_field_number(fields, object, "growth_bytes_per_s"),
            .growth_count_per_s = ls_field_number(fields, object, "growth_count_per_s"),
            .live_bytes = ls_field_number(fields, object, "live_bytes"),
        };
        baseline->sites[i].is_counted =
            ls_resource_is_counted_at(baseline->sites[i].resource, baseline->sites[i].live_bytes);
        baseline->sites[i].sought_function = json_string_value(json_object_get(object, "symbol"));
        baseline->sites[i].sought_place = json_string_value(json_object_get(object, "module"));
    }
}

bool ls_baseline_read(const char *path, struct ls_baseline *baseline)
{
    char reason[512] = "";
    struct ls_fields fields = {.reason = reason, .reason_size = sizeof(reason)};
    json_t *root = ls_json_file_read(path, BYTES_MAX, reason, sizeof(reason));
    const char *schema = json_string_value(json_object_get(root, "schema"));

    *baseline = (struct ls_baseline){.document = root};
    if (root != NULL && (schema == NULL || strcmp(schema, SCHEMA) != 0))
        ls_fields_fail(&fields, "is not a baseline (schema " SCHEMA ")");
    if (root != NULL)
        read_sites(&fields, root, baseline);
    if (root == NULL || fields.error != 0) {
        ls_terminal_complain("%s %s", path, reason);
        ls_baseline_free(baseline);
        return false;
    }
    return true;
}

static json_t *site_to_json(const struct ls_baseline_site *site)
{
    json_t *object;
    char id[17];

    snprintf(id, sizeof(id), "%016lx", (unsigned long)site->id);
    object =
        json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f}", "id", id, "resource",
                  ls_resource_names[site->resource], "function", site->function, "location",
                  site->location, "growth_bytes_per_s", site->growth_bytes_per_s,
                  "growth_count_per_s", site->growth_count_per_s, "live_bytes", site->live_bytes);
    if (site->sought_function != NULL && site->sought_place != NULL) {
        json_object_set_new(object, "symbol", json_string(site->sought_function));
        json_object_set_new(object, "module", json_string(site->sought_place));
    }
    return object;
}

static bool write_document(const char *path, const json_t *root)
{
    char temporary[PATH_MAX];
    bool written;

    if (snprintf(temporary, sizeof(temporary), "%s.%d.new", path, (int)getpid()) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    written = json_dump_file(root, temporary, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0 &&
              rename(temporary, path) == 0;
    if (!written) {
        int error = errno;

        unlink(temporary);
        errno = error;
    }
    return written;
}

bool ls_baseline_write(const char *path, const struct ls_baseline *baseline)
{
    json_t *sites = json_array();
    json_t *root = json_pack("{s:s, s:o}", "schema", SCHEMA, "sites", sites);
    bool written;

    for (size_t i = 0; i < baseline->count; i++)
        json_array_append_new(sites, site_to_json(&baseline->sites[i]));
    written =
        root != NULL && json_array_size(sites) == baseline->count && write_document(path, root);
    if (!written)
        ls_terminal_complain("%s cannot be written: %s", path, strerror(errno));
    json_decref(root);
    return written;
}

static double larger(double left, double right)
{
    return left > right ? left : right;
}

static void raise_to(struct ls_baseline_site *known, const struct ls_baseline_site *other)
{
    known->growth_bytes_per_s = larger(known->growth_bytes_per_s, other->growth_bytes_per_s);
    known->growth_count_per_s = larger(known->growth_count_per_s, other->growth_count_per_s);
    known->live_bytes = larger(known->live_bytes, other->live_bytes);
}

/* Of a site named by debug information, what it would be named without. */
static void seek_by_symbol(const struct ls_snapshot_site *site, struct ls_baseline_site *sought)
{
    size_t index = site->named_frame;
    const struct ls_snapshot_frame *frame;

    while (index + 1 < site->frame_count && site->frames[index].inlined)
        index++;
    if (index >= site->frame_count)
        return;
    frame = &site->frames[index];
    if (strcmp(frame->language, "c") != 0 || *frame->file == '\0' || *frame->module == '\0')
        return;
    sought->sought_function = frame->function;
    sought->sought_place = frame->module;
}

static struct ls_baseline_site describe(const struct ls_snapshot_site *site)
{
    struct ls_baseline_site described = {
        .id = site->id,
        .resource = site->resource,
        .function = site->function,
        .location = site->location,
        .growth_bytes_per_s = site->growth_bytes_per_s,
        .growth_count_per_s = site->growth_count_per_s,
        .live_bytes = site->live_bytes,
        .is_counted = ls_snapshot_site_is_counted(site),
    };

    seek_by_symbol(site, &described);
    return described;
}

bool ls_baseline_add(struct ls_baseline *baseline, const struct ls_snapshot_site *site)
{
    struct ls_baseline_site added = describe(site);
    struct ls_baseline_site *sites;

    for (size_t i = 0; i < baseline->count; i++) {
        if (baseline->sites[i].id == added.id) {
            raise_to(&baseline->sites[i], &added);
            return true;
        }
    }
    sites = reallocarray(baseline->sites, baseline->count + 1, sizeof(*sites));
    if (sites == NULL)
        return false;
    baseline->sites = sites;
    sites[baseline->count++] = added;
    return true;
}

void ls_baseline_free(struct ls_baseline *baseline)
{
    free(baseline->sites);
    json_decref(baseline->document);
    *baseline = (struct ls_baseline){0};
}

/* The name of the file or module without folders, line and offset. */
static void place(const char *location, char *bytes, size_t size)
{
    const char *slash = strrchr(location, '/');
    struct ls_text text;
    char *end;

    ls_text_init(&text, bytes, size);
    ls_text_string(&text, slash != NULL ? slash + 1 : location);
    end = strrchr(bytes, ':');
    if (end == NULL)
        end = strstr(bytes, "+0x");
    if (end != NULL)
        *end = '\0';
}

static const char *sought_function(const struct ls_baseline_site *site)
{
    return site->sought_function != NULL ? site->sought_function : site->function;
}

static const char *sought_place(const struct ls_baseline_site *site)
{
    return site->sought_place != NULL ? site->sought_place : site->location;
}

static bool has_same_name(const struct ls_baseline_site *known, const struct ls_baseline_site *site)
{
    char first[256];
    char second[256];

    if (known->resource != site->resource || *sought_function(site) == '\0' ||
        strcmp(sought_function(known), sought_function(site)) != 0)
        return false;
    place(sought_place(known), first, sizeof(first));
    place(sought_place(site), second, sizeof(second));
    return strcmp(first, second) == 0;
}

bool ls_baseline_find(const struct ls_baseline *baseline, const struct ls_snapshot_site *site,
                      struct ls_baseline_site *known)
{
    struct ls_baseline_site sought = describe(site);
    bool found = false;

    for (size_t i = 0; i < baseline->count; i++) {
        if (baseline->sites[i].id == site->id && baseline->sites[i].resource == site->resource) {
            *known = baseline->sites[i];
            return true;
        }
    }
    for (size_t i = 0; i < baseline->count; i++) {
        if (!has_same_name(&baseline->sites[i], &sought))
            continue;
        if (!found)
            *known = baseline->sites[i];
        raise_to(known, &baseline->sites[i]);
        found = true;
    }
    return found;
}
