#include "trend_simulation.h"

#include <math.h>

#define BATCH_BLOCKS  40.0
#define PROCESS_BYTES 2e8

const char *const simulation_names[SIMULATION_KIND_COUNT] = {
    "constant", "churn", "full LRU", "batches", "queue", "garbage", "bursts",
};

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
            .time_s = history->kept.points[i].time_s - (double)history->kept.points[i].lag_s,
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

/* What a block that the ledger sees counts for. */
static double weight_of(struct simulation_site *site)
{
    double chance = -expm1(-site->block_bytes / SIMULATION_SAMPLE_BYTES);

    return site->sampled ? site->block_bytes / chance : site->block_bytes;
}

static void add_block(struct simulation_site *site, double life)
{
    if (site->count == SIMULATION_LIVE_MAX)
        return;
    site->blocks[site->count++] = (struct simulation_block){
        .size = site->block_bytes,
        .weight = weight_of(site),
        .dies_at = site->now + life,
    };
}

static double draw_life(struct simulation_site *site)
{
    if (site->kind == SIMULATION_LRU)
        return site->life;
    return simulation_exponential(site->random, site->life);
}

/* Blocks the ledger hears of when `blocks` are allocated on average. */
static double seen(const struct simulation_site *site, double blocks)
{
    if (!site->sampled)
        return blocks;
    return blocks * -expm1(-site->block_bytes / SIMULATION_SAMPLE_BYTES);
}

static void arrive(struct simulation_site *site, double mean_blocks)
{
    if (site->kind == SIMULATION_BATCHES) {
        unsigned batches = simulation_poisson(site->random, mean_blocks / BATCH_BLOCKS);

        for (unsigned batch = 0; batch < batches; batch++) {
            double life = draw_life(site);
            unsigned blocks = simulation_poisson(site->random, seen(site, BATCH_BLOCKS));

            for (unsigned i = 0; i < blocks; i++)
                add_block(site, life);
        }
        return;
    }
    for (unsigned left = simulation_poisson(site->random, seen(site, mean_blocks)); left > 0;
         left--)
        add_block(site, draw_life(site));
}

static void expire(struct simulation_site *site)
{
    size_t kept = 0;

    for (size_t i = 0; i < site->count; i++) {
        if (site->blocks[i].dies_at > site->now)
            site->blocks[kept++] = site->blocks[i];
    }
    site->count = kept;
}

static double log_uniform(struct simulation_random *random, double low, double high)
{
    return low * pow(high / low, simulation_uniform(random));
}

static void fill_to_equilibrium(struct simulation_site *site)
{
    double blocks = site->live_bytes / site->block_bytes;

    if (site->kind == SIMULATION_CONSTANT) {
        for (unsigned left = simulation_poisson(site->random, seen(site, blocks)); left > 0; left--)
            add_block(site, INFINITY);
        return;
    }
    arrive(site, blocks);
    /* Seen at a random moment: an exponential life is as long as ever, a fixed one partly over. */
    for (size_t i = 0; site->kind == SIMULATION_LRU && i < site->count; i++)
        site->blocks[i].dies_at = site->now + site->life * simulation_uniform(site->random);
}

void simulation_site_init(struct simulation_site *site, struct simulation_random *random,
                          enum simulation_kind kind, bool sampled)
{
    site->random = random;
    site->kind = kind;
    site->sampled = sampled;
    site->block_bytes = log_uniform(random, 64.0, 262144.0);
    site->live_bytes = log_uniform(random, 1e6, 2e8);
    site->life = log_uniform(random, 0.3, 300.0);
    site->leak_bytes = 0.0;
    site->leak_from = INFINITY;
    site->now = 0.0;
    site->wander = 0.0;
    site->target = 0.0;
    site->count = 0;
    /* Counted exactly, every block is simulated. */
    if (!sampled && site->live_bytes / site->block_bytes > SIMULATION_LIVE_MAX / 4.0)
        site->live_bytes = site->block_bytes * SIMULATION_LIVE_MAX / 4.0;
    if (kind == SIMULATION_QUEUE)
        site->wander = simulation_normal(random);
    else if (kind == SIMULATION_GARBAGE)
        site->target = 1.0 + 0.3 * simulation_normal(random);
    else if (kind != SIMULATION_BURSTS)
        fill_to_equilibrium(site);
}

/* The kinds whose live size is one level that is not made of blocks with lives of their own. */
static double level_of(struct simulation_site *site)
{
    double keeps = exp(-1.0 / site->life);

    if (site->kind == SIMULATION_QUEUE) {
        site->wander =
            keeps * site->wander + sqrt(1.0 - keeps * keeps) * simulation_normal(site->random);
        return site->live_bytes * fmax(0.0, 1.0 + 0.3 * site->wander);
    }
    if (site->kind == SIMULATION_GARBAGE) {
        site->wander += 1.0 / (2.0 + fmin(site->life, 40.0));
        if (site->wander >= site->target) {
            site->wander = 0.0;
            site->target = fmax(0.3, 1.0 + 0.3 * simulation_normal(site->random));
        }
        return site->live_bytes * (0.5 + site->wander);
    }
    return 0.0;
}

static void read_blocks(const struct simulation_site *site, struct ls_trend_point *point)
{
    double variance = 0.0;

    point->live_bytes = 0.0;
    point->live_count = 0.0;
    for (size_t i = 0; i < site->count; i++) {
        const struct simulation_block *block = &site->blocks[i];

        point->live_bytes += block->weight;
        point->live_count += block->weight / block->size;
        variance += block->weight * (block->weight - block->size);
    }
    point->error_bytes = sqrt(variance);
}

void simulation_site_step(struct simulation_site *site, struct ls_trend_point *point)
{
    double level;

    site->now += 1.0;
    expire(site);
    level = level_of(site);
    if (site->kind == SIMULATION_CHURN || site->kind == SIMULATION_LRU ||
        site->kind == SIMULATION_BATCHES)
        arrive(site, site->live_bytes / site->block_bytes / site->life);
    if (site->kind == SIMULATION_BURSTS && simulation_uniform(site->random) < 0.02)
        arrive(site, site->live_bytes / site->block_bytes);
    if (site->now >= site->leak_from) {
        double blocks = site->leak_bytes / site->block_bytes;

        for (unsigned left = simulation_poisson(site->random, seen(site, blocks)); left > 0; left--)
            add_block(site, INFINITY);
    }
    /* What came may already be gone when the interval ends. */
    expire(site);
    read_blocks(site, point);
    if (level > 0.0 && site->sampled) {
        double weight = weight_of(site);
        double samples = simulation_poisson(site->random, level / weight);

        point->live_bytes += samples * weight;
        point->live_count += samples * weight / site->block_bytes;
        point->error_bytes = sqrt(point->error_bytes * point->error_bytes +
                                  samples * weight * (weight - site->block_bytes));
    } else {
        point->live_bytes += level;
        point->live_count += level / site->block_bytes;
    }
    point->time_s = site->now * SIMULATION_INTERVAL_S;
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
