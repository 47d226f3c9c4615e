/*
 * Callsites that live as a program's do, block by block, one reading an interval. Every block has
 * the moment it came and the moment it goes; the ledger hears of all of them or of a sample, and
 * knows the ages of a sample only.
 */
#ifndef TESTS_SIMULATED_SITE_H
#define TESTS_SIMULATED_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/release_ages.h"
#include "trend/trend.h"
#include "trend_simulation.h"

#define SIMULATED_BLOCKS_MAX 16384
/* Counted exactly, one block in so many has a known age, and every large one. */
#define SIMULATED_AGES_ONE_IN  32.0
#define SIMULATED_ALWAYS_DATED 4096.0 /* bytes */
/* Fewer ages say nothing. */
#define SIMULATED_AGES_LEAST 6

enum simulated_kind {
    SIMULATED_CONSTANT,   /* nothing comes, nothing goes */
    SIMULATED_CHURN,      /* blocks come at random and live an exponential time */
    SIMULATED_SESSIONS,   /* lives over four orders of magnitude at the same site */
    SIMULATED_LRU,        /* a full cache: a block goes when as many newer ones came */
    SIMULATED_BATCHES,    /* churn in batches: requests that hold many blocks */
    SIMULATED_QUEUE,      /* first in, first out; its length wanders and is drawn back */
    SIMULATED_GARBAGE,    /* grows until a collection at an uncertain level */
    SIMULATED_BURSTS,     /* idle, now and then a burst that drains in a few intervals */
    SIMULATED_JOBS,       /* a job every so often holds memory for a while */
    SIMULATED_DAYS,       /* churn under a load that rises and falls once in 1 to 24 hours */
    SIMULATED_STEPS,      /* churn under a load that changes by steps */
    SIMULATED_FILL,       /* a cache that fills at a constant rate, then evicts */
    SIMULATED_APPROACH,   /* a cache of a limited set of keys: it fills ever more slowly */
    SIMULATED_GROWN_ONCE, /* lazy initialisation: a few steps close together, then nothing */
    SIMULATED_RESTARTS,   /* churn in a process that ends and begins again, empty, now and then */
    SIMULATED_KIND_COUNT
};

extern const char *const simulated_names[SIMULATED_KIND_COUNT];

struct simulated_block {
    double born;  /* intervals */
    double until; /* it goes when the site's clock passes this */
    bool dated;   /* the ledger knows its age */
};

struct simulated_site {
    struct simulation_random *random;
    enum simulated_kind kind;
    bool sampled;
    double block_bytes;
    double live_bytes; /* in equilibrium */
    double life;       /* mean, in intervals; the time scale of kinds without lives */
    double leak_bytes; /* an interval, from `leak_from` on */
    double leak_from;
    double full_at; /* interval from which a filling site is full; 0 for others */
    double started; /* interval in which its process began */
    double now;     /* intervals */
    double clock;   /* what blocks are released by: time, arrivals, departures or collections */
    double arrived; /* blocks, of kinds whose clock counts them */
    double wander;  /* state of what changes by itself */
    double target;
    double load;
    struct ls_release_ages released;
    size_t count;
    struct simulated_block blocks[SIMULATED_BLOCKS_MAX];
};

/* A site of the kind in its equilibrium (those that fill: empty); the caller may set the leak. */
void simulated_site_init(struct simulated_site *site, struct simulation_random *random,
                         enum simulated_kind kind, bool sampled);

/* A sampled site of known size and life, of blocks of 1,000 bytes, that has run for long. */
void simulated_site_init_as(struct simulated_site *site, struct simulation_random *random,
                            enum simulated_kind kind, double live_bytes, double life);

/* One interval later. Where the process has begun anew meanwhile, `started` is that interval. */
void simulated_site_step(struct simulated_site *site, struct ls_trend_point *point);

/* What the ledger knows of ages at this moment, for the points of a series. */
struct simulated_ages {
    float kept[LS_TREND_POINTS_MAX];
    struct ls_trend_ages ages;
};

/* Hands them to the series; nothing when hardly any block has a known age. */
void simulated_site_ages(const struct simulated_site *site, struct ls_trend_series *series,
                         struct simulated_ages *ages);

#endif
