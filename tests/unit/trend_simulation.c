#include "trend_simulation.h"

#include <math.h>

#define PROCESS_BYTES 2e8

/* splitmix64 (https://doi.org/10.1145/2660193.2660195). */
static uint64_t next_random(struct simulation_random *random)
{
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

double simulation_uniform(struct simulation_random *random)
{
    return ((double)(next_random(random) >> 11) + 0.5) / 9007199254740992.0;
}

double simulation_normal(struct simulation_random *random)
{
    double radius = sqrt(-2.0 * log(simulation_uniform(random)));

    return radius * cos(2.0 * M_PI * simulation_uniform(random));
}

double simulation_exponential(struct simulation_random *random, double mean)
{
    return -mean * log(simulation_uniform(random));
}

unsigned simulation_poisson(struct simulation_random *random, double mean)
{
    double product = 1.0;
    double limit = exp(-mean);
    unsigned count = 0;

    if (mean > 60.0) {
        double value = mean + sqrt(mean) * simulation_normal(random) + 0.5;

        return value > 0.0 ? (unsigned)value : 0;
    }
    while ((product *= simulation_uniform(random)) > limit)
        count++;
    return count;
}

void simulation_history_init(struct simulation_history *history)
{
    *history = (struct simulation_history){.kept = {.count = 0}};
}

void simulation_history_add(struct simulation_history *history, const struct ls_trend_point *point)
{
    ls_history_add(&history->kept, (struct ls_history_point){
                                       .time_s = point->time_s,
                                       .live_bytes = (float)point->live_bytes,
                                       .live_count = (float)point->live_count,
                                       .error_bytes = (float)point->error_bytes,
                                   });
}

struct ls_trend_series simulation_series(struct simulation_history *history)
{
    for (size_t i = 0; i < history->kept.count; i++) {
        history->points[i] = (struct ls_trend_point){
            .time_s = ls_history_time(&history->kept.points[i]),
            .live_bytes = (double)history->kept.points[i].live_bytes,
            .live_count = (double)history->kept.points[i].live_count,
            .error_bytes = (double)history->kept.points[i].error_bytes,
        };
    }
    return (struct ls_trend_series){
        .points = history->points,
        .count = history->kept.count,
        .step_s = SIMULATION_INTERVAL_S,
        .interval_s = SIMULATION_INTERVAL_S,
        .process_bytes = PROCESS_BYTES,
        .sites_tested = 1,
    };
}

void simulation_record_init(struct simulation_record *record, double interval)
{
    *record = (struct simulation_record){
        .series =
            {
                .step_s = interval,
                .interval_s = interval,
                .process_bytes = PROCESS_BYTES,
                .sites_tested = 100,
            },
    };
    record->series.points = record->points;
}

void simulation_record_add_at(struct simulation_record *record, double time, double bytes,
                              double count, double error)
{
    if (record->series.count == LS_TREND_POINTS_MAX)
        return;
    record->points[record->series.count++] = (struct ls_trend_point){
        .time_s = time, .live_bytes = bytes, .live_count = count, .error_bytes = error};
}

void simulation_record_add(struct simulation_record *record, double bytes)
{
    simulation_record_add_at(record, (double)(record->series.count + 1) * record->series.interval_s,
                             bytes, floor(bytes / 100.0), 0.0);
}

void simulation_record_add_sampled(struct simulation_record *record, double samples)
{
    double weight = 64.0 / -expm1(-64.0 / SIMULATION_SAMPLE_BYTES);

    simulation_record_add_at(record, (double)(record->series.count + 1) * record->series.interval_s,
                             samples * weight, samples * weight / 64.0,
                             sqrt(samples * weight * (weight - 64.0)));
}
