#include "trend/survival.h"

#include "base/math.h"
#include "trend/cycles.h"

/* Of the growth of the first half of a window, what must be there at its end. */
#define KEPT_SHARE 0.5
/* A site that releases as much as this share of its growth of what is older than half the window
 * turns over; its growth is that of its load, or a cache's. */
#define RENEWED_SHARE 0.2
/* The survivors are asked only where others hide them: so much more than they grow is released...
 */
#define CHURN_RATIO 1.0
/* ...and the live size shows growth as theirs by no more than so many standard errors. */
#define SEEN_SCORE 5.0
/* Falls of so many errors of independent blocks are those of a collection or of batches. */
#define TOOTH_SCORE 5.0
#define TOOTH_SHARE 0.25
/* Parts of the first half of a window in which a leak leaves about as much, and the least share. */
#define PARTS      3
#define PART_SHARE 0.4
/* Half of what the survivors grow, less an error, is what the live size must have grown. */
#define LIVE_SHARE 0.5

struct cohort {
    double half_s;   /* half the length of the window */
    double middle_s; /* time of its middle */
    double came;     /* in the first half, live still */
    double left;     /* a second, of what is older than half the window */
    double left_s;   /* over which that was counted */
};

/* What is released a second of what is older than so many seconds, and one standard error more. */
static double upper_rate(const struct ls_track *track, double age_s)
{
    double age = age_s / track->interval_s;
    double rate = ls_release_ages_rate(track->released, age) / track->interval_s;
    double span_s = ls_release_ages_span(track->released, age) * track->interval_s;

    return span_s > 0.0 ? rate + ls_math_sqrt(rate * track->kept_weight / span_s) : rate;
}

bool ls_survival_allows(const struct ls_window *window, const struct ls_window_growth *growth)
{
    const struct ls_track *track = window->track;
    double start = track->time[window->first];
    double half = (track->time[window->end - 1] - start) / 2.0;
    size_t middle = window->first;

    /* A buffer that grows in place is as old as its last change of size. */
    if (!(track->kept_weight > 0.0) || !growth->by_number)
        return true;
    while (track->time[middle] < start + half)
        middle++;
    if (track->kept[middle] - track->kept[window->first] <
        KEPT_SHARE * growth->slope * (track->time[middle] - start))
        return false;
    return track->released == NULL || upper_rate(track, half) <= RENEWED_SHARE * growth->slope;
}

/* Between the points, as if it had come evenly. */
static double kept_at(const struct ls_track *track, double time)
{
    size_t i = 0;
    double share;

    while (i + 2 < track->count && track->time[i + 1] <= time)
        i++;
    share = (time - track->time[i]) / (track->time[i + 1] - track->time[i]);
    return track->kept[i] + (track->kept[i + 1] - track->kept[i]) * share;
}

static void cohort_init(struct cohort *cohort, const struct ls_track *track, size_t first)
{
    double start = track->time[first];
    double age;

    cohort->half_s = (track->time[track->count - 1] - start) / 2.0;
    cohort->middle_s = start + cohort->half_s;
    cohort->came = kept_at(track, cohort->middle_s) - track->kept[first];
    age = cohort->half_s / track->interval_s;
    cohort->left = ls_release_ages_rate(track->released, age) / track->interval_s;
    cohort->left_s = ls_release_ages_span(track->released, age) * track->interval_s;
}

static bool came_evenly(const struct ls_track *track, size_t first, const struct cohort *cohort)
{
    double before = track->kept[first];

    for (int part = 1; part <= PARTS; part++) {
        double end = kept_at(track, track->time[first] + cohort->half_s * part / PARTS);

        if (end - before < PART_SHARE * cohort->came / PARTS)
            return false;
        before = end;
    }
    return true;
}

/* How much more irregularly they came than one by one at random: batches. At least 1. */
static double dispersion_of(const struct ls_track *track, size_t first, const struct cohort *cohort)
{
    double rate = cohort->came / cohort->half_s;
    double sum = 0.0;
    size_t steps = 0;

    for (size_t i = first + 1; i < track->count && track->time[i] <= cohort->middle_s; i++) {
        double expected = rate * (track->time[i] - track->time[i - 1]);
        double off = track->kept[i] - track->kept[i - 1] - expected;

        sum += off * off / (expected * track->kept_weight);
        steps++;
    }
    return steps > 1 && sum > (double)(steps - 1) ? sum / (double)(steps - 1) : 1.0;
}

/* The growth of what is older than half the window: what came of age less what left. If as much
 * left as came, the two counts would differ by chance as Poisson's do, at their common rate. */
static void weigh(const struct ls_track *track, const struct cohort *cohort, double dispersion,
                  struct ls_window_growth *growth)
{
    double rate =
        (cohort->came + cohort->left * cohort->left_s) / (cohort->half_s + cohort->left_s);
    double error = ls_math_sqrt(dispersion * rate * track->kept_weight *
                                (1.0 / cohort->half_s + 1.0 / cohort->left_s));

    growth->slope = cohort->came / cohort->half_s - cohort->left;
    growth->amount = growth->slope * 2.0 * cohort->half_s;
    growth->standard_error = error * 2.0 * cohort->half_s;
    growth->score = error > 0.0 ? growth->slope / error : 0.0;
    growth->pieces = cohort->came / (dispersion * track->kept_weight);
}

/* What is live must not tell another story where it can tell one: it has not stood still over the
 * window or since its middle, and has no teeth. */
static bool live_size_agrees(const struct ls_track *track, size_t first,
                             const struct cohort *cohort, const struct ls_window_growth *survivors)
{
    size_t last = track->count - 1;
    size_t middle = last;
    double level = track->level[last];
    double weight = track->block[last];
    double tooth = TOOTH_SHARE * survivors->amount;
    double independent;
    struct ls_window window;
    struct ls_window_growth live;

    ls_window_cut(track, first, track->count, LS_WINDOW_POINTS_MAX, &window);
    ls_window_measure(&window, &live);
    while (middle > first && track->time[middle] > cohort->middle_s)
        middle--;
    if (survivors->amount > SEEN_SCORE * live.standard_error ||
        track->value[last] - track->value[first] <
            LIVE_SHARE * survivors->amount - live.standard_error ||
        track->value[last] - track->value[middle] <
            LIVE_SHARE * survivors->slope * (track->time[last] - track->time[middle]) -
                live.standard_error * ls_math_sqrt(0.5))
        return false;
    if (level > 0.0)
        weight += track->variance[last] / level;
    independent = TOOTH_SCORE * ls_math_sqrt(2.0 * weight * level);
    return ls_cycles_count(track, 0, track->count, tooth > independent ? tooth : independent) == 0;
}

bool ls_survival_grows(const struct ls_track *track, size_t first, const struct ls_demand *demand,
                       struct ls_window_growth *growth)
{
    struct cohort cohort;
    double released;

    if (!(track->kept_weight > 0.0) || track->released == NULL)
        return false;
    cohort_init(&cohort, track, first);
    if (cohort.came < track->kept_weight * ls_demand_pieces(demand) ||
        cohort.left > RENEWED_SHARE * cohort.came / cohort.half_s)
        return false;
    weigh(track, &cohort, dispersion_of(track, first, &cohort), growth);
    released = ls_release_ages_rate(track->released, 0.0) / track->interval_s;
    return growth->slope >= demand->rate && growth->amount >= demand->amount &&
           growth->pieces >= ls_demand_pieces(demand) && ls_demand_is_met(demand, growth->score) &&
           released >= CHURN_RATIO * growth->slope && came_evenly(track, first, &cohort) &&
           live_size_agrees(track, first, &cohort, growth);
}
