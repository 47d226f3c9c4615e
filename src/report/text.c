#include <string.h>

#include "base/compiler.h"
#include "report/calendar.h"
#include "report/line.h"
#include "report/text_peaks.h"
#include "report/text_peers.h"
#include "report/text_sites.h"
#include "report/units.h"
#include "report/writers.h"

#define MODULES_LISTED  10
#define LOOPS_LISTED    16
#define ISOLATES_LISTED 16
/* Less than that is no figure worth a line: most of Node's own threads sleep in a loop for ever. */
#define BUSY_LEAST 0.0005

enum {
    LABEL_COLUMN = 4,
    MESSAGE_COLUMNS_MAX = 400,
    NOTE_COLUMNS_MAX = 400,
};

/* V8 limits its own heap, not what is resident. */
static void limit(struct ls_line *line, const struct ls_snapshot *snapshot)
{
    double bytes = snapshot->process.limit_bytes;

    if (!(bytes > 0) || bytes - bytes != 0.0) {
        ls_text_string(&line->text, ", no limit");
        return;
    }
    if (strcmp(snapshot->process.limit_source, "v8") == 0) {
        ls_text_string(&line->text, ", JavaScript heap limit ");
        ls_units_round_size(&line->text, bytes);
        return;
    }
    ls_text_string(&line->text, " of ");
    ls_units_round_size(&line->text, bytes);
    ls_text_string(&line->text, " (");
    ls_line_name(line, snapshot->process.limit_source, 16);
    ls_text_char(&line->text, ')');
}

static void write_head(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    struct ls_line line;

    ls_line_init(&line);
    ls_line_name(&line, snapshot->verdict.message, MESSAGE_COLUMNS_MAX);
    ls_line_end(&line, emitter);

    ls_line_name(&line, snapshot->process.program, 32);
    ls_text_string(&line.text, " pid ");
    ls_text_signed(&line.text, snapshot->process.pid);
    ls_text_string(&line.text, snapshot->final ? ", ended after " : ", up ");
    ls_units_duration(&line.text, snapshot->process.uptime_s);
    if (snapshot->memory.rss_bytes >= 0) {
        ls_text_string(&line.text, ", ");
        ls_units_size(&line.text, snapshot->memory.rss_bytes);
        ls_text_string(&line.text, " resident");
    }
    limit(&line, snapshot);
    ls_text_string(&line.text, ", ");
    ls_calendar_readable(&line.text, snapshot->written_at);
    ls_line_end(&line, emitter);
}

static void write_modules(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    struct ls_line line;
    size_t written = 0;

    ls_line_init(&line);
    for (size_t i = 0; i < snapshot->module_count && written < MODULES_LISTED; i++) {
        const struct ls_snapshot_module *module = &snapshot->modules[i];
        size_t start;

        if (module->rising_sites == 0)
            continue;
        if (written == 0)
            ls_emitter_string(emitter, "\nModules that grow\n");
        ls_line_pad_to(&line, LABEL_COLUMN);
        start = ls_line_width(&line);
        ls_units_size_rate(&line.text, module->growth_bytes_per_s);
        ls_line_align_right(&line, start, 18);
        start = ls_line_width(&line);
        ls_text_char(&line.text, ' ');
        ls_units_size(&line.text, module->live_bytes);
        ls_line_align_right(&line, start, 29);
        ls_text_string(&line.text, " live  ");
        ls_text_unsigned(&line.text, module->rising_sites);
        ls_text_string(&line.text, " rising  ");
        ls_line_path(&line,
                     module->path[0] != '\0' ? module->path : "(JavaScript and generated code)",
                     LS_TEXT_COLUMNS - ls_line_width(&line));
        ls_line_end(&line, emitter);
        written++;
    }
}

static void write_event_loops(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    struct ls_line line;

    ls_line_init(&line);
    if (snapshot->event_loop_count > 0)
        ls_emitter_string(emitter,
                          "\nEvent loops\n"
                          "    thread            delay p50       p99       max      busy\n");
    for (size_t i = 0; i < snapshot->event_loop_count && i < LOOPS_LISTED; i++) {
        const struct ls_snapshot_event_loop *loop = &snapshot->event_loops[i];
        const double delays[] = {loop->delay_p50_s, loop->delay_p99_s, loop->delay_max_s};
        size_t start;

        if (i > 0 && loop->utilization < BUSY_LEAST)
            continue;
        ls_line_pad_to(&line, LABEL_COLUMN);
        ls_line_name(&line, loop->thread, 16);
        for (size_t k = 0; k < LS_ARRAY_LENGTH(delays); k++) {
            start = ls_line_width(&line);
            ls_text_char(&line.text, ' ');
            ls_units_delay(&line.text, delays[k]);
            ls_line_align_right(&line, start, 31 + 10 * k);
        }
        start = ls_line_width(&line);
        ls_text_char(&line.text, ' ');
        ls_units_share(&line.text, loop->utilization);
        ls_line_align_right(&line, start, 61);
        ls_line_end(&line, emitter);
    }
}

/* A figure right-aligned in its column, or a dash. */
static void size_or_dash(struct ls_line *line, double bytes, size_t column)
{
    size_t start = ls_line_width(line);

    ls_text_char(&line->text, ' ');
    if (bytes >= 0)
        ls_units_size(&line->text, bytes);
    else
        ls_text_char(&line->text, '-');
    ls_line_align_right(line, start, column);
}

static void isolate_line(struct ls_emitter *emitter, const struct ls_snapshot_isolate *isolate)
{
    struct ls_line line;
    size_t start;

    ls_line_init(&line);
    ls_line_pad_to(&line, LABEL_COLUMN);
    ls_line_name(&line, isolate->thread, 16);
    size_or_dash(&line, isolate->used_heap_bytes, 31);
    size_or_dash(&line, isolate->used_heap_after_gc_bytes, 41);
    size_or_dash(&line, isolate->heap_limit_bytes, 51);
    size_or_dash(&line, isolate->external_bytes, 61);
    start = ls_line_width(&line);
    ls_text_char(&line.text, ' ');
    if (isolate->major_gcs > 0) {
        ls_units_count(&line.text, isolate->major_gcs);
        ls_text_string(&line.text, ", ");
        ls_units_duration(&line.text, isolate->since_major_gc_s);
        ls_text_string(&line.text, " ago");
    } else {
        ls_text_string(&line.text, isolate->major_gcs < 0 ? "-" : "none");
    }
    ls_line_align_right(&line, start, 81);
    if (isolate->set_aside)
        ls_text_string(&line.text, "  set aside");
    ls_line_end(&line, emitter);
}

static void write_isolates(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    if (snapshot->isolate_count > 0)
        ls_emitter_string(emitter, "\nJavaScript heaps\n"
                                   "    thread                 used  after GC     limit  external"
                                   "   major collections\n");
    for (size_t i = 0; i < snapshot->isolate_count && i < ISOLATES_LISTED; i++)
        isolate_line(emitter, &snapshot->isolates[i]);
}

static void balance_line(struct ls_emitter *emitter, const struct ls_snapshot_memory *memory,
                         const char *label, double bytes, bool estimated)
{
    struct ls_line line;
    size_t start;

    ls_line_init(&line);
    ls_line_pad_to(&line, LABEL_COLUMN);
    ls_text_string(&line.text, label);
    start = ls_line_width(&line);
    ls_text_char(&line.text, ' ');
    if (estimated)
        ls_text_char(&line.text, '~');
    ls_units_size(&line.text, bytes);
    ls_line_align_right(&line, start, 36);
    if (memory->rss_bytes > 0 && bytes >= 0) {
        start = ls_line_width(&line);
        ls_text_char(&line.text, ' ');
        ls_units_share(&line.text, bytes / memory->rss_bytes);
        ls_line_align_right(&line, start, 44);
    }
    ls_line_end(&line, emitter);
}

/* What came or went since is in the unexplained part. */
static void balance_age(struct ls_emitter *emitter, double seconds)
{
    struct ls_line line;

    if (!(seconds >= 0.1))
        return;
    ls_line_init(&line);
    ls_text_string(&line.text, "  as read ");
    ls_units_duration(&line.text, seconds);
    ls_text_string(&line.text, " before; what came since is unexplained");
    ls_line_end(&line, emitter);
}

static void write_balance(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    const struct ls_snapshot_memory *memory = &snapshot->memory;
    bool sampled = strcmp(snapshot->settings.mode, "exact") != 0;
    const struct {
        const char *label;
        double bytes;
        bool estimated;
    } parts[] = {
        {"JavaScript heap", memory->v8_heap_bytes, false},
        {"live heap blocks", memory->live_heap_bytes, sampled},
        {"allocator slack", memory->allocator_slack_bytes, sampled},
        {"mappings", memory->mapping_bytes, false},
        {"thread stacks", memory->stack_bytes, false},
        {"files and code", memory->file_bytes, false},
        {"leakshim itself", memory->own_bytes, false},
    };

    if (!(memory->rss_bytes > 0))
        return;
    ls_emitter_string(emitter, "\nWhere the resident memory is\n");
    balance_age(emitter, memory->parts_age_s);
    for (size_t i = 0; i < LS_ARRAY_LENGTH(parts); i++) {
        if (parts[i].bytes >= 0)
            balance_line(emitter, memory, parts[i].label, parts[i].bytes, parts[i].estimated);
    }
    balance_line(emitter, memory, "unexplained", memory->unexplained_bytes, false);
    balance_line(emitter, memory, "resident", memory->rss_bytes, false);
}

static void write_losses(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    const struct {
        uint64_t count;
        const char *what;
        const char *meaning;
    } losses[] = {
        {snapshot->health.lost_acquires, "lost acquires: ", " (live amounts read too low)"},
        {snapshot->health.lost_releases, "lost releases: ", " (live amounts read too high)"},
        {snapshot->health.sites_overflowed, "stacks not kept: ", " (the site table is full)"},
    };
    struct ls_line line;

    ls_line_init(&line);
    for (size_t i = 0; i < LS_ARRAY_LENGTH(losses); i++) {
        if (losses[i].count == 0)
            continue;
        ls_line_pad_to(&line, LABEL_COLUMN);
        ls_text_string(&line.text, losses[i].what);
        ls_units_count(&line.text, (double)losses[i].count);
        ls_text_string(&line.text, losses[i].meaning);
        ls_line_end(&line, emitter);
    }
}

static bool nothing_lost(const struct ls_snapshot *snapshot)
{
    return snapshot->health.lost_acquires == 0 && snapshot->health.lost_releases == 0 &&
           snapshot->health.sites_overflowed == 0;
}

static void write_health(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    struct ls_line line;

    ls_line_init(&line);
    ls_emitter_string(emitter, "\nHealth\n");
    ls_line_pad_to(&line, LABEL_COLUMN);
    ls_text_string(&line.text, ls_health_state_names[snapshot->health.state]);
    ls_text_string(&line.text, nothing_lost(snapshot) ? ", nothing lost, " : ", ");
    ls_units_count(&line.text, (double)snapshot->health.sites);
    ls_text_string(&line.text, " sites known");
    ls_line_end(&line, emitter);
    write_losses(emitter, snapshot);

    ls_line_pad_to(&line, LABEL_COLUMN);
    ls_text_string(&line.text, "leakshim's own cost: ");
    ls_units_size(&line.text, snapshot->health.own_bytes);
    ls_text_string(&line.text, ", ");
    ls_units_delay(&line.text, snapshot->health.own_cpu_s);
    ls_text_string(&line.text, " of CPU");
    if (snapshot->process.uptime_s > 0) {
        ls_text_string(&line.text, " (");
        ls_units_share(&line.text, snapshot->health.own_cpu_s / snapshot->process.uptime_s);
        ls_text_string(&line.text, " of one core)");
    }
    ls_line_end(&line, emitter);
    for (size_t i = 0; i < snapshot->health.note_count; i++) {
        ls_line_pad_to(&line, LABEL_COLUMN);
        ls_text_string(&line.text, "note: ");
        ls_line_name(&line, snapshot->health.notes[i], NOTE_COLUMNS_MAX);
        ls_line_end(&line, emitter);
    }
}

static void write_run(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    struct ls_line line;
    bool exact = strcmp(snapshot->settings.mode, "exact") == 0;

    ls_line_init(&line);
    ls_emitter_string(emitter, "\nRun\n");
    ls_line_pad_to(&line, LABEL_COLUMN);
    ls_line_name(&line, snapshot->process.command, LS_TEXT_COLUMNS - LABEL_COLUMN);
    ls_line_end(&line, emitter);

    ls_line_pad_to(&line, LABEL_COLUMN);
    ls_text_string(&line.text, "started ");
    ls_calendar_readable(&line.text, snapshot->process.started_at);
    ls_text_string(&line.text, "; summary ");
    ls_text_unsigned(&line.text, snapshot->sequence);
    ls_text_string(&line.text, ", one every ");
    ls_units_duration(&line.text, snapshot->settings.interval_s);
    if (snapshot->final)
        ls_text_string(&line.text, ", the last of this run");
    ls_line_end(&line, emitter);

    ls_line_pad_to(&line, LABEL_COLUMN);
    if (exact) {
        ls_text_string(&line.text, "every block counted");
    } else {
        ls_text_string(&line.text, "one heap sample per ");
        ls_units_size(&line.text, snapshot->settings.sample_bytes);
    }
    if (snapshot->settings.js_sample_bytes > 0) {
        ls_text_string(&line.text, exact ? ", one JavaScript sample per " : ", JavaScript ");
        ls_units_size(&line.text, snapshot->settings.js_sample_bytes);
    }
    if (!exact || snapshot->settings.js_sample_bytes > 0)
        ls_text_string(&line.text, "; ~ marks an estimate, \xc2\xb1 its standard error");
    ls_line_end(&line, emitter);
}

int ls_report_write_text(const struct ls_snapshot *snapshot, const struct ls_sink *sink)
{
    struct ls_emitter emitter;

    ls_emitter_init(&emitter, sink);
    write_head(&emitter, snapshot);
    ls_text_write_rising(&emitter, snapshot);
    write_modules(&emitter, snapshot);
    write_event_loops(&emitter, snapshot);
    write_isolates(&emitter, snapshot);
    ls_text_write_peers(&emitter, snapshot);
    ls_text_write_others(&emitter, snapshot);
    ls_text_write_peaks(&emitter, snapshot);
    write_balance(&emitter, snapshot);
    write_health(&emitter, snapshot);
    write_run(&emitter, snapshot);
    return ls_emitter_finish(&emitter);
}
