/*
 * The lines above every view: which process, what of it, how it stands.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/top.h"
#include "report/units.h"

#define LINE_BYTES   512
#define ROWS_ROOMY   16 /* screens with fewer get the three lines that matter most */
#define COLUMNS_WIDE 60

struct line {
    char bytes[LINE_BYTES];
    struct ls_text text;
};

static void begin(struct line *line)
{
    ls_text_init(&line->text, line->bytes, sizeof(line->bytes));
}

static unsigned verdict_style(enum ls_process_verdict verdict)
{
    static const unsigned styles[LS_PROCESS_VERDICT_COUNT] = {
        [LS_PROCESS_LEARNING] = LS_TOP_YELLOW,
        [LS_PROCESS_CLEAN] = LS_TOP_GREEN,
        [LS_PROCESS_LEAKING] = LS_TOP_RED | LS_TOP_BOLD,
        [LS_PROCESS_FRAGMENTING] = LS_TOP_YELLOW | LS_TOP_BOLD,
        [LS_PROCESS_BACKLOG] = LS_TOP_YELLOW,
    };

    return styles[verdict];
}

static unsigned tell_state(const struct ls_top *top, struct line *line)
{
    static const char *const words[] = {
        [LS_TOP_RUNNING] = "updated ",
        [LS_TOP_ENDED] = "ended ",
        [LS_TOP_STALE] = "no news for ",
    };
    const struct ls_snapshot *snapshot = ls_top_snapshot(top);
    double age = top->now - snapshot->written_at;
    enum ls_top_state state = ls_top_run_state(top->run, top->now);

    if (age < 0)
        age = 0;
    begin(line);
    if (top->run->reason[0] != '\0') {
        ls_text_string(&line->text, "its newest summary cannot be read");
        return LS_TOP_YELLOW;
    }
    ls_text_string(&line->text, words[state]);
    if (age < 1) {
        ls_text_string(&line->text, "now");
    } else {
        ls_units_duration(&line->text, (double)(long)age);
        ls_text_string(&line->text, state == LS_TOP_STALE ? "" : " ago");
    }
    return state == LS_TOP_RUNNING ? LS_TOP_DIM : LS_TOP_YELLOW;
}

static void draw_title(const struct ls_top *top, int columns)
{
    const struct ls_snapshot *snapshot = ls_top_snapshot(top);
    struct line right;
    struct line left;
    unsigned style = tell_state(top, &right);
    int room = columns - ls_top_columns(right.bytes) - 1;

    begin(&left);
    if (columns >= COLUMNS_WIDE)
        ls_text_string(&left.text, "leakshim  ");
    ls_text_string(&left.text, snapshot->process.program);
    ls_text_char(&left.text, ' ');
    ls_text_unsigned(&left.text, (uint64_t)snapshot->process.pid);
    ls_text_string(&left.text, ", up ");
    ls_units_duration(&left.text, snapshot->process.uptime_s);
    ls_top_put(0, 0, room, left.bytes, LS_TOP_BOLD);
    ls_top_put_right(0, room + 1, columns - room - 1, right.bytes, style);
}

/* Over two rows where it has to be and there is room. */
static int draw_verdict(const struct ls_snapshot *snapshot, int row, struct ls_top_size size)
{
    const char *message = snapshot->verdict.message;
    unsigned style = verdict_style(snapshot->verdict.state);
    char first[LINE_BYTES];
    size_t cut;

    if (ls_top_columns(message) <= size.columns || size.rows < ROWS_ROOMY) {
        ls_top_put(row, 0, size.columns, message, style);
        return row + 1;
    }
    snprintf(first, sizeof(first), "%s", message);
    for (cut = strlen(first); cut > 0 && ls_top_columns(first) > size.columns;) {
        while (cut > 0 && first[cut - 1] != ' ')
            cut--;
        first[cut > 0 ? --cut : 0] = '\0';
    }
    ls_top_put(row, 0, size.columns, first, style);
    ls_top_put(row + 1, 2, size.columns - 2, message + cut + (message[cut] == ' '), style);
    return row + 2;
}

static void draw_memory(const struct ls_snapshot *snapshot, int row, int columns)
{
    struct line line;

    begin(&line);
    ls_text_string(&line.text, "resident ");
    ls_units_size(&line.text, snapshot->memory.rss_bytes);
    ls_text_string(&line.text, "  ");
    ls_units_size_rate(&line.text, snapshot->memory.rss_growth_bytes_per_s);
    if (snapshot->process.limit_bytes > 0) {
        ls_text_string(&line.text, columns >= COLUMNS_WIDE ? "  limit " : "  of ");
        ls_units_round_size(&line.text, snapshot->process.limit_bytes);
        if (columns >= COLUMNS_WIDE) {
            ls_text_string(&line.text, " (");
            ls_text_string(&line.text, snapshot->process.limit_source);
            ls_text_char(&line.text, ')');
        }
        if (snapshot->memory.seconds_to_limit >= 0) {
            ls_text_string(&line.text, " in ");
            ls_units_rough_duration(&line.text, snapshot->memory.seconds_to_limit);
        }
    }
    ls_top_put(row, 0, columns, line.bytes, LS_TOP_PLAIN);
}

static void draw_loop(const struct ls_snapshot *snapshot, int row, int columns)
{
    const struct ls_snapshot_event_loop *loop = &snapshot->event_loops[0];
    struct line line;

    begin(&line);
    ls_text_string(&line.text, "event loop ");
    ls_text_string(&line.text, loop->thread);
    ls_text_string(&line.text, "  late p50 ");
    ls_units_delay(&line.text, loop->delay_p50_s);
    ls_text_string(&line.text, ", p99 ");
    ls_units_delay(&line.text, loop->delay_p99_s);
    ls_text_string(&line.text, ", longest turn ");
    ls_units_delay(&line.text, loop->delay_max_s);
    ls_text_string(&line.text, "  busy ");
    ls_units_share(&line.text, loop->utilization);
    if (snapshot->event_loop_count > 1) {
        ls_text_string(&line.text, "  and ");
        ls_text_unsigned(&line.text, snapshot->event_loop_count - 1);
        ls_text_string(&line.text, " more");
    }
    ls_top_put(row, 0, columns, line.bytes, LS_TOP_PLAIN);
}

static void draw_isolate(const struct ls_snapshot *snapshot, int row, int columns)
{
    const struct ls_snapshot_isolate *isolate = &snapshot->isolates[0];
    struct line line;

    begin(&line);
    ls_text_string(&line.text, "JavaScript heap ");
    ls_units_size(&line.text, isolate->used_heap_bytes);
    if (isolate->used_heap_after_gc_bytes >= 0) {
        ls_text_string(&line.text, ", ");
        ls_units_size(&line.text, isolate->used_heap_after_gc_bytes);
        ls_text_string(&line.text, " after GC");
    }
    if (isolate->heap_limit_bytes > 0) {
        ls_text_string(&line.text, ", limit ");
        ls_units_round_size(&line.text, isolate->heap_limit_bytes);
    }
    if (isolate->external_bytes > 0) {
        ls_text_string(&line.text, ", external ");
        ls_units_size(&line.text, isolate->external_bytes);
    }
    if (snapshot->isolate_count > 1) {
        ls_text_string(&line.text, "  and ");
        ls_text_unsigned(&line.text, snapshot->isolate_count - 1);
        ls_text_string(&line.text, " more");
    }
    ls_top_put(row, 0, columns, line.bytes, LS_TOP_PLAIN);
}

static void draw_health(const struct ls_snapshot *snapshot, int row, int columns)
{
    struct line line;

    begin(&line);
    ls_text_string(&line.text, "not all is tracked: ");
    ls_text_string(&line.text, snapshot->health.note_count > 0 ? snapshot->health.notes[0]
                                                               : "no reason is given");
    ls_top_put(row, 0, columns, line.bytes, LS_TOP_YELLOW);
}

static int draw_nothing(const struct ls_top *top, struct ls_top_size size)
{
    struct line line;

    begin(&line);
    ls_text_string(&line.text, "leakshim  ");
    ls_text_string(&line.text, top->runs.root);
    ls_top_put(0, 0, size.columns, line.bytes, LS_TOP_BOLD);
    if (!top->has_looked)
        ls_top_put(1, 0, size.columns, "reading", LS_TOP_DIM);
    else if (top->run == NULL)
        ls_top_put(1, 0, size.columns, "no run yet: the first summary comes after an interval",
                   LS_TOP_YELLOW);
    else
        ls_top_put(1, 0, size.columns, top->run->reason, LS_TOP_YELLOW);
    return 3;
}

int ls_top_draw_header(const struct ls_top *top, struct ls_top_size size)
{
    const struct ls_snapshot *snapshot = ls_top_snapshot(top);
    int row;

    if (snapshot == NULL)
        return draw_nothing(top, size);
    draw_title(top, size.columns);
    row = draw_verdict(snapshot, 1, size);
    draw_memory(snapshot, row++, size.columns);
    if (size.rows < ROWS_ROOMY)
        return row;
    if (snapshot->event_loop_count > 0)
        draw_loop(snapshot, row++, size.columns);
    if (snapshot->isolate_count > 0)
        draw_isolate(snapshot, row++, size.columns);
    if (snapshot->health.state == LS_HEALTH_DEGRADED)
        draw_health(snapshot, row++, size.columns);
    return row + 1;
}
