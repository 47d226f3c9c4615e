/*
 * V8's isolates as a summary tells them: what the last reading of each says of its heap. One that
 * another profiler has is listed too, with what was last read of it or nothing.
 */
#include "runtime/runtime.h"

#include "system/clock.h"
#include "system/process.h"
#include "v8/isolates.h"

#define LISTED_MAX 64
#define NAME_BYTES 32

static struct ls_v8_isolate_view live[LS_V8_ISOLATES_MAX];
static struct ls_snapshot_isolate views[LISTED_MAX];
static char names[LISTED_MAX][NAME_BYTES];

static void fill_in(struct ls_snapshot_isolate *view, const struct ls_js_reading *last,
                    const struct ls_js_reading *settled, uint64_t now_ns)
{
    uint64_t last_gc_ns = last->taken_ns - last->since_major_gc_ns;

    view->major_gcs = (double)last->major_gcs;
    if (!view->set_aside && last->sample_bytes > 0)
        view->js_sample_bytes = last->sample_bytes;
    if (last->major_gcs > 0 && now_ns > last_gc_ns)
        view->since_major_gc_s = (double)(now_ns - last_gc_ns) / (double)LS_NS_PER_S;
    /* Statistics that contradicted themselves were left at 0. */
    if (last->used_heap_bytes > 0) {
        view->used_heap_bytes = (double)last->used_heap_bytes;
        view->total_heap_bytes = (double)last->total_heap_bytes;
        view->heap_limit_bytes = (double)last->heap_limit_bytes;
        view->external_bytes = (double)last->external_bytes;
        view->array_buffer_bytes = (double)last->array_buffer_bytes;
    }
    if (settled != NULL && settled->used_heap_bytes > 0)
        view->used_heap_after_gc_bytes = (double)settled->used_heap_bytes;
}

static struct ls_snapshot_isolate describe(const struct ls_v8_isolate_view *isolate,
                                           uint64_t now_ns)
{
    const struct ls_js_reading *last, *settled;
    struct ls_snapshot_isolate view = {
        .number = isolate->number,
        .thread = "",
        .thread_id = isolate->thread,
        .set_aside = isolate->aside,
        .used_heap_bytes = -1,
        .used_heap_after_gc_bytes = -1,
        .total_heap_bytes = -1,
        .heap_limit_bytes = -1,
        .external_bytes = -1,
        .array_buffer_bytes = -1,
        .major_gcs = -1,
        .since_major_gc_s = -1,
        .js_sample_bytes = isolate->aside ? -1 : (double)ls_runtime.options.js_sample_bytes,
    };

    if (ls_js_sites_readings(isolate->number, &last, &settled))
        fill_in(&view, last, settled, now_ns);
    return view;
}

static bool is_before(const struct ls_snapshot_isolate *a, const struct ls_snapshot_isolate *b)
{
    bool a_is_main = a->thread_id == ls_runtime.pid;

    if (a_is_main != (b->thread_id == ls_runtime.pid))
        return a_is_main;
    return a->used_heap_bytes > b->used_heap_bytes;
}

/* Keeps the views in order; the last one falls out of a full list. Returns the new count. */
static size_t insert(const struct ls_snapshot_isolate *view, size_t count)
{
    size_t place;

    if (count == LISTED_MAX && !is_before(view, &views[count - 1]))
        return count;
    place = count < LISTED_MAX ? count : LISTED_MAX - 1;
    while (place > 0 && is_before(view, &views[place - 1])) {
        views[place] = views[place - 1];
        place--;
    }
    views[place] = *view;
    return count < LISTED_MAX ? count + 1 : count;
}

void ls_isolates_describe(uint64_t now_ns, struct ls_snapshot *snapshot)
{
    size_t isolates = ls_v8_isolates_list(live, LS_V8_ISOLATES_MAX);
    size_t count = 0;

    for (size_t i = 0; i < isolates; i++) {
        struct ls_snapshot_isolate view = describe(&live[i], now_ns);

        count = insert(&view, count);
    }
    for (size_t i = 0; i < count; i++) {
        names[i][0] = '\0';
        ls_process_thread_name(views[i].thread_id, names[i], NAME_BYTES);
        views[i].thread = names[i];
    }
    snapshot->isolates = views;
    snapshot->isolate_count = count;
}
