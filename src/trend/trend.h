/*
 * From a series of live sizes to a verdict. Pure functions: no I/O, no clock, no globals, no
 * allocation; safe from any thread on data the caller owns.
 */
#ifndef LS_TREND_TREND_H
#define LS_TREND_TREND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/resource.h"
#include "ledger/release_ages.h"

#define LS_TREND_POINTS_MAX 64

/*
 * Floors. Growth below any of them is never `rising`, however certain it is.
 *
 * A rise must be worth LS_TREND_FLOOR_BYTES over its window: a service that leaks 4 KiB a second
 * passes in six readings at one a second. It must be at least LS_TREND_FLOOR_BYTES_PER_S, 11 MB a
 * day, and at the rate it has it must add LS_TREND_FLOOR_SHARE_PER_DAY of the process in a day.
 * For resources without a size: LS_TREND_FLOOR_COUNT of them over the window and
 * LS_TREND_FLOOR_COUNT_PER_S, 256 a day, a quarter of the usual limit of 1,024 descriptors.
 */
#define LS_TREND_FLOOR_BYTES         8192.0
#define LS_TREND_FLOOR_BYTES_PER_S   128.0
#define LS_TREND_FLOOR_SHARE_PER_DAY 0.1
#define LS_TREND_FLOOR_COUNT         4.0
#define LS_TREND_FLOOR_COUNT_PER_S   0.003

/* A fill is over when the last quarter of its window brought less than this share of it. */
#define LS_TREND_SETTLED_SHARE 0.03

/* One reading of a site. Points are in order of time; gaps may be uneven. */
struct ls_trend_point {
    double time_s;      /* since the process was first watched */
    double live_bytes;  /* the least live bytes seen in the step that ends at time_s */
    double live_count;  /* live resources at that reading */
    double error_bytes; /* standard error of live_bytes from sampling; 0 when counted exactly */
};

/* How old the site's resources are, from those whose age is known. Amounts are bytes, or resources
 * where those are what is judged. */
struct ls_trend_ages {
    const float *kept;  /* one for each point: of what was live then, what is live at the last */
    double kept_weight; /* what one resource with an age stands for there; above 0 */
    const struct ls_release_ages *released; /* NULL: not known */
};

struct ls_trend_series {
    const struct ls_trend_point *points;
    size_t count;          /* 0 to LS_TREND_POINTS_MAX */
    double step_s;         /* longest time a point stands for; the verdict itself goes by time_s */
    double interval_s;     /* the summary interval */
    double warmup_s;       /* points before this time say nothing about growth */
    double process_bytes;  /* resident size of the process: relative floors are a share of it */
    unsigned sites_tested; /* how many sites are judged at once, at least 1 */
    bool was_settling;     /* the verdict before: it takes more to call it rising then */
    bool count_only;       /* the resource has no size (descriptors, custom): judge live_count */
    const struct ls_trend_ages *ages; /* NULL: not known, and growth is believed without */
};

struct ls_trend_verdict {
    enum ls_verdict verdict;
    double confidence;         /* 0 to 1: that the verdict is right, after the correction for many
                                  sites; 0 while learning */
    double growth_bytes_per_s; /* Theil-Sen slope over the judged window; 0 while learning */
    double growth_error_per_s; /* its standard error, scatter and sampling error together */
    double growth_count_per_s; /* the same slope of live_count */
    double window_start_s;     /* first point that was judged */
};

/* What a point says of the resource, in the unit that is judged. */
static inline double ls_trend_live(const struct ls_trend_series *series,
                                   const struct ls_trend_point *point)
{
    return series->count_only ? point->live_count : point->live_bytes;
}

/* Judges one site. Never fails: too little or unusable input is LS_VERDICT_LEARNING. */
void ls_trend_judge(const struct ls_trend_series *series, struct ls_trend_verdict *verdict);

/* Theil-Sen estimator: the median of the slopes of all pairs (Sen 1968,
 * https://doi.org/10.1080/01621459.1968.10480934). 0 for fewer than two distinct times.
 * `count` at most LS_TREND_POINTS_MAX. */
double ls_trend_slope(const double *times, const double *values, size_t count);

/* What the process as a whole does. */
struct ls_trend_process {
    const struct ls_trend_point *resident; /* RSS readings as live_bytes, error 0 */
    size_t count;
    double step_s;
    double interval_s;
    double warmup_s;
    double rising_bytes_per_s;  /* sum of growth over the rising sites */
    double rising_error_per_s;  /* its standard error */
    double rising_since_s;      /* begin of the window that the fastest of them was judged over */
    double tracked_bytes_per_s; /* growth of the live bytes of all sites, rising or not */
    unsigned rising_sites;
    unsigned drained_sites; /* that rose of late and have given back what they gained */
    unsigned kept_sites;    /* that rose of late and hold most of it */
    double resident_bytes;  /* now */
};

struct ls_trend_process_verdict {
    enum ls_process_verdict state;
    double rss_growth_bytes_per_s;
    double explained_growth_share; /* rising sites' growth over RSS growth, 0 to 1; 0 if RSS does
                                      not grow */
    /* Of the limit asked for: ls_trend_judge_process knows none and says -1. */
    double seconds_to_limit; /* -1 when not growing or without a limit */
    /* In nine cases of ten it lies between these; -1 where seconds_to_limit is, and `high` also
     * where the growth is too uncertain to have an end in sight. */
    double seconds_to_limit_low;
    double seconds_to_limit_high;
};

void ls_trend_judge_process(const struct ls_trend_process *process,
                            struct ls_trend_process_verdict *verdict);

/* A limit, what counts against it, and how fast the rising sites add to that. */
struct ls_trend_limit {
    const struct ls_trend_point *used; /* readings as live_bytes, error 0; NULL for none */
    size_t count;
    double used_bytes;         /* at the last reading */
    double used_age_s;         /* how long ago that was made */
    double limit_bytes;        /* 0 when there is none */
    double rising_bytes_per_s; /* of the rising sites whose growth counts */
    double rising_error_per_s; /* its standard error */
    unsigned rising_sites;     /* how many those are */
    bool after_collections;    /* the readings are of what a garbage collector left */
};

/* Fills the three fields seconds_to_limit of the verdict, and no other. */
void ls_trend_forecast(const struct ls_trend_process *process, const struct ls_trend_limit *limit,
                       struct ls_trend_process_verdict *verdict);

/* Slope of the last `last` points. */
double ls_trend_recent_slope(const struct ls_trend_point *points, size_t count, size_t last);
/* Slope of the points of `time_s` and later, of the last `least` where those are fewer. */
double ls_trend_slope_since(const struct ls_trend_point *points, size_t count, double time_s,
                            size_t least);

#endif
