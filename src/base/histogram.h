/*
 * A log-linear histogram of durations: each doubling from 1,024 ns on is cut into 32 buckets, so a
 * bucket is at most 1/32 (3.1 %) of what falls into it wide, and its middle is at most 1.6 % off.
 * Below 1,024 ns buckets are 32 ns wide; the first one stands for 0. The last one also takes what
 * is longer than 137 s.
 *
 * The counts are the caller's; all of it is pure.
 */
#ifndef LS_BASE_HISTOGRAM_H
#define LS_BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define LS_HISTOGRAM_BUCKETS 896

/* The bucket of a duration. */
static inline size_t ls_histogram_bucket(uint64_t ns)
{
    const unsigned linear_bits = 10; /* below 2^10 ns */
    const unsigned part_bits = 5;    /* 2^5 buckets a doubling */
    const unsigned top_bits = 37;    /* 2^37 ns are 137 s */
    unsigned bits;

    if (ns >> linear_bits == 0)
        return ns >> (linear_bits - part_bits);
    if (ns >> top_bits != 0)
        return LS_HISTOGRAM_BUCKETS - 1;
    bits = 63 - (unsigned)__builtin_clzll(ns);
    return ((size_t)(bits - linear_bits + 1) << part_bits) +
           (ns >> (bits - part_bits) & ((1u << part_bits) - 1));
}

/* What a bucket stands for: its middle; 0 for the first. */
uint64_t ls_histogram_value(size_t bucket);

/* Where the durations are in order, the one of rank `share` times their number, rounded up and at
 * least 1; as ls_histogram_value tells it. 0 when there are none. */
uint64_t ls_histogram_percentile(const uint64_t counts[LS_HISTOGRAM_BUCKETS], double share);

#endif
