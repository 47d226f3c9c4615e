/*
 * What simulated series are made with: random numbers from a fixed seed, so that every run sees the
 * same series, the ledger's own history, and records written down by hand.
 */
#ifndef TESTS_TREND_SIMULATION_H
#define TESTS_TREND_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/history.h"
#include "trend/trend.h"

#define SIMULATION_SAMPLE_BYTES (512.0 * 1024.0)
#define SIMULATION_INTERVAL_S   10.0

struct simulation_random {
    uint64_t state;
};

double simulation_uniform(struct simulation_random *random); /* in (0, 1) */
double simulation_normal(struct simulation_random *random);
double simulation_exponential(struct simulation_random *random, double mean);
unsigned simulation_poisson(struct simulation_random *random, double mean);

/* The past of a site as the ledger keeps it, in the form the verdict takes. */
struct simulation_history {
    struct ls_history kept;
    struct ls_trend_point points[LS_TREND_POINTS_MAX];
};

void simulation_history_init(struct simulation_history *history);
void simulation_history_add(struct simulation_history *history, const struct ls_trend_point *point);
/* The series of the points so far, for one site at a 10-second interval in a process of 200 MB. */
struct ls_trend_series simulation_series(struct simulation_history *history);

/* A series written down reading by reading: of a process of 200 MB and 100 sites. More than
 * LS_TREND_POINTS_MAX readings are dropped. */
struct simulation_record {
    struct ls_trend_point points[LS_TREND_POINTS_MAX];
    struct ls_trend_series series;
};

void simulation_record_init(struct simulation_record *record, double interval);
void simulation_record_add_at(struct simulation_record *record, double time, double bytes,
                              double count, double error);
/* One interval later: bytes counted exactly, in blocks of 100. */
void simulation_record_add(struct simulation_record *record, double bytes);
/* One interval later: `samples` sampled blocks of 64 bytes. */
void simulation_record_add_sampled(struct simulation_record *record, double samples);

#endif
