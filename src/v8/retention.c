#include "v8/retention.h"

#include <string.h>

#include "base/math.h"

/* A leak of 12 samples has 4 in each third on average, and a third that keeps under a third of its
 * share, 1 or none, in one of four such readings; a cache with turnover keeps nothing in the first
 * in all of them. */
#define SAMPLES_MIN 12
#define SHARE_MIN   (1.0 / 3)
/* What fills ever more slowly keeps at most this share of each part in the next; and in the last by
 * so many standard errors less than in the first. Of a leak one reading in a thousand does. */
#define FADE_SHARE 0.75
#define FADE_SCORE 3.0

/* Bytes that one sample stands for: s / p, which is the variance over the mean plus the size. */
static double bytes_per_sample(const struct ls_js_site *site)
{
    return site->variance_bytes / site->live_bytes + site->live_bytes / site->live_count;
}

static double overlap(double start, double end, double other_start, double other_end)
{
    double from = start > other_start ? start : other_start;
    double to = end < other_end ? end : other_end;

    return to > from ? to - from : 0;
}

/* Spreads each interval's bytes over the parts it overlaps; what it holds of the time before the
 * window is left out. */
static void fill_parts(const struct ls_js_reading *reading, const struct ls_js_site *site,
                       double window_start_s, struct ls_v8_retention *retention)
{
    double part_s = retention->window_s / LS_V8_RETENTION_PARTS;
    double start = 0;

    for (size_t i = 0; i < reading->age_count; i++) {
        double end = (double)(reading->age_end_ns[i] - reading->sampling_since_ns) / 1e9;

        for (size_t part = 0; part < LS_V8_RETENTION_PARTS && end > start; part++) {
            double part_start = window_start_s + part_s * (double)part;

            retention->part_bytes[part] += (double)site->age_bytes[i] *
                                           overlap(start, end, part_start, part_start + part_s) /
                                           (end - start);
        }
        start = end;
    }
}

static bool parts_fade(const double *part_bytes, double weight)
{
    const size_t last = LS_V8_RETENTION_PARTS - 1;
    double lost = part_bytes[0] - part_bytes[last];
    double variance = (part_bytes[0] + part_bytes[last]) * weight;

    for (size_t part = 1; part < LS_V8_RETENTION_PARTS; part++) {
        if (part_bytes[part] > FADE_SHARE * part_bytes[part - 1])
            return false;
    }
    return lost > 0 && lost >= FADE_SCORE * ls_math_sqrt(variance);
}

bool ls_v8_retention_measure(const struct ls_js_reading *reading, const struct ls_js_site *site,
                             double warmup_s, struct ls_v8_retention *retention)
{
    double total_s = (double)(reading->taken_ns - reading->sampling_since_ns) / 1e9;
    double total = 0;
    double weight;

    memset(retention, 0, sizeof(*retention));
    if (!reading->after_major_gc || reading->age_count == 0 || !site->age_bytes ||
        site->live_bytes <= 0 || site->live_count <= 0 || total_s <= warmup_s)
        return false;

    retention->window_s = total_s - warmup_s;
    fill_parts(reading, site, warmup_s, retention);
    for (size_t part = 0; part < LS_V8_RETENTION_PARTS; part++)
        total += retention->part_bytes[part];
    weight = bytes_per_sample(site);
    retention->samples = total / weight;
    retention->kept_bytes_per_s = total / retention->window_s;
    retention->error_bytes_per_s = ls_math_sqrt(total * weight) / retention->window_s;
    retention->even = retention->samples >= SAMPLES_MIN;
    for (size_t part = 0; part < LS_V8_RETENTION_PARTS; part++)
        retention->even &= retention->part_bytes[part] >= SHARE_MIN * total / LS_V8_RETENTION_PARTS;
    retention->fades = parts_fade(retention->part_bytes, weight);
    return true;
}
