/*
 * How often the verdict raises a false alarm, and how soon it finds a leak, over many simulated
 * sites. Prints the tables of docs/statistics.md; an argument sets the hours of each kind of site
 * (`test_trend_rates 1000`).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "simulated_site.h"
#include "trend/trend.h"
#include "trend_simulation.h"

#define INTERVALS_AN_HOUR 360
#define SITES_TESTED      1000
/* A site is new for its first readings: a first tooth is then as good as a leak. */
#define NEW_READINGS 20

static unsigned hours = 40;
static struct simulated_site site; /* too large for a small stack */

static bool was_settling;
static bool is_rising(struct simulation_history *history)
{
    struct ls_trend_series series = simulation_series(history);
    struct simulated_ages ages;
    struct ls_trend_verdict verdict;

    series.sites_tested = SITES_TESTED;
    series.was_settling = was_settling;
    simulated_site_ages(&site, &series, &ages);
    ls_trend_judge(&series, &verdict);
    was_settling = verdict.verdict == LS_VERDICT_SETTLING;
    return verdict.verdict == LS_VERDICT_RISING;
}

struct alarms {
    unsigned early; /* within the first readings of a site */
    unsigned late;
};

/* Whether a rise is nothing but the truth: it fills, or its first tooth is not over. */
static bool may_rise(double top, const struct ls_trend_point *point)
{
    switch (site.kind) {
    case SIMULATED_FILL:
        return site.now < 1.5 * site.full_at + 6.0;
    case SIMULATED_APPROACH:
        return site.now < 2.0 * site.life + 6.0;
    case SIMULATED_GARBAGE:
        return point->live_bytes >= 0.6 * top;
    default:
        return false;
    }
}

static void watch_one_hour(struct simulation_random *random, enum simulated_kind kind,
                           bool sampled, struct alarms *alarms)
{
    struct simulation_history history;
    bool was_rising = false;
    bool excused = true;
    double top = 0.0;

    simulated_site_init(&site, random, kind, sampled);
    simulation_history_init(&history);
    was_settling = false;
    for (int i = 0; i < INTERVALS_AN_HOUR; i++) {
        struct ls_trend_point point;
        bool rising;

        simulated_site_step(&site, &point);
        simulation_history_add(&history, &point);
        top = fmax(top, point.live_bytes);
        if (excused && !may_rise(top, &point)) {
            excused = false;
            was_rising = false;
        }
        rising = is_rising(&history);
        if (!excused && rising && !was_rising) {
            if (getenv("SHOW")) {
                printf("%s %s i=%d block=%.0f live=%.0f life=%.1f count=%zu now=%.3g full=%.1f target=%.1f\n",
                    simulated_names[kind], sampled ? "sampled":"exact", i, site.block_bytes, site.live_bytes, site.life, site.count, point.live_bytes, site.full_at, site.target);
            }
            if (i < NEW_READINGS)
                alarms->early++;
            else
                alarms->late++;
        }
        was_rising = rising;
    }
}

static void healthy_sites_hardly_ever_rise(void **state)
{
    double all = 0.0;

    (void)state;
    print_message("false alarms in 1,000 site-hours, %u sites judged at once, %u hours a kind\n",
                  (unsigned)SITES_TESTED, hours);
    print_message("%-10s %-8s %22s %22s\n", "site", "counted", "in its first 20 readings",
                  "in the rest");
    for (int sampled = 1; sampled >= 0; sampled--) {
        for (int kind = 0; kind < SIMULATED_KIND_COUNT; kind++) {
            struct simulation_random random = {.state = (uint64_t)(2 * kind + sampled)};
            struct alarms alarms = {0, 0};
            double scale = 1000.0 / hours;

            if (getenv("KIND") && atoi(getenv("KIND")) != kind) continue;
            if (getenv("SAMPLED") && atoi(getenv("SAMPLED")) != sampled) continue;
            for (unsigned hour = 0; hour < hours; hour++)
                watch_one_hour(&random, (enum simulated_kind)kind, sampled != 0, &alarms);
            print_message("%-10s %-8s %22.1f %22.1f\n", simulated_names[kind],
                          sampled ? "sampled" : "exactly", alarms.early * scale,
                          alarms.late * scale);
            all += alarms.late * scale / (2.0 * SIMULATED_KIND_COUNT);
        }
    }
    print_message("mean of all kinds after the first readings: %.1f\n", all);
}

/* Readings from the start of the leak to the first alarm; 0 when there was none in time. */
static int readings_to_alarm(struct simulation_random *random, enum simulated_kind kind,
                             double live_bytes, int calm, int most, double samples_an_interval)
{
    struct simulation_history history;

    simulated_site_init(&site, random, kind, true);
    site.count = 0;
    site.live_bytes = live_bytes;
    /* From empty to full before anyone looks. */
    site.now = -1000.0;
    for (int i = 0; i < 1000; i++) {
        struct ls_trend_point point;

        simulated_site_step(&site, &point);
    }
    site.leak_bytes = samples_an_interval * SIMULATION_SAMPLE_BYTES;
    site.leak_from = calm + 1.0;
    simulation_history_init(&history);
    was_settling = false;
    for (int i = 1; i <= calm + most; i++) {
        struct ls_trend_point point;

        simulated_site_step(&site, &point);
        simulation_history_add(&history, &point);
        if (i > calm && is_rising(&history))
            return i - calm;
    }
    return 0;
}

#define LEAKS 300
struct detection {
    double in_six;
    double in_twelve;
};

static struct detection detection_of(enum simulated_kind kind, double live_bytes, int calm,
                                     double samples)
{
    struct simulation_random random = {.state = (uint64_t)samples + 7u};
    struct detection found = {0.0, 0.0};

    for (int leak = 0; leak < LEAKS; leak++) {
        int readings = readings_to_alarm(&random, kind, live_bytes, calm, 12, samples);

        if (readings > 0 && readings <= 6)
            found.in_six += 1.0 / LEAKS;
        if (readings > 0)
            found.in_twelve += 1.0 / LEAKS;
    }
    return found;
}

static void leaks_that_stand_out_of_the_sampling_error_are_found_within_six_readings(void **state)
{
    static const double samples[] = {2.0, 4.0, 6.0, 10.0, 20.0};
    static const struct {
        const char *name;
        enum simulated_kind kind;
        double live_bytes;
        int calm;
    } places[] = {
        {"a new site", SIMULATED_CONSTANT, 0.0, 0},
        {"10 MB that stay, after an hour", SIMULATED_CONSTANT, 10e6, 360},
        {"10 MB that churn, after an hour", SIMULATED_CHURN, 10e6, 360},
        {"100 MB that churn, after an hour", SIMULATED_CHURN, 100e6, 360},
    };

    (void)state;
    print_message("leaks found within 6 and 12 readings, by samples (512 KiB) leaked a reading\n");
    for (size_t place = 0; place < LS_ARRAY_LENGTH(places); place++) {
        print_message("%-32s", places[place].name);
        for (size_t i = 0; i < LS_ARRAY_LENGTH(samples); i++) {
            struct detection found = detection_of(places[place].kind, places[place].live_bytes,
                                                  places[place].calm, samples[i]);

            print_message("  %2.0f: %3.0f %% %3.0f %%", samples[i], 100.0 * found.in_six,
                          100.0 * found.in_twelve);
        }
        print_message("\n");
    }
}

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static void time_to_detection(void **state)
{
    static const double rates[] = {0.1, 0.3, 1, 3, 10, 30, 100, 1000};
    static const struct { const char *name; enum simulated_kind kind; double live; double life; } places[] = {
        {"new", SIMULATED_CONSTANT, 0, 1}, {"10M stay", SIMULATED_CONSTANT, 10e6, 1},
        {"10M churn .3", SIMULATED_CHURN, 10e6, .3}, {"10M churn 6", SIMULATED_CHURN, 10e6, 6}, {"10M churn 60", SIMULATED_CHURN, 10e6, 60},
        {"100M churn .3", SIMULATED_CHURN, 100e6, .3},{"100M churn 6", SIMULATED_CHURN, 100e6, 6},{"100M churn 60", SIMULATED_CHURN, 100e6, 60},
        {"100M LRU 30", SIMULATED_LRU, 100e6, 30},
        {"100M garbage 10", SIMULATED_GARBAGE, 100e6, 10},
        {"100M queue 10", SIMULATED_QUEUE, 100e6, 10}};
    int leaks = 100;
    (void)state; if (getenv("NOTIME")) return;
    for (size_t place = 0; place < LS_ARRAY_LENGTH(places); place++) {
        printf("%-16s", places[place].name);
        for (size_t r = 0; r < LS_ARRAY_LENGTH(rates); r++) {
            struct simulation_random random = {.state = place * 100 + r};
            int times[1000];
            for (int l = 0; l < leaks; l++) {
                struct simulation_history history;
                struct ls_trend_point point;
                int most = rates[r] < 1 ? 2000 : 600, calm = 100;
                simulated_site_init(&site, &random, places[place].kind, true);
                site.count = 0;
                site.live_bytes = places[place].live; site.life = places[place].life; site.block_bytes = 1000;
                site.now = -1000; site.clock = places[place].kind == SIMULATED_LRU || places[place].kind == SIMULATED_QUEUE ? site.arrived : site.now;
                for (int i = 0; i < 1000; i++) simulated_site_step(&site, &point);
                site.leak_bytes = rates[r] * SIMULATION_SAMPLE_BYTES;
                site.leak_from = calm + 1;
                simulation_history_init(&history);
                was_settling = false;
                times[l] = 99999;
                for (int i = 1; i <= calm + most; i++) {
                    simulated_site_step(&site, &point);
                    simulation_history_add(&history, &point);
                    if (i > calm && is_rising(&history)) { times[l] = i - calm; break; }
                }
            }
            qsort(times, leaks, sizeof(int), compare);
            printf("  %g: %d %d", rates[r], times[leaks / 2], times[leaks * 95 / 100]);
        }
        printf("\n");
    }
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_sites_hardly_ever_rise),
        cmocka_unit_test(time_to_detection),
        cmocka_unit_test(leaks_that_stand_out_of_the_sampling_error_are_found_within_six_readings),
    };

    if (count > 1 && atoi(arguments[1]) > 0)
        hours = (unsigned)atoi(arguments[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
