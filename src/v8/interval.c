#include "v8/interval.h"

#include <string.h>

#include "base/math.h"

/* Measured from 1 to 60 frames on Node 22 and 24 (docs/decisions/0009): 2.2 us for a shallow stack,
 * 10.5 us for 60 frames. */
#define SAMPLE_NS 2200.0
#define FRAME_NS  140.0
/* Before a reading has shown how deep stacks are: 4.7 us, what an HTTP server was measured at. */
#define FRAMES_UNKNOWN 18.0

#define SHARE_MOST   0.02
#define SHARE_AIM    0.01
#define SHARE_LITTLE 0.0025
/* Fewer samples tell no rate, and no shorter time: a burst at start-up is not a load. */
#define RAISE_SAMPLES 50
#define RAISE_NS      UINT64_C(100000000)
#define LOWER_NS      UINT64_C(10000000000)
/* Doubling from any interval to the most takes as many epochs as this. */
#define RAISES_MOST 8

double ls_v8_load_share(const struct ls_v8_load *load)
{
    double frames = load->frames > 0 ? load->frames : FRAMES_UNKNOWN;

    if (load->elapsed_ns == 0)
        return 0;
    return (double)load->samples * (SAMPLE_NS + FRAME_NS * frames) / (double)load->elapsed_ns;
}

uint64_t ls_v8_interval_choose(const struct ls_v8_load *load, uint64_t in_force,
                               uint64_t configured)
{
    double share = ls_v8_load_share(load);
    uint64_t most = configured * LS_V8_INTERVAL_STRETCH_MAX;
    uint64_t bytes = in_force;

    if (most > LS_V8_INTERVAL_BYTES_MAX)
        most = LS_V8_INTERVAL_BYTES_MAX;
    if (share > SHARE_MOST && load->samples >= RAISE_SAMPLES && load->elapsed_ns >= RAISE_NS) {
        while (share > SHARE_AIM && bytes * 2 <= most) {
            share /= 2;
            bytes *= 2;
        }
    } else if (share < SHARE_LITTLE && load->elapsed_ns >= LOWER_NS && bytes / 2 >= configured) {
        bytes /= 2;
    }
    return bytes;
}

void ls_v8_intervals_start(struct ls_v8_intervals *intervals, uint64_t bytes)
{
    memset(intervals, 0, sizeof(*intervals));
    intervals->count = 1;
    intervals->epochs[0].bytes = bytes;
}

bool ls_v8_intervals_change(struct ls_v8_intervals *intervals, uint64_t first_id, uint64_t bytes)
{
    if (intervals->count == 0 || intervals->count == LS_V8_INTERVALS_MAX)
        return false;
    intervals->epochs[intervals->count++] =
        (struct ls_v8_interval_epoch){.first_id = first_id, .bytes = bytes};
    return true;
}

bool ls_v8_intervals_may_lower(const struct ls_v8_intervals *intervals)
{
    return intervals->count + RAISES_MOST < LS_V8_INTERVALS_MAX;
}

bool ls_v8_intervals_only(const struct ls_v8_intervals *intervals, uint64_t bytes)
{
    return intervals->count == 1 && intervals->epochs[0].bytes == bytes;
}

size_t ls_v8_intervals_find(const struct ls_v8_intervals *intervals, uint64_t id)
{
    size_t epoch = intervals->count - 1;

    while (epoch > 0 && id < intervals->epochs[epoch].first_id)
        epoch--;
    return epoch;
}

uint64_t ls_v8_intervals_in_force(const struct ls_v8_intervals *intervals)
{
    return intervals->count ? intervals->epochs[intervals->count - 1].bytes : 0;
}

void ls_v8_intervals_forget(struct ls_v8_intervals *intervals)
{
    size_t kept = 0;

    for (size_t i = 0; i < intervals->count; i++) {
        bool last = i + 1 == intervals->count;

        if (!intervals->epochs[i].live && !last)
            continue;
        intervals->epochs[kept] = intervals->epochs[i];
        intervals->epochs[kept++].live = false;
    }
    intervals->count = kept;
}

double ls_v8_interval_chance(size_t size, uint64_t bytes)
{
    return bytes ? -ls_math_expm1(-(double)size / (double)bytes) : 1;
}
