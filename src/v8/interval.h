/*
 * The mean number of bytes between V8's samples: how large it should be for what samples cost, and
 * which was in force when a sample was taken.
 *
 * A sample costs what V8 takes to walk the stack, so the cost grows with the allocation rate, which
 * nobody but the program chooses. When it passes 2 % of a core the interval is stretched by a power
 * of two, when it has been far below for some time the interval comes back by half. Samples are
 * numbered in order of time, so a sample's number tells at which interval it was taken, and what it
 * stands for stays unbiased however often the interval changes (docs/decisions/0009).
 *
 * Pure functions of their arguments; zero-filled is a valid start. No threads, nothing at fork.
 */
#ifndef LS_V8_INTERVAL_H
#define LS_V8_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LS_V8_INTERVALS_MAX 32
/* Stretched at most this much, and never beyond what V8 draws its steps from (INT_MAX). */
#define LS_V8_INTERVAL_STRETCH_MAX 256
#define LS_V8_INTERVAL_BYTES_MAX   (UINT64_C(1) << 30)

/* What V8 was seen to do for some time. */
struct ls_v8_load {
    uint64_t samples;
    uint64_t elapsed_ns;
    double frames; /* mean depth of the sampled stacks; 0: not known yet */
};

/* Share of a core that the samples take. */
double ls_v8_load_share(const struct ls_v8_load *load);
/* The interval from now on: the one in force, or a power of two times it. Never below `configured`.
 */
uint64_t ls_v8_interval_choose(const struct ls_v8_load *load, uint64_t in_force,
                               uint64_t configured);

struct ls_v8_interval_epoch {
    uint64_t first_id; /* samples from this number on, to the next epoch's */
    uint64_t bytes;
    bool live; /* had a live sample at the last ls_v8_intervals_forget */
};

struct ls_v8_intervals {
    size_t count;
    struct ls_v8_interval_epoch epochs[LS_V8_INTERVALS_MAX];
};

/* Sampling starts at `bytes`. */
void ls_v8_intervals_start(struct ls_v8_intervals *intervals, uint64_t bytes);
/* False when there is no room: the interval is to stay. */
bool ls_v8_intervals_change(struct ls_v8_intervals *intervals, uint64_t first_id, uint64_t bytes);
/* Room for raising is kept free: lowering is given up before it is. */
bool ls_v8_intervals_may_lower(const struct ls_v8_intervals *intervals);
/* True when all samples that may be live were taken at `bytes`. */
bool ls_v8_intervals_only(const struct ls_v8_intervals *intervals, uint64_t bytes);
/* The epoch of a sample. */
size_t ls_v8_intervals_find(const struct ls_v8_intervals *intervals, uint64_t id);
uint64_t ls_v8_intervals_in_force(const struct ls_v8_intervals *intervals);
/* Drops epochs, other than the last, that are not marked live, and unmarks the rest. */
void ls_v8_intervals_forget(struct ls_v8_intervals *intervals);

/* The chance that an object of `size` bytes is sampled when the mean is `bytes`. */
double ls_v8_interval_chance(size_t size, uint64_t bytes);

#endif
