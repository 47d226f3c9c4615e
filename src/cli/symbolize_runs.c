#include "cli/symbolize_runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/terminal.h"
#include "report/wrapper.h"

struct expansion {
    struct ls_snapshot_frame *frames;
    size_t count;
    size_t room;
};

static bool is_native(const struct ls_snapshot_frame *frame)
{
    return strcmp(frame->language, "c") == 0 && frame->module[0] == '/' && frame->offset > 0;
}

static bool append(struct expansion *expansion, const struct ls_snapshot_frame *frame)
{
    if (expansion->count == expansion->room) {
        size_t room = 2 * expansion->room + 16;
        struct ls_snapshot_frame *frames = reallocarray(expansion->frames, room, sizeof(*frames));

        if (frames == NULL)
            return false;
        expansion->frames = frames;
        expansion->room = room;
    }
    expansion->frames[expansion->count++] = *frame;
    return true;
}

/* `frame` as the functions that are inlined at its address, and itself. */
static bool append_found(struct expansion *expansion, const struct ls_snapshot_frame *frame,
                         const struct ls_symbolizer_frame *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ls_snapshot_frame one = *frame;
        bool is_physical = i + 1 == count;

        /* The symbol tables were read where the program ran, and tell clones of a function apart.
         */
        if (!is_physical || *frame->function == '\0')
            one.function = found[i].function;
        one.file = found[i].file;
        one.line = found[i].line;
        one.inlined = !is_physical;
        if (!append(expansion, &one))
            return false;
    }
    return true;
}

/* From the first frame of a group to the one a person would name. */
static size_t choose(const struct expansion *expansion, size_t first)
{
    size_t chosen = first;

    while (expansion->frames[chosen].inlined && chosen + 1 < expansion->count &&
           ls_wrapper_is_allocator(expansion->frames[chosen].function))
        chosen++;
    return chosen;
}

/* Fills `expansion`; false without memory. */
static bool expand(struct ls_symbolizer *symbolizer, double loaded_at,
                   const struct ls_snapshot_site *site, struct expansion *expansion, size_t *named)
{
    *named = 0;
    for (size_t i = 0; i < site->frame_count; i++) {
        const struct ls_snapshot_frame *frame = &site->frames[i];
        const struct ls_symbolizer_frame *found = NULL;
        size_t first = expansion->count;
        size_t count = 0;

        /* Addresses are those that calls return to. */
        if (is_native(frame) && *frame->file == '\0')
            count = ls_symbolizer_find(symbolizer, frame->module, frame->build_id, loaded_at,
                                       frame->offset - 1, &found);
        if (count > 0 ? !append_found(expansion, frame, found, count) : !append(expansion, frame))
            return false;
        if (i == site->named_frame)
            *named = choose(expansion, first);
    }
    return true;
}

/* The place of the frame the site is named after; kept by the summary that the site is of. */
static void name_site(struct ls_summary *summary, struct ls_snapshot_site *site)
{
    const struct ls_snapshot_frame *frame = &site->frames[site->named_frame];
    char place[8192];
    const char *kept;

    if (!is_native(frame) || *site->function == '(')
        return;
    if (*frame->function != '\0')
        site->function = frame->function;
    if (*frame->file == '\0' || frame->line == 0)
        return;
    snprintf(place, sizeof(place), "%s:%u", frame->file, frame->line);
    kept = ls_summary_keep(summary, place);
    if (kept != NULL)
        site->location = kept;
}

static bool symbolize_site(struct ls_symbolizer *symbolizer, struct ls_summary *summary,
                           struct ls_snapshot_site *site)
{
    struct expansion expansion = {0};
    size_t named;

    if (site->frame_count == 0)
        return true;
    if (!expand(symbolizer, summary->snapshot.process.started_at, site, &expansion, &named)) {
        free(expansion.frames);
        return false;
    }
    free((void *)(uintptr_t)site->frames);
    site->frames = expansion.frames;
    site->frame_count = expansion.count;
    site->named_frame = named;
    name_site(summary, site);
    return true;
}

bool ls_symbolize_summary(struct ls_symbolizer *symbolizer, struct ls_summary *summary)
{
    for (size_t i = 0; i < summary->snapshot.site_count; i++) {
        /* The reader made them; const is for who shows them. */
        struct ls_snapshot_site *site =
            (struct ls_snapshot_site *)(uintptr_t)&summary->snapshot.sites[i];

        if (!symbolize_site(symbolizer, summary, site))
            return false;
    }
    return true;
}

bool ls_symbolize_runs(struct ls_symbolizer *symbolizer, struct ls_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        if (!ls_symbolize_summary(symbolizer, &runs->items[i].summary))
            return false;
    }
    return true;
}

static void tell_other_builds(const struct ls_symbolizer *symbolizer)
{
    struct ls_symbolizer_module module;
    struct ls_symbolizer_module first = {0};
    size_t count = 0;

    for (size_t i = 0; ls_symbolizer_module(symbolizer, i, &module); i++) {
        if (module.state != LS_SYMBOLIZER_OTHER_BUILD && module.state != LS_SYMBOLIZER_UNVERIFIED)
            continue;
        if (count++ == 0)
            first = module;
    }
    if (count == 1)
        ls_terminal_complain("%s is not the build that ran; its frames have no lines", first.path);
    else if (count > 1)
        ls_terminal_complain("%s and %zu more modules are not the builds that ran; their frames "
                             "have no lines ('leakshim symbolize' lists them)",
                             first.path, count - 1);
}

struct ls_symbolizer *ls_symbolize_by_the_way(struct ls_runs *runs)
{
    struct ls_symbolizer *symbolizer = ls_symbolizer_make(NULL, false);

    if (symbolizer == NULL || !ls_symbolize_runs(symbolizer, runs))
        ls_terminal_complain("out of memory: some frames have no lines");
    if (symbolizer != NULL)
        tell_other_builds(symbolizer);
    return symbolizer;
}
