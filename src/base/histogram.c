#include "base/histogram.h"

#define PARTS 32

/* The least duration of a bucket. */
static uint64_t low_end(size_t bucket)
{
    size_t doubling = bucket / PARTS;

    if (doubling <= 1)
        return bucket * PARTS;
    return (uint64_t)(PARTS + bucket % PARTS) << (doubling + 4);
}

uint64_t ls_histogram_value(size_t bucket)
{
    return bucket == 0 ? 0 : (low_end(bucket) + low_end(bucket + 1)) / 2;
}

uint64_t ls_histogram_percentile(const uint64_t counts[LS_HISTOGRAM_BUCKETS], double share)
{
    uint64_t total = 0;
    uint64_t passed = 0;
    double rank;
    size_t bucket = 0;

    for (size_t i = 0; i < LS_HISTOGRAM_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return 0;
    rank = share * (double)total;
    while (bucket < LS_HISTOGRAM_BUCKETS - 1) {
        passed += counts[bucket];
        if (passed > 0 && (double)passed >= rank)
            break;
        bucket++;
    }
    return ls_histogram_value(bucket);
}
