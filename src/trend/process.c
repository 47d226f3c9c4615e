#include "base/math.h"
#include "trend/trend.h"

/* How far back to look at least beside a rising site, to about where such a site is first seen to
 * rise; and where nothing has a trend, far enough to be calm. */
#define POINTS_RISING 6
#define POINTS_CALM   16
/* Tracked bytes that make up less than this share of the resident growth do not explain it. */
#define FRAGMENTING_SHARE 0.5
/* A program that has just begun, or begins to do something, touches memory for the first time and
 * warms up its code: the resident size rises for some readings, and nobody has asked for more. */
#define FRAGMENTING_INTERVALS 10.0

/* By as much more than what is tracked, and for long. */
static bool is_fragmenting(const struct ls_trend_process *process,
                           const struct ls_trend_verdict *resident)
{
    double rose_s = process->resident[process->count - 1].time_s - resident->window_start_s;

    return resident->verdict == LS_VERDICT_RISING &&
           rose_s >= FRAGMENTING_INTERVALS * process->interval_s &&
           process->tracked_bytes_per_s < FRAGMENTING_SHARE * resident->growth_bytes_per_s;
}

/* Allocators, and V8 above all, take memory in steps that may last for many readings: what the
 * resident size does of late says little of what a site does steadily. So with a rising site its
 * growth is taken over the window in which that was seen to rise. */
static double resident_growth(const struct ls_trend_process *process,
                              const struct ls_trend_verdict *resident)
{
    if (process->rising_sites > 0)
        return ls_trend_slope_since(process->resident, process->count, process->rising_since_s,
                                    POINTS_RISING);
    return resident->verdict == LS_VERDICT_RISING
               ? resident->growth_bytes_per_s
               : ls_trend_recent_slope(process->resident, process->count, POINTS_CALM);
}

void ls_trend_judge_process(const struct ls_trend_process *process,
                            struct ls_trend_process_verdict *verdict)
{
    const struct ls_trend_series series = {
        .points = process->resident,
        .count = process->count,
        .step_s = process->step_s,
        .interval_s = process->interval_s,
        .warmup_s = process->warmup_s,
        .process_bytes = process->resident_bytes,
        .sites_tested = 1,
    };
    struct ls_trend_verdict resident;
    double rate;

    *verdict = (struct ls_trend_process_verdict){.state = LS_PROCESS_LEARNING,
                                                 .seconds_to_limit = -1.0,
                                                 .seconds_to_limit_low = -1.0,
                                                 .seconds_to_limit_high = -1.0};
    if (process->resident == NULL || process->count > LS_TREND_POINTS_MAX)
        return;
    ls_trend_judge(&series, &resident);
    verdict->rss_growth_bytes_per_s = resident_growth(process, &resident);

    /* A site is judged by its own error; the resident size moves in steps of the allocators and
     * may well stand still while a site rises. */
    if (process->rising_sites > 0)
        verdict->state = LS_PROCESS_LEAKING;
    else if (resident.verdict == LS_VERDICT_LEARNING)
        verdict->state = LS_PROCESS_LEARNING;
    else if (is_fragmenting(process, &resident))
        verdict->state = LS_PROCESS_FRAGMENTING;
    else if (process->drained_sites > 0 && process->drained_sites >= process->kept_sites)
        verdict->state = LS_PROCESS_BACKLOG;
    else
        verdict->state = LS_PROCESS_CLEAN;

    rate = verdict->rss_growth_bytes_per_s;
    if (ls_math_is_positive(rate) && ls_math_is_positive(process->rising_bytes_per_s))
        verdict->explained_growth_share =
            process->rising_bytes_per_s < rate ? process->rising_bytes_per_s / rate : 1.0;
}
