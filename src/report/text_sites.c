#include "report/text_sites.h"

#include <string.h>

#include "report/line.h"
#include "report/units.h"

/* Rising sites with all their details; the following ones get their line only. */
#define DETAILED_SITES 10
#define OTHER_SITES    20
#define CALLERS        4

enum {
    KIND_COLUMN = 4,
    GROWTH_END = 25,
    FUNCTION_COLUMN = 27,
    CALLER_COLUMN = 17,
    FUNCTION_COLUMNS_MAX = 38,
    INNER_COLUMNS_MAX = 24,
    KIND_COLUMNS_MAX = 16,
    INNER_COLUMNS_MIN = 9,
};

static const char *const unit_names[LS_RESOURCE_COUNT] = {
    [LS_RESOURCE_HEAP] = "block",    [LS_RESOURCE_MAP] = "mapping",   [LS_RESOURCE_JS] = "object",
    [LS_RESOURCE_THREAD] = "thread", [LS_RESOURCE_SOCKET] = "socket", [LS_RESOURCE_FILE] = "file",
    [LS_RESOURCE_CUSTOM] = "item",
};

static bool is_rising(const struct ls_snapshot_site *site)
{
    return site->verdict == LS_VERDICT_RISING;
}

/* "custom: listeners" */
void ls_text_kind(struct ls_line *line, const struct ls_snapshot_site *site)
{
    ls_text_string(&line->text, ls_resource_names[site->resource]);
    if (site->kind == NULL)
        return;
    ls_text_string(&line->text, ": ");
    ls_line_name(line, site->kind, KIND_COLUMNS_MAX);
}

size_t ls_text_kind_shift(const struct ls_snapshot_site *site)
{
    size_t columns = site->kind == NULL ? 0 : ls_line_columns(site->kind);

    if (columns == 0)
        return 0;
    return strlen(": ") + (columns < KIND_COLUMNS_MAX ? columns : KIND_COLUMNS_MAX);
}

static void growth(struct ls_line *line, const struct ls_snapshot_site *site)
{
    if (ls_snapshot_site_is_counted(site))
        ls_units_count_rate(&line->text, site->growth_count_per_s);
    else
        ls_units_size_rate(&line->text, site->growth_bytes_per_s);
}

static void estimate_mark(struct ls_line *line, const struct ls_snapshot_site *site)
{
    if (site->estimated)
        ls_text_char(&line->text, '~');
}

static bool is_javascript(const struct ls_snapshot_frame *frame)
{
    return strcmp(frame->language, "js") == 0;
}

/* The function of an add-on that JavaScript called; NULL when it is the engine itself that
 * allocates. The engine's frames are those next to JavaScript's. */
static const char *add_on_function(const struct ls_snapshot_site *site)
{
    const char *engine = NULL;

    for (size_t i = site->named_frame; i > 0; i--) {
        const struct ls_snapshot_frame *frame = &site->frames[i - 1];

        if (is_javascript(frame) || frame->module[0] == '\0')
            continue;
        if (engine == NULL)
            engine = frame->module;
        if (frame->function[0] != '\0' && strcmp(frame->module, site->module) == 0 &&
            strcmp(frame->module, engine) != 0)
            return frame->function;
    }
    return NULL;
}

/* What the named function called to get the resource: "Buffer.alloc" in "Buffer.alloc < readBody".
 * NULL when the named function is the innermost one with a name; how V8 got from a JavaScript
 * function to native code does not count. */
static const char *inner_function(const struct ls_snapshot_site *site)
{
    bool javascript;

    if (site->named_frame >= site->frame_count)
        return NULL;
    if (is_javascript(&site->frames[site->named_frame]) && add_on_function(site) != NULL)
        return add_on_function(site);
    javascript = is_javascript(&site->frames[site->named_frame]);
    for (size_t i = site->named_frame; i > 0; i--) {
        const char *name = site->frames[i - 1].function;

        if (javascript && !is_javascript(&site->frames[i - 1]))
            continue;
        if (name[0] != '\0' && strcmp(name, site->function) != 0)
            return name;
    }
    return NULL;
}

/* Shown in full, or as so much of it that it can be known. */
static size_t least_columns(const char *inner)
{
    size_t columns = ls_line_columns(inner);

    return columns < INNER_COLUMNS_MIN ? columns : INNER_COLUMNS_MIN;
}

static void function_name(struct ls_line *line, const struct ls_snapshot_site *site, size_t columns)
{
    const char *inner = inner_function(site);
    size_t start = ls_line_width(line);

    if (site->function[0] == '\0') {
        ls_line_name(line, "(no name)", columns);
        return;
    }
    if (inner != NULL && ls_line_columns(site->function) + 3 + least_columns(inner) <= columns) {
        size_t room = columns - ls_line_columns(site->function) - 3;

        ls_line_name(line, inner, room < INNER_COLUMNS_MAX ? room : INNER_COLUMNS_MAX);
        ls_text_string(&line->text, " < ");
    }
    ls_line_name(line, site->function, columns - (ls_line_width(line) - start));
}

static size_t function_columns(const struct ls_snapshot_site *site)
{
    struct ls_line line;

    ls_line_init(&line);
    function_name(&line, site, FUNCTION_COLUMNS_MAX);
    return ls_line_width(&line);
}

static const char *without_scheme(const char *location)
{
    return strncmp(location, "file:///", 8) == 0 ? location + 7 : location;
}

void ls_text_function_and_place(struct ls_line *line, const struct ls_snapshot_site *site,
                                size_t column)
{
    const char *place = site->location[0] != '\0' ? site->location : site->module;
    size_t start = ls_line_width(line);

    function_name(line, site, column - start - 2);
    ls_line_pad_to(line, column);
    ls_line_path(line, without_scheme(place), LS_TEXT_COLUMNS - column);
}

static void headline(struct ls_line *line, const struct ls_snapshot_site *site, size_t number,
                     size_t shift, size_t place_column)
{
    size_t start;

    ls_text_unsigned(&line->text, number);
    ls_line_align_right(line, 0, 2);
    ls_line_pad_to(line, KIND_COLUMN);
    ls_text_kind(line, site);
    ls_text_char(&line->text, ' ');
    start = ls_line_width(line);
    growth(line, site);
    ls_line_align_right(line, start, GROWTH_END + shift);
    ls_line_pad_to(line, FUNCTION_COLUMN + shift);
    ls_text_function_and_place(line, site, place_column);
}

static const char *confidence_words(double confidence)
{
    if (confidence >= 0.99)
        return "almost certainly a leak";
    if (confidence >= 0.95)
        return "very likely a leak";
    if (confidence >= 0.8)
        return "likely a leak";
    return "may be a leak";
}

static void count_of_units(struct ls_line *line, const struct ls_snapshot_site *site)
{
    double rounded = site->live_count + 0.5;

    estimate_mark(line, site);
    ls_units_count(&line->text, site->live_count);
    ls_text_char(&line->text, ' ');
    ls_text_string(&line->text, unit_names[site->resource]);
    if (rounded < 1 || rounded >= 2)
        ls_text_char(&line->text, 's');
}

static void live_line(struct ls_line *line, const struct ls_snapshot_site *site)
{
    ls_line_pad_to(line, KIND_COLUMN);
    if (ls_snapshot_site_is_counted(site)) {
        count_of_units(line, site);
        ls_text_string(&line->text, " live");
    } else {
        estimate_mark(line, site);
        ls_units_size(&line->text, site->live_bytes);
        if (site->estimated && site->error_bytes > 0) {
            ls_text_string(&line->text, " \xc2\xb1 ");
            ls_units_size(&line->text, site->error_bytes);
        }
        ls_text_string(&line->text, " live in ");
        count_of_units(line, site);
    }
    if (site->median_age_s >= 0) {
        ls_text_string(&line->text, ", half older than ");
        ls_units_duration(&line->text, site->median_age_s);
    }
    ls_text_string(&line->text, "; ");
    ls_text_string(&line->text, confidence_words(site->confidence));
    ls_text_string(&line->text, " (");
    ls_units_share(&line->text, site->confidence);
    ls_text_char(&line->text, ')');
}

/* Beyond the first of these there is only the runtime: how Node got to the program's function. */
static bool is_runtime(const struct ls_snapshot_frame *frame, const struct ls_snapshot_frame *below)
{
    return strncmp(frame->file, "node:", 5) == 0 || (is_javascript(below) && !is_javascript(frame));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static void frame_place(struct ls_line *line, const struct ls_snapshot_frame *frame,
                        size_t place_column)
{
    char place[512];
    struct ls_text text;

    ls_text_init(&text, place, sizeof(place));
    if (frame->file[0] != '\0') {
        const char *file = without_scheme(frame->file);
        size_t length = strlen(file);
        size_t skip = length > 400 ? length - 400 : 0;

        ls_text_string(&text, file + skip);
        if (frame->line != 0) {
            ls_text_char(&text, ':');
            ls_text_unsigned(&text, frame->line);
        }
    } else if (frame->module[0] != '\0') {
        ls_text_string(&text, base_name(frame->module));
    }
    if (text.length == 0)
        return;
    ls_line_pad_to(line, place_column);
    ls_line_path(line, place, LS_TEXT_COLUMNS - place_column);
}

static bool same_function(const struct ls_snapshot_frame *a, const struct ls_snapshot_frame *b)
{
    return strcmp(a->function, b->function) == 0 && strcmp(a->file, b->file) == 0;
}

/* The next frame worth a line: one with a name that does not repeat the one below it (recursion).
 * frame_count when there is none; main is where a person stops reading. */
static size_t next_caller(const struct ls_snapshot_site *site, size_t current)
{
    const struct ls_snapshot_frame *below = &site->frames[current];

    if (strcmp(below->function, "main") == 0)
        return site->frame_count;
    for (size_t i = current + 1; i < site->frame_count; i++) {
        const struct ls_snapshot_frame *frame = &site->frames[i];

        if (frame->function[0] != '\0' && !same_function(frame, below))
            return i;
    }
    return site->frame_count;
}

static void callers(struct ls_emitter *emitter, const struct ls_snapshot_site *site,
                    size_t place_column)
{
    struct ls_line line;
    size_t written = 0;
    size_t below = site->named_frame;

    if (site->named_frame >= site->frame_count)
        return;
    ls_line_init(&line);
    while (written < CALLERS) {
        size_t i = next_caller(site, below);
        const struct ls_snapshot_frame *frame;

        if (i >= site->frame_count)
            break;
        frame = &site->frames[i];
        if (written > 0 && is_runtime(frame, &site->frames[below]))
            break;
        below = i;
        ls_line_pad_to(&line, KIND_COLUMN);
        if (written == 0)
            ls_text_string(&line.text, "called from");
        ls_line_pad_to(&line, CALLER_COLUMN);
        ls_line_name(&line, frame->function, place_column - CALLER_COLUMN - 2);
        frame_place(&line, frame, place_column);
        ls_line_end(&line, emitter);
        written++;
    }
}

static size_t rising_place_column(const struct ls_snapshot *snapshot, size_t *shift)
{
    size_t widest = 0;

    *shift = 0;

    for (size_t i = 0; i < snapshot->site_count; i++) {
        if (is_rising(&snapshot->sites[i])) {
            size_t columns = function_columns(&snapshot->sites[i]);
            size_t kind = ls_text_kind_shift(&snapshot->sites[i]);

            widest = columns > widest ? columns : widest;
            *shift = kind > *shift ? kind : *shift;
        }
    }
    return FUNCTION_COLUMN + *shift + widest + 2;
}

void ls_text_write_rising(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    size_t shift;
    size_t place_column = rising_place_column(snapshot, &shift);
    size_t number = 0;
    struct ls_line line;
    bool javascript = false;

    ls_line_init(&line);
    for (size_t i = 0; i < snapshot->site_count; i++) {
        const struct ls_snapshot_site *site = &snapshot->sites[i];

        if (!is_rising(site))
            continue;
        if (number == 0)
            ls_emitter_string(emitter, "\nRising\n");
        number++;
        headline(&line, site, number, shift, place_column);
        ls_line_end(&line, emitter);
        if (number <= DETAILED_SITES) {
            live_line(&line, site);
            ls_line_end(&line, emitter);
            callers(emitter, site, place_column);
        }
        javascript = javascript || site->resource == LS_RESOURCE_JS;
    }
    if (snapshot->verdict.rising_sites > number && number > 0) {
        ls_text_string(&line.text, "    and ");
        ls_units_count(&line.text, (double)(snapshot->verdict.rising_sites - number));
        ls_text_string(&line.text, " more that rise, too small to be listed");
        ls_line_end(&line, emitter);
    }
    if (javascript)
        ls_emitter_string(emitter, "    (JavaScript lines are where the function starts)\n");
}

enum {
    OTHER_LIVE_END = 22,
    OTHER_GROWTH_END = 36,
    OTHER_TREND_COLUMN = 38,
    OTHER_FUNCTION_COLUMN = 48,
    OTHER_FUNCTION_COLUMNS_MAX = 28,
};

static void other_line(struct ls_line *line, const struct ls_snapshot_site *site, size_t shift,
                       size_t place_column)
{
    size_t start;

    ls_line_pad_to(line, KIND_COLUMN);
    ls_text_kind(line, site);
    start = ls_line_width(line);
    ls_text_char(&line->text, ' ');
    if (ls_snapshot_site_is_counted(site)) {
        count_of_units(line, site);
    } else {
        estimate_mark(line, site);
        ls_units_size(&line->text, site->live_bytes);
    }
    ls_line_align_right(line, start, OTHER_LIVE_END + shift);
    start = ls_line_width(line);
    ls_text_char(&line->text, ' ');
    if (site->verdict == LS_VERDICT_SETTLING || site->verdict == LS_VERDICT_FALLING)
        growth(line, site);
    else /* a slope within the noise reads like a leak */
        ls_text_char(&line->text, '-');
    ls_line_align_right(line, start, OTHER_GROWTH_END + shift);
    ls_line_pad_to(line, OTHER_TREND_COLUMN + shift);
    ls_text_string(&line->text, ls_verdict_names[site->verdict]);
    ls_line_pad_to(line, OTHER_FUNCTION_COLUMN + shift);
    ls_text_function_and_place(line, site, place_column);
}

/* Places that hold nothing at the moment are for summary.json. */
static bool belongs_to_others(const struct ls_snapshot_site *site)
{
    return !is_rising(site) && (site->live_bytes >= 1 || site->live_count >= 0.5);
}

static size_t others_place_column(const struct ls_snapshot *snapshot, size_t *shift)
{
    size_t widest = 0;
    size_t seen = 0;

    *shift = 0;

    for (size_t i = 0; i < snapshot->site_count && seen < OTHER_SITES; i++) {
        if (belongs_to_others(&snapshot->sites[i])) {
            size_t columns = function_columns(&snapshot->sites[i]);
            size_t kind = ls_text_kind_shift(&snapshot->sites[i]);

            widest = columns > widest ? columns : widest;
            *shift = kind > *shift ? kind : *shift;
            seen++;
        }
    }
    if (widest > OTHER_FUNCTION_COLUMNS_MAX)
        widest = OTHER_FUNCTION_COLUMNS_MAX;
    return OTHER_FUNCTION_COLUMN + *shift + widest + 2;
}

static void others_title(struct ls_line *line, struct ls_emitter *emitter, size_t shift)
{
    ls_emitter_string(emitter, "\nLargest of the others\n");
    ls_text_string(&line->text, "    kind");
    ls_line_pad_to(line, 18 + shift);
    ls_text_string(&line->text, "live        growth  trend     function and place");
    ls_line_end(line, emitter);
}

void ls_text_write_others(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    size_t shift;
    size_t place_column = others_place_column(snapshot, &shift);
    size_t written = 0;
    size_t left = 0;
    struct ls_line line;

    ls_line_init(&line);
    for (size_t i = 0; i < snapshot->site_count; i++) {
        const struct ls_snapshot_site *site = &snapshot->sites[i];

        if (!belongs_to_others(site))
            continue;
        if (written == OTHER_SITES) {
            left++;
            continue;
        }
        if (written == 0)
            others_title(&line, emitter, shift);
        other_line(&line, site, shift, place_column);
        ls_line_end(&line, emitter);
        written++;
    }
    if (left > 0) {
        ls_line_pad_to(&line, KIND_COLUMN);
        ls_text_string(&line.text, "and ");
        ls_units_count(&line.text, (double)left);
        ls_text_string(&line.text, " more in summary.json");
        ls_line_end(&line, emitter);
    }
}
