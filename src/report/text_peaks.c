#include "report/text_peaks.h"

#include <stdbool.h>

#include "report/line.h"
#include "report/text_sites.h"
#include "report/units.h"

#define PEAKS_LISTED 5
#define PEAK_MIN     100
/* A peak is one that is at least so many times what is left of it. */
#define PEAK_FACTOR 2

enum {
    KIND_COLUMN = 4,
    MOST_END = 22,
    LIVE_END = 29,
    FUNCTION_COLUMN = 31,
    PLACE_COLUMN = 60,
};

static bool has_passed(const struct ls_snapshot_site *site)
{
    return site->resource >= LS_RESOURCE_THREAD && site->peak_live_count >= PEAK_MIN &&
           site->peak_live_count >= PEAK_FACTOR * site->live_count;
}

/* Keeps the first few in order. */
static size_t insert(const struct ls_snapshot_site **sites, size_t count,
                     const struct ls_snapshot_site *site)
{
    size_t at = count;

    while (at > 0 && site->peak_live_count > sites[at - 1]->peak_live_count) {
        if (at < PEAKS_LISTED)
            sites[at] = sites[at - 1];
        at--;
    }
    if (at < PEAKS_LISTED)
        sites[at] = site;
    return count < PEAKS_LISTED ? count + 1 : count;
}

static void count_to(struct ls_line *line, double count, size_t end)
{
    size_t start = ls_line_width(line);

    ls_text_char(&line->text, ' ');
    ls_units_count(&line->text, count);
    ls_line_align_right(line, start, end);
}

static void peak_line(struct ls_line *line, const struct ls_snapshot_site *site, size_t shift)
{
    ls_line_pad_to(line, KIND_COLUMN);
    ls_text_kind(line, site);
    count_to(line, site->peak_live_count, MOST_END + shift);
    count_to(line, site->live_count, LIVE_END + shift);
    ls_line_pad_to(line, FUNCTION_COLUMN + shift);
    ls_text_function_and_place(line, site, PLACE_COLUMN + shift);
}

void ls_text_write_peaks(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    const struct ls_snapshot_site *sites[PEAKS_LISTED];
    size_t count = 0;
    size_t shift = 0;
    struct ls_line line;

    for (size_t i = 0; i < snapshot->site_count; i++) {
        if (has_passed(&snapshot->sites[i]))
            count = insert(sites, count, &snapshot->sites[i]);
    }
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t kind = ls_text_kind_shift(sites[i]);

        shift = kind > shift ? kind : shift;
    }
    ls_emitter_string(emitter, "\nPeaks that have passed\n");
    ls_line_init(&line);
    ls_text_string(&line.text, "    kind");
    ls_line_pad_to(&line, 10 + shift);
    ls_text_string(&line.text, "most at once   now  function and place");
    ls_line_end(&line, emitter);
    for (size_t i = 0; i < count; i++) {
        peak_line(&line, sites[i], shift);
        ls_line_end(&line, emitter);
    }
}
