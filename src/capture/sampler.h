/*
 * Which blocks are seen: heap bytes are sampled as a Poisson process of one mean for all threads.
 *
 * Each thread counts down the bytes to its next sample point, drawn from the exponential
 * distribution; the block in which it falls is seen, once, and a new distance is drawn, which the
 * process, having no memory, allows. A block of n bytes is therefore seen with the chance
 * 1 - exp(-n / mean) and stands for 1 / that chance blocks like it, so every block's contribution
 * to a sum is unbiased by itself (docs/statistics.md).
 *
 * Pure functions; the state is the caller's.
 */
#ifndef LS_CAPTURE_SAMPLER_H
#define LS_CAPTURE_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

/* SplitMix64 (https://prng.di.unimi.it/splitmix64.c): `state` may be any number. */
uint64_t ls_sampler_random(uint64_t *state);
/* Number of the byte in which the next sample point falls, from 1 on: exponential with this mean,
 * rounded up, so that P(distance <= n) is exactly the chance with which n bytes are seen. */
uint64_t ls_sampler_distance(uint64_t *state, size_t mean);
/* Blocks of this size that one seen stands for; 1 when mean is 0 (every block is seen). */
double ls_sampler_weight(size_t size, size_t mean);

#endif
