/*
 * Gathers one snapshot: picks the sites to list, copies what the writers need, so that the ledger
 * can be let go before anything is written.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/math.h"
#include "capture/heap.h"
#include "capture/resource.h"
#include "ledger/js_function.h"
#include "ledger/kinds.h"
#include "ledger/ledger.h"
#include "runtime/notes.h"
#include "runtime/picture_ages.h"
#include "runtime/picture_memory.h"
#include "runtime/picture_modules.h"
#include "runtime/picture_order.h"
#include "runtime/picture_peers.h"
#include "runtime/picture_threads.h"
#include "system/clock.h"
#include "system/memory.h"
#include "v8/tracker.h"

#define MESSAGE_BYTES 1024
#define NOT_JIT       ((const struct ls_module *)1)

static void copy_points(struct ls_arena *arena, const struct ls_site *site,
                        struct ls_snapshot_site *view)
{
    struct ls_snapshot_point *points = ls_arena_take(arena, site->history.count * sizeof(*points));

    if (points == NULL)
        return;
    for (uint32_t i = 0; i < site->history.count; i++) {
        points[i] = (struct ls_snapshot_point){
            .time_s = ls_history_time(&site->history.points[i]),
            .live_bytes = site->history.points[i].live_bytes,
            .live_count = site->history.points[i].live_count,
        };
    }
    view->points = points;
    view->point_count = site->history.count;
}

static void copy_named_frames(struct ls_arena *arena, const struct ls_site *site,
                              struct ls_snapshot_site *view)
{
    struct ls_snapshot_frame *frames =
        ls_arena_take(arena, site->named_frame_count * sizeof(*frames));

    if (frames == NULL)
        return;
    for (uint32_t i = 0; i < site->named_frame_count; i++) {
        frames[i] = (struct ls_snapshot_frame){
            .module = "",
            .build_id = "",
            .function = site->named_frames[i].function,
            .file = site->named_frames[i].file,
            .line = site->named_frames[i].line,
            .language = "js",
        };
    }
    view->frames = frames;
    view->frame_count = site->named_frame_count;
    view->named_frame = site->named_frame;
}

static struct ls_snapshot_frame native_frame(uintptr_t pc, const struct ls_module *module)
{
    return (struct ls_snapshot_frame){
        .pc = pc,
        .module = module == NULL ? "" : module->path,
        .build_id = module == NULL ? "" : module->build_id,
        .offset = module == NULL ? 0 : pc - module->bias,
        .function = "",
        .file = "",
        .language = module == NULL ? "jit" : "c",
    };
}

static struct ls_snapshot_frame js_frame(const struct ls_js_function *function)
{
    return (struct ls_snapshot_frame){
        .module = "",
        .build_id = "",
        .function = function->name,
        .file = function->script,
        .line = function->line,
        .language = "js",
    };
}

/* The site is named after the program's own JavaScript function nearest to the call; without one,
 * after the nearest JavaScript function; and without any after a native one. */
struct naming {
    size_t native;
    size_t js;
    size_t user;
    bool has_native;
    bool has_js;
    bool has_user;
};

static void note_js(struct naming *naming, const struct ls_js_function *function, size_t frame)
{
    if (!naming->has_js)
        naming->js = frame;
    if (function->user_code && !naming->has_user)
        naming->user = frame;
    naming->has_js = true;
    naming->has_user = naming->has_user || function->user_code;
}

static size_t chosen_frame(const struct naming *naming)
{
    if (naming->has_user)
        return naming->user;
    return naming->has_js ? naming->js : naming->native;
}

/* Frames of this library are left out; a run of JIT frames is shown once. */
static void copy_native_frames(struct ls_arena *arena, const struct ls_site *site,
                               struct ls_snapshot_site *view)
{
    const struct ls_stack *stack = ls_stack_table_get(&ls_ledger.stacks, site->stack);
    struct ls_snapshot_frame *frames;
    const struct ls_module *last = NOT_JIT;
    struct naming naming = {0};
    size_t count = 0;
    uint32_t kind;

    if (stack == NULL)
        return;
    kind = ls_stack_kind(stack);
    view->kind = kind != 0 ? ls_kind_name(kind) : NULL;
    frames = ls_arena_take(arena, stack->depth * sizeof(*frames));
    if (frames == NULL)
        return;
    for (uint32_t i = kind != 0; i < stack->depth; i++) {
        const struct ls_js_function *function = ls_js_frame_function(stack->pcs[i]);
        const struct ls_module *module;

        if (function != NULL) {
            note_js(&naming, function, count);
            frames[count++] = js_frame(function);
            last = NOT_JIT;
            continue;
        }
        module = ls_modules_find(&ls_ledger.modules, stack->pcs[i], stack->first_seen_ns);
        if ((module != NULL && module->is_own) || (module == NULL && last == NULL))
            continue;
        if (!naming.has_native && module != NULL && module == site->module) {
            naming.native = count;
            naming.has_native = true;
        }
        frames[count++] = native_frame(stack->pcs[i], module);
        last = module;
    }
    view->frames = frames;
    view->frame_count = count;
    view->named_frame = chosen_frame(&naming);
}

static bool is_estimated(const struct ls_site *site)
{
    return site->resource == LS_RESOURCE_JS ||
           (site->resource == LS_RESOURCE_HEAP && ls_runtime.options.mode == LS_MODE_SAMPLED);
}

static void copy_site(struct ls_arena *arena, const struct ls_site *site,
                      struct ls_snapshot_site *view)
{
    const struct ls_trend_verdict *verdict = ls_judge_site(site);
    bool counted = site->resource != LS_RESOURCE_JS; /* readings of V8 tell what lives, no more */

    *view = (struct ls_snapshot_site){
        .id = site->id,
        .resource = site->resource,
        .verdict = verdict->verdict,
        .estimated = is_estimated(site),
        .confidence = verdict->confidence,
        .live_bytes = site->tally.live_bytes,
        .live_count = site->tally.live_count,
        .error_bytes = ls_math_sqrt(site->tally.variance_bytes),
        .peak_live_bytes = site->peak_live_bytes,
        .peak_live_count = site->peak_live_count,
        .reserved_bytes = site->tally.reserved_bytes,
        .acquired_count = counted ? site->tally.acquired_count : -1,
        .acquired_bytes = counted ? site->tally.acquired_bytes : -1,
        .released_count = counted ? site->tally.released_count : -1,
        .growth_bytes_per_s = verdict->growth_bytes_per_s,
        .growth_count_per_s = verdict->growth_count_per_s,
        .median_age_s = -1,
        .function = "",
        .location = "",
        .module = site->module == NULL ? "" : site->module->path,
    };
    copy_points(arena, site, view);
    if (site->resource == LS_RESOURCE_SOCKET)
        ls_picture_peers(arena, site, view);
    if (site->overflow)
        view->function = "(more callsites than the tables hold)";
    else if (site->origin == LS_STACK_EARLIER)
        view->function = "(open when tracking began)";
    else if (site->origin == LS_STACK_UNSEEN)
        view->function = "(opened past the hooks)";
    else if (site->origin == LS_SITE_ENGINE_HEAP)
        view->function = "(V8's own, for its heap)";
    else if (site->origin == LS_SITE_ENGINE_SAMPLER)
        view->function = "(V8's sampler)";
    else if (site->resource == LS_RESOURCE_JS)
        copy_named_frames(arena, site, view);
    else
        copy_native_frames(arena, site, view);
}

/* What a site takes of the arena, and what it may take later for its location. */
static size_t bytes_of(const struct ls_site *site)
{
    const size_t rounding_and_location = 128;
    const struct ls_stack *stack = ls_stack_table_get(&ls_ledger.stacks, site->stack);
    size_t frames = site->named_frame_count;

    if (site->resource != LS_RESOURCE_JS && stack != NULL)
        frames = stack->depth;
    return sizeof(struct ls_snapshot_site) + LS_PICTURE_AGES_BYTES +
           site->history.count * sizeof(struct ls_snapshot_point) +
           frames * sizeof(struct ls_snapshot_frame) +
           (site->resource == LS_RESOURCE_SOCKET ? LS_PICTURE_PEERS_BYTES : 0) +
           rounding_and_location;
}

/* How many of the ordered sites there is memory for. */
static size_t fitting(struct ls_arena *arena, const struct ls_site *const *order, size_t count)
{
    static const char line[] =
        "fewer sites are listed than the option top says: the option memory leaves no room";
    size_t bytes = MESSAGE_BYTES;
    size_t listed = 0;

    while (listed < count && ls_arena_prepare(arena, bytes += bytes_of(order[listed])))
        listed++;
    if (listed < count)
        ls_note(line);
    else
        ls_note_remove(line);
    return listed;
}

static int copy_sites(struct ls_arena *arena, uint64_t now_ns, struct ls_snapshot *snapshot)
{
    size_t count = ls_ledger.sites.count;
    const struct ls_site **order;
    struct ls_snapshot_site *views;
    size_t listed;

    if (count > ls_runtime.options.top)
        count = ls_runtime.options.top;
    if (count == 0)
        return 0;
    order = ls_arena_take(arena, count * sizeof(*order));
    if (order == NULL)
        return -ENOMEM;
    ls_picture_peers_begin(now_ns);
    listed = fitting(arena, order, ls_picture_order(order, count));
    views = ls_arena_take(arena, listed * sizeof(*views));
    if (views == NULL && listed > 0)
        return -ENOMEM;
    for (size_t i = 0; i < listed; i++)
        copy_site(arena, order[i], &views[i]);
    ls_picture_threads(arena, order, views, listed);
    snapshot->sites = views;
    snapshot->site_count = listed;
    return ls_picture_ages(arena, order, views, listed, now_ns);
}

static const char *option_text(struct ls_arena *arena, const char *name)
{
    char buffer[256];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_options_write_value(&ls_runtime.options, name, &text);
    return ls_arena_copy(arena, buffer, text.length);
}

static void describe_process(const struct ls_judgement *judgement, struct ls_snapshot *snapshot)
{
    double now = (double)ls_clock_ns(CLOCK_REALTIME) * 1e-9;

    snapshot->written_at = now;
    snapshot->process.pid = ls_runtime.pid;
    snapshot->process.command = ls_runtime.command;
    snapshot->process.program = ls_runtime.program;
    snapshot->process.run = ls_runtime.run.name;
    snapshot->process.started_at = ls_runtime.started_at;
    snapshot->process.uptime_s = now - ls_runtime.started_at;
    snapshot->process.limit_bytes = judgement->limit_bytes;
    snapshot->process.limit_source = judgement->limit_source;
    snapshot->process.launch = ls_runtime.launch;
}

static void describe_settings(struct ls_arena *arena, struct ls_snapshot *snapshot)
{
    const struct ls_options *options = &ls_runtime.options;

    snapshot->settings.mode = option_text(arena, "mode");
    snapshot->settings.sample_bytes =
        options->mode == LS_MODE_EXACT ? 0 : (double)options->sample_bytes;
    snapshot->settings.js_sample_bytes =
        ls_v8_current_state() == LS_V8_READY ? (double)options->js_sample_bytes : 0;
    snapshot->settings.interval_s = (double)options->interval_ns / (double)LS_NS_PER_S;
    snapshot->settings.track = option_text(arena, "track");
    snapshot->settings.depth = options->depth;
    snapshot->settings.top = options->top;
    snapshot->settings.allocator = option_text(arena, "allocator");
}

static void describe_health(struct ls_snapshot *snapshot)
{
    snapshot->health.note_count = ls_notes_list(snapshot->health.notes, LS_SNAPSHOT_NOTES_MAX);
    snapshot->health.state = ls_runtime.degraded || ls_v8_current_state() == LS_V8_UNKNOWN
                                 ? LS_HEALTH_DEGRADED
                                 : LS_HEALTH_ACTIVE;
    /* Relaxed: statistics. */
    snapshot->health.lost_acquires =
        ls_load_relaxed(&ls_ledger.lost_acquires) + ls_heap_missed_blocks() + ls_resource_missed();
    snapshot->health.lost_releases = ls_load_relaxed(&ls_ledger.lost_releases);
    snapshot->health.ring_high_water = ls_ledger.ring.high_water;
    snapshot->health.sites = ls_ledger.sites.count;
    snapshot->health.sites_overflowed =
        ls_load_relaxed(&ls_ledger.stacks.overflowed) + ls_ledger.sites.overflowed;
    snapshot->health.own_bytes = (double)ls_memory_own_bytes();
    snapshot->health.own_cpu_s = (double)ls_clock_ns(CLOCK_THREAD_CPUTIME_ID) * 1e-9;
}

int ls_picture_take(struct ls_arena *arena, const struct ls_judgement *judgement, uint64_t now_ns,
                    bool final, struct ls_snapshot *snapshot)
{
    int status;

    *snapshot = (struct ls_snapshot){.sequence = ls_runtime.sequence + 1, .final = final};
    describe_process(judgement, snapshot);
    describe_settings(arena, snapshot);
    ls_picture_memory(judgement, now_ns, &snapshot->memory);
    snapshot->verdict.state = judgement->process.state;
    snapshot->verdict.rising_sites = judgement->rising_sites;
    snapshot->verdict.drained_sites = judgement->drained_sites;
    snapshot->verdict.rose_s = judgement->rose_s;
    snapshot->verdict.rising_growth_bytes_per_s = judgement->rising_bytes_per_s;
    snapshot->verdict.explained_growth_share = judgement->process.explained_growth_share;
    snapshot->verdict.message = "";
    ls_loops_describe(now_ns, snapshot);
    ls_isolates_describe(now_ns, snapshot);
    status = ls_picture_modules(arena, snapshot);
    if (status == 0)
        status = copy_sites(arena, now_ns, snapshot);
    describe_health(snapshot);
    return status;
}

/* Of a path below the directory the process was started in, the part nobody needs to read. */
static size_t length_of_working_directory(const char *path)
{
    size_t length = strlen(ls_runtime.working_directory);

    return length > 1 && strncmp(path, ls_runtime.working_directory, length) == 0 &&
                   path[length] == '/'
               ? length + 1
               : 0;
}

static const char *location_of(struct ls_arena *arena, const struct ls_snapshot_frame *frame)
{
    char buffer[1024];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    if (frame->file[0] != '\0') {
        ls_text_string(&text, frame->file + length_of_working_directory(frame->file));
        ls_text_char(&text, ':');
        ls_text_unsigned(&text, frame->line);
    } else if (frame->module[0] != '\0') {
        const char *slash = strrchr(frame->module, '/');

        ls_text_string(&text, slash == NULL ? frame->module : slash + 1);
        ls_text_string(&text, "+0x");
        ls_text_hex(&text, frame->offset, 1);
    }
    return ls_arena_copy(arena, buffer, text.length);
}

static void write_message(struct ls_arena *arena, struct ls_snapshot *snapshot)
{
    char buffer[MESSAGE_BYTES];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_report_message(snapshot, &text);
    snapshot->verdict.message = ls_arena_copy(arena, buffer, text.length);
}

void ls_picture_make_final(struct ls_arena *arena, struct ls_snapshot *snapshot)
{
    double now = (double)ls_clock_ns(CLOCK_REALTIME) * 1e-9;

    snapshot->final = true;
    snapshot->sequence = ls_runtime.sequence + 1;
    snapshot->written_at = now;
    snapshot->process.uptime_s = now - ls_runtime.started_at;
    describe_health(snapshot);
    write_message(arena, snapshot);
}

void ls_picture_finish(struct ls_arena *arena, struct ls_snapshot *snapshot)
{
    ls_names_resolve(snapshot);
    for (size_t i = 0; i < snapshot->site_count; i++) {
        struct ls_snapshot_site *site = (struct ls_snapshot_site *)&snapshot->sites[i];
        const struct ls_snapshot_frame *frame;

        if (site->frame_count == 0)
            continue;
        site->named_frame = ls_names_choose(site);
        frame = &site->frames[site->named_frame];
        site->function = frame->function;
        site->location = location_of(arena, frame);
    }
    write_message(arena, snapshot);
}
