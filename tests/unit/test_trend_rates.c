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
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "trend/trend.h"
#include "trend_simulation.h"

#define INTERVALS_AN_HOUR 360
#define SITES_TESTED      1000
/* A site is new for its first readings: a first tooth is then as good as a leak. */
#define NEW_READINGS 20
/* Alarms in a thousand site-hours that no kind may pass; and that all together may not pass. */
#define ALARMS_OF_ONE_KIND 150.0
#define ALARMS_OF_ALL      25.0
#define LEAKS              300

static unsigned hours = 40;
static struct simulation_site site; /* too large for a small stack */

static bool is_rising(struct simulation_history *history)
{
    struct ls_trend_series series = simulation_series(history);
    struct ls_trend_verdict verdict;

    series.sites_tested = SITES_TESTED;
    ls_trend_judge(&series, &verdict);
    return verdict.verdict == LS_VERDICT_RISING;
}

struct alarms {
    unsigned early; /* within the first readings of a site */
    unsigned late;
};

static void watch_one_hour(struct simulation_random *random, enum simulation_kind kind,
                           bool sampled, struct alarms *alarms)
{
    struct simulation_history history;
    bool was_rising = false;
    bool fell = kind != SIMULATION_GARBAGE;
    double top = 0.0;

    simulation_site_init(&site, random, kind, sampled);
    simulation_history_init(&history);
    for (int i = 0; i < INTERVALS_AN_HOUR; i++) {
        struct ls_trend_point point;
        bool rising;

        simulation_site_step(&site, &point);
        simulation_history_add(&history, &point);
        top = fmax(top, point.live_bytes);
        fell = fell || point.live_bytes < 0.6 * top;
        rising = is_rising(&history);
        if (rising && !was_rising && i < NEW_READINGS)
            alarms->early++;
        else if (rising && !was_rising && fell)
            alarms->late++;
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
        for (int kind = 0; kind < SIMULATION_KIND_COUNT; kind++) {
            struct simulation_random random = {.state = (uint64_t)(2 * kind + sampled)};
            struct alarms alarms = {0, 0};
            double scale = 1000.0 / hours;

            for (unsigned hour = 0; hour < hours; hour++)
                watch_one_hour(&random, (enum simulation_kind)kind, sampled != 0, &alarms);
            print_message("%-10s %-8s %22.1f %22.1f\n", simulation_names[kind],
                          sampled ? "sampled" : "exactly", alarms.early * scale,
                          alarms.late * scale);
            if (kind != SIMULATION_GARBAGE)
                assert_true(alarms.early * scale <= ALARMS_OF_ONE_KIND);
            assert_true(alarms.late * scale <= ALARMS_OF_ONE_KIND);
            all += alarms.late * scale / (2.0 * SIMULATION_KIND_COUNT);
        }
    }
    print_message("mean of all kinds after the first readings: %.1f\n", all);
    assert_true(all <= ALARMS_OF_ALL);
}

/* Readings from the start of the leak to the first alarm; 0 when there was none in twelve. */
static int readings_to_alarm(struct simulation_random *random, enum simulation_kind kind,
                             double live_bytes, int calm, double samples_an_interval)
{
    struct simulation_history history;

    simulation_site_init(&site, random, kind, true);
    site.count = 0;
    site.live_bytes = live_bytes;
    /* From empty to full before anyone looks. */
    site.now = -1000.0;
    for (int i = 0; i < 1000; i++) {
        struct ls_trend_point point;

        simulation_site_step(&site, &point);
    }
    site.leak_bytes = samples_an_interval * SIMULATION_SAMPLE_BYTES;
    site.leak_from = calm + 1.0;
    simulation_history_init(&history);
    for (int i = 1; i <= calm + 12; i++) {
        struct ls_trend_point point;

        simulation_site_step(&site, &point);
        simulation_history_add(&history, &point);
        if (i > calm && is_rising(&history))
            return i - calm;
    }
    return 0;
}

struct detection {
    double in_six;
    double in_twelve;
};

static struct detection detection_of(enum simulation_kind kind, double live_bytes, int calm,
                                     double samples)
{
    struct simulation_random random = {.state = (uint64_t)samples + 7u};
    struct detection found = {0.0, 0.0};

    for (int leak = 0; leak < LEAKS; leak++) {
        int readings = readings_to_alarm(&random, kind, live_bytes, calm, samples);

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
        enum simulation_kind kind;
        double live_bytes;
        int calm;
        double clear_samples; /* leaked a reading: from here on the leak must be found in time */
    } places[] = {
        {"a new site", SIMULATION_CONSTANT, 0.0, 0, 10.0},
        {"10 MB that stay, after an hour", SIMULATION_CONSTANT, 10e6, 360, 6.0},
        {"10 MB that churn, after an hour", SIMULATION_CHURN, 10e6, 360, 20.0},
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
            if (samples[i] >= places[place].clear_samples) {
                assert_true(found.in_six >= 0.9);
                assert_true(found.in_twelve >= 0.97);
            }
        }
        print_message("\n");
    }
}

/* Mann-Kendall's statistic over independent readings, a standard normal variable
 * (https://doi.org/10.2307/1907187). */
static double mann_kendall_score(const struct ls_trend_series *series)
{
    double count = (double)series->count;
    double sum = 0.0;

    for (size_t later = 1; later < series->count; later++) {
        for (size_t earlier = 0; earlier < later; earlier++) {
            double change = series->points[later].live_bytes - series->points[earlier].live_bytes;

            sum += change > 0.0 ? 1.0 : change < 0.0 ? -1.0 : 0.0;
        }
    }
    return sum / sqrt(count * (count - 1.0) * (2.0 * count + 5.0) / 18.0);
}

static void a_plain_trend_test_would_alarm_on_healthy_churn(void **state)
{
    struct simulation_random random = {.state = 21};
    unsigned plain = 0;
    unsigned ours = 0;
    const unsigned sites = 1000;

    (void)state;
    for (unsigned run = 0; run < sites; run++) {
        struct simulation_history history;
        struct ls_trend_series series;

        simulation_site_init(&site, &random, SIMULATION_CHURN, true);
        simulation_history_init(&history);
        for (int i = 0; i < LS_TREND_POINTS_MAX; i++) {
            struct ls_trend_point point;

            simulation_site_step(&site, &point);
            simulation_history_add(&history, &point);
        }
        series = simulation_series(&history);
        plain += mann_kendall_score(&series) > 4.0;
        ours += is_rising(&history);
    }
    print_message("of %u healthy churning sites, after 64 readings: Mann-Kendall above 4 sigma %u, "
                  "rising %u\n",
                  sites, plain, ours);
    /* 4 sigma promises one in 30,000. */
    assert_true(plain > sites / 20);
    assert_true(ours <= 2);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_sites_hardly_ever_rise),
        cmocka_unit_test(a_plain_trend_test_would_alarm_on_healthy_churn),
        cmocka_unit_test(leaks_that_stand_out_of_the_sampling_error_are_found_within_six_readings),
    };

    if (count > 1 && atoi(arguments[1]) > 0)
        hours = (unsigned)atoi(arguments[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
