/*
 * One reading of one isolate: V8's live allocation profile and heap statistics, made into a
 * struct ls_js_reading.
 *
 * Only on the isolate's own thread, at a safe point, with no lock held. V8 may collect garbage
 * inside (line tables of scripts are allocated on its heap), but runs no JavaScript. Own memory
 * only.
 */
#ifndef LS_V8_READER_H
#define LS_V8_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "v8/isolates.h"
#include "v8/reading.h"
#include "v8/symbols.h"

struct ls_v8_reading_order {
    double sample_bytes; /* the mean V8 was started with */
    /* Every interval there was since; with that one only, V8's counts are right. */
    struct ls_v8_intervals *intervals;
    uint64_t now_ns;
    bool after_major_gc;
};

/*
 * 0, *reading and the mean depth of its stacks in *frames; complete but for what only the tracker
 * knows (isolate, thread, collections, times); or -ENODATA  V8 has no sampler running here: another
 * stopped ours -EFAULT   the profile does not look as it should: this V8 is to be left alone
 *   -ENOMEM   own memory has run out: try again later
 */
int ls_v8_reader_read(const struct ls_v8_symbols *symbols, struct ls_v8_isolate *record,
                      void *isolate, const struct ls_v8_reading_order *order,
                      struct ls_js_reading **reading, double *frames);

#endif
