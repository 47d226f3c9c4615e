#include "simulated_site.h"

#include <math.h>

#define BATCH_BLOCKS      40.0
#define FOREVER           INFINITY
#define INTERVALS_AN_HOUR (3600.0 / SIMULATION_INTERVAL_S)
#define GROWN_ONCE_STEPS  4

const char *const simulated_names[SIMULATED_KIND_COUNT] = {
    "constant", "churn", "sessions", "full LRU", "batches",  "queue",      "garbage",  "bursts",
    "jobs",     "days",  "steps",    "filling",  "approach", "grown once", "restarts",
};

static double chance_of_sample(const struct simulated_site *site)
{
    return -expm1(-site->block_bytes / SIMULATION_SAMPLE_BYTES);
}

/* Of a block the ledger hears of. */
static double chance_of_age(const struct simulated_site *site)
{
    return site->sampled || site->block_bytes >= SIMULATED_ALWAYS_DATED
               ? 1.0
               : 1.0 / SIMULATED_AGES_ONE_IN;
}

/* What a block that the ledger sees counts for. */
static double weight_of(const struct simulated_site *site)
{
    return site->sampled ? site->block_bytes / chance_of_sample(site) : site->block_bytes;
}

/* Blocks the ledger hears of when `blocks` are allocated on average. */
static double seen(const struct simulated_site *site, double blocks)
{
    return site->sampled ? blocks * chance_of_sample(site) : blocks;
}

static void add_block(struct simulated_site *site, double until)
{
    if (site->count == SIMULATED_BLOCKS_MAX)
        return;
    site->blocks[site->count++] = (struct simulated_block){
        .born = site->now - simulation_uniform(site->random),
        .until = until,
        .dated = simulation_uniform(site->random) <= chance_of_age(site),
    };
}

static double equilibrium(const struct simulated_site *site)
{
    return site->live_bytes / site->block_bytes;
}

/* Lives over four orders of magnitude: log-normal with the site's life as its mean. */
static double draw_life(struct simulated_site *site)
{
    const double sigma = 1.7;

    if (site->kind == SIMULATED_SESSIONS)
        return site->life * exp(sigma * simulation_normal(site->random) - sigma * sigma / 2.0);
    return simulation_exponential(site->random, site->life);
}

static void arrive(struct simulated_site *site, double mean_blocks)
{
    for (unsigned left = simulation_poisson(site->random, seen(site, mean_blocks)); left > 0;
         left--)
        add_block(site, site->clock + draw_life(site));
}

static void arrive_in_batches(struct simulated_site *site, double mean_blocks)
{
    unsigned batches = simulation_poisson(site->random, mean_blocks / BATCH_BLOCKS);

    for (unsigned batch = 0; batch < batches; batch++) {
        double until = site->clock + draw_life(site);

        for (unsigned left = simulation_poisson(site->random, seen(site, BATCH_BLOCKS)); left > 0;
             left--)
            add_block(site, until);
    }
}

/* `blocks` that go when the clock has moved on by so much. */
static void arrive_for(struct simulated_site *site, double blocks, double lasting)
{
    for (unsigned left = simulation_poisson(site->random, seen(site, blocks)); left > 0; left--)
        add_block(site, site->clock + lasting);
}

/* In the order they came, numbered: each goes when `behind` others have come, or been served. */
static void arrive_in_order(struct simulated_site *site, double blocks, double behind)
{
    double number = site->arrived;

    for (unsigned left = simulation_poisson(site->random, seen(site, blocks)); left > 0; left--)
        add_block(site, number + blocks * simulation_uniform(site->random) + behind);
    site->arrived += blocks;
}

static void expire(struct simulated_site *site)
{
    size_t kept = 0;

    for (size_t i = 0; i < site->count; i++) {
        if (site->blocks[i].until > site->clock)
            site->blocks[kept++] = site->blocks[i];
        else if (site->blocks[i].dated)
            ls_release_ages_add(&site->released, site->now - site->blocks[i].born,
                                weight_of(site) / chance_of_age(site));
    }
    site->count = kept;
}

static double log_uniform(struct simulation_random *random, double low, double high)
{
    return low * pow(high / low, simulation_uniform(random));
}

static double wandering(struct simulated_site *site)
{
    double keeps = exp(-1.0 / site->life);

    site->wander =
        keeps * site->wander + sqrt(1.0 - keeps * keeps) * simulation_normal(site->random);
    return fmax(0.0, 1.0 + 0.3 * site->wander);
}

static void step_queue(struct simulated_site *site)
{
    double length = equilibrium(site) * wandering(site);
    double queued = site->arrived - site->clock;
    /* Served in an interval; a queue that shrinks is served faster. */
    double served = fmax(equilibrium(site) * site->target, queued - length);

    arrive_in_order(site, served + length - queued, 0.0);
    site->clock += served;
}

static void step_garbage(struct simulated_site *site)
{
    double a_tooth = 2.0 + fmin(site->life, 40.0);

    arrive_for(site, equilibrium(site) / a_tooth, 0.5);
    site->wander += 1.0 / a_tooth;
    if (site->wander >= site->target) {
        site->wander = 0.0;
        site->target = fmax(0.3, 1.0 + 0.3 * simulation_normal(site->random));
        site->clock += 1.0;
    }
}

static void step_jobs(struct simulated_site *site)
{
    if (site->now < site->target)
        return;
    arrive_for(site, equilibrium(site), 0.1 * site->life + 1.0);
    site->target += site->life;
}

/* Mean arrivals an interval at the site's load. */
static double flow(const struct simulated_site *site)
{
    return equilibrium(site) / site->life;
}

static void step_load(struct simulated_site *site)
{
    if (site->kind == SIMULATED_DAYS)
        site->load = 1.0 + 0.8 * sin(2.0 * M_PI * (site->now / site->target + site->wander));
    else if (simulation_uniform(site->random) < 1.0 / INTERVALS_AN_HOUR)
        site->load = log_uniform(site->random, 0.3, 3.0);
}

static void step_fill(struct simulated_site *site)
{
    arrive_in_order(site, equilibrium(site) / site->full_at, equilibrium(site));
    site->clock = site->arrived;
}

/* Of a limited set of keys, those asked for and not yet there. */
static void step_approach(struct simulated_site *site)
{
    double missing = equilibrium(site) * exp(-site->now / site->life);

    arrive_for(site, missing * -expm1(-1.0 / site->life), FOREVER);
}

/* What it held is gone, and what was known of it. */
static void step_restarts(struct simulated_site *site)
{
    if (site->now >= site->target) {
        site->count = 0;
        site->released = (struct ls_release_ages){.watched = 0.0f};
        site->started = site->now;
        site->target = site->now + log_uniform(site->random, 20.0, INTERVALS_AN_HOUR);
    }
    arrive(site, flow(site));
}

static void live_on(struct simulated_site *site)
{
    switch (site->kind) {
    case SIMULATED_CHURN:
    case SIMULATED_SESSIONS:
        arrive(site, flow(site));
        break;
    case SIMULATED_LRU:
        arrive_in_order(site, flow(site), equilibrium(site));
        site->clock = site->arrived;
        break;
    case SIMULATED_BATCHES:
        arrive_in_batches(site, flow(site));
        break;
    case SIMULATED_QUEUE:
        step_queue(site);
        break;
    case SIMULATED_GARBAGE:
        step_garbage(site);
        break;
    case SIMULATED_BURSTS:
        if (simulation_uniform(site->random) < 0.02)
            arrive(site, equilibrium(site));
        break;
    case SIMULATED_JOBS:
        step_jobs(site);
        break;
    case SIMULATED_DAYS:
    case SIMULATED_STEPS:
        step_load(site);
        arrive(site, site->load * flow(site));
        break;
    case SIMULATED_FILL:
        step_fill(site);
        break;
    case SIMULATED_APPROACH:
        step_approach(site);
        break;
    case SIMULATED_RESTARTS:
        step_restarts(site);
        break;
    case SIMULATED_GROWN_ONCE:
        if (site->now > site->target && site->now <= site->target + GROWN_ONCE_STEPS)
            arrive_for(site, equilibrium(site) / GROWN_ONCE_STEPS, FOREVER);
        break;
    case SIMULATED_CONSTANT:
    case SIMULATED_KIND_COUNT:
        break;
    }
}

static bool counts_time(enum simulated_kind kind)
{
    return kind != SIMULATED_LRU && kind != SIMULATED_QUEUE && kind != SIMULATED_GARBAGE &&
           kind != SIMULATED_FILL;
}

/* What is there when the first reading is made. */
static void settle_in(struct simulated_site *site)
{
    struct simulation_random *random = site->random;

    switch (site->kind) {
    case SIMULATED_CONSTANT:
        arrive_for(site, equilibrium(site), FOREVER);
        break;
    case SIMULATED_GROWN_ONCE:
        arrive_for(site, 0.3 * equilibrium(site), FOREVER);
        site->target = INTERVALS_AN_HOUR * simulation_uniform(random);
        break;
    case SIMULATED_CHURN:
    case SIMULATED_BATCHES:
    case SIMULATED_STEPS:
        arrive(site, equilibrium(site));
        break;
    case SIMULATED_DAYS:
        site->target = log_uniform(random, INTERVALS_AN_HOUR, 24.0 * INTERVALS_AN_HOUR);
        site->wander = simulation_uniform(random);
        step_load(site);
        arrive(site, site->load * equilibrium(site));
        break;
    case SIMULATED_LRU:
        arrive_in_order(site, equilibrium(site), equilibrium(site));
        site->clock = site->arrived;
        break;
    case SIMULATED_QUEUE:
        site->wander = simulation_normal(random);
        site->target = log_uniform(random, 0.05, 2.0);
        break;
    case SIMULATED_GARBAGE:
        site->target = 1.0 + 0.3 * simulation_normal(random);
        arrive_for(site, 0.5 * equilibrium(site), FOREVER);
        break;
    case SIMULATED_JOBS:
        site->life = log_uniform(random, 10.0, 120.0);
        site->target = site->life * simulation_uniform(random);
        break;
    case SIMULATED_FILL:
        site->full_at = log_uniform(random, 4.0, 300.0);
        break;
    case SIMULATED_APPROACH:
        site->life = log_uniform(random, 2.0, 100.0);
        break;
    case SIMULATED_RESTARTS:
        site->target = log_uniform(random, 20.0, INTERVALS_AN_HOUR);
        break;
    case SIMULATED_SESSIONS: /* lives drawn at arrival: what is there is run in */
    case SIMULATED_BURSTS:
    case SIMULATED_KIND_COUNT:
        break;
    }
}

static void init(struct simulated_site *site, struct simulation_random *random,
                 enum simulated_kind kind, bool sampled)
{
    site->random = random;
    site->kind = kind;
    site->sampled = sampled;
    site->leak_bytes = 0.0;
    site->leak_from = INFINITY;
    site->full_at = 0.0;
    site->started = 0.0;
    site->now = 0.0;
    site->clock = 0.0;
    site->arrived = 0.0;
    site->wander = 0.0;
    site->target = 0.0;
    site->load = 1.0;
    site->released = (struct ls_release_ages){.watched = 0.0f};
    site->count = 0;
}

static void run_in(struct simulated_site *site, int intervals)
{
    struct ls_trend_point unread;

    for (int i = 0; i < intervals; i++)
        simulated_site_step(site, &unread);
}

void simulated_site_init(struct simulated_site *site, struct simulation_random *random,
                         enum simulated_kind kind, bool sampled)
{
    double blocks_max = SIMULATED_BLOCKS_MAX / 8.0;

    init(site, random, kind, sampled);
    site->block_bytes = log_uniform(random, 64.0, 262144.0);
    site->live_bytes = log_uniform(random, 1e6, 2e8);
    site->life = log_uniform(random, 0.3, 300.0);
    /* Counted exactly, every block is simulated. */
    if (!sampled && equilibrium(site) > blocks_max)
        site->live_bytes = site->block_bytes * blocks_max;
    settle_in(site);
    if (kind == SIMULATED_SESSIONS)
        run_in(site, 600);
}

void simulated_site_init_as(struct simulated_site *site, struct simulation_random *random,
                            enum simulated_kind kind, double live_bytes, double life)
{
    init(site, random, kind, true);
    site->block_bytes = 1000.0;
    site->live_bytes = live_bytes;
    site->life = life;
    settle_in(site);
    if (kind != SIMULATED_CONSTANT)
        run_in(site, 1000);
}

static void leak(struct simulated_site *site)
{
    if (site->now >= site->leak_from)
        arrive_for(site, site->leak_bytes / site->block_bytes, FOREVER);
}

void simulated_site_step(struct simulated_site *site, struct ls_trend_point *point)
{
    static struct ls_release_fade fade;
    double weight = weight_of(site);
    double bytes;

    site->now += 1.0;
    if (!(fade.elapsed > 0.0))
        ls_release_fade_init(&fade, 1.0);
    ls_release_ages_fade(&site->released, &fade);
    if (counts_time(site->kind))
        site->clock = site->now;
    expire(site);
    live_on(site);
    leak(site);
    /* What came may already be gone when the interval ends. */
    expire(site);
    bytes = (double)site->count * weight;
    *point = (struct ls_trend_point){
        .time_s = site->now * SIMULATION_INTERVAL_S,
        .live_bytes = bytes,
        .live_count = bytes / site->block_bytes,
        .error_bytes = sqrt(bytes * (weight - site->block_bytes)),
    };
}

/* The first point at or after the moment; `count` if there is none. */
static size_t point_at(const struct ls_trend_series *series, double time)
{
    size_t first = 0;
    size_t end = series->count;

    while (first < end) {
        size_t middle = (first + end) / 2;

        if (time <= series->points[middle].time_s)
            end = middle;
        else
            first = middle + 1;
    }
    return first;
}

void simulated_site_ages(const struct simulated_site *site, struct ls_trend_series *series,
                         struct simulated_ages *ages)
{
    double weight = weight_of(site) / chance_of_age(site);
    unsigned dated = 0;

    for (size_t i = 0; i < series->count; i++)
        ages->kept[i] = 0.0f;
    for (size_t i = 0; i < site->count; i++) {
        size_t point = point_at(series, site->blocks[i].born * SIMULATION_INTERVAL_S);

        if (!site->blocks[i].dated)
            continue;
        dated++;
        if (point < series->count)
            ages->kept[point] += (float)weight;
    }
    for (size_t i = 1; i < series->count; i++)
        ages->kept[i] += ages->kept[i - 1];
    ages->ages = (struct ls_trend_ages){
        .kept = ages->kept, .kept_weight = weight, .released = &site->released};
    if (dated >= SIMULATED_AGES_LEAST)
        series->ages = &ages->ages;
}
