/* The isolates of the snapshots in report_fixture.c, its only includer. */
#ifndef LS_TESTS_REPORT_FIXTURE_ISOLATES_H
#define LS_TESTS_REPORT_FIXTURE_ISOLATES_H

#include "report/snapshot.h"

#define FIXTURE_MIB 1048576.0

static const struct ls_snapshot_isolate leaking_isolates[] = {
    {.number = 1,
     .thread = "main",
     .thread_id = 4242,
     .used_heap_bytes = 57.3 * FIXTURE_MIB,
     .used_heap_after_gc_bytes = 49.9 * FIXTURE_MIB,
     .total_heap_bytes = 61 * FIXTURE_MIB,
     .heap_limit_bytes = 400 * FIXTURE_MIB,
     .external_bytes = 7.25 * FIXTURE_MIB,
     .array_buffer_bytes = 6.5 * FIXTURE_MIB,
     .major_gcs = 12,
     .since_major_gc_s = 3.4,
     .js_sample_bytes = 524288},
    {.number = 7,
     .thread = "worker 1",
     .thread_id = 4251,
     .used_heap_bytes = 4.1 * FIXTURE_MIB,
     .used_heap_after_gc_bytes = -1,
     .total_heap_bytes = 5.1 * FIXTURE_MIB,
     .heap_limit_bytes = 2096 * FIXTURE_MIB,
     .external_bytes = 0,
     .since_major_gc_s = -1,
     .js_sample_bytes = 524288},
    {9, "worker 2", 4252, true, -1, -1, -1, -1, -1, -1, -1, -1, -1},
};

static const struct ls_snapshot_isolate hostile_isolates[] = {
    {.number = UINT64_MAX,
     .thread = "a\"b\\c\n\t\x1b[31m\xff\xe2\x80\xae",
     .thread_id = -1,
     .set_aside = true,
     .used_heap_bytes = __builtin_inf(),
     .used_heap_after_gc_bytes = -__builtin_inf(),
     .total_heap_bytes = 1e300,
     .heap_limit_bytes = __builtin_nan(""),
     .external_bytes = -1,
     .array_buffer_bytes = -1,
     .major_gcs = __builtin_inf(),
     .since_major_gc_s = __builtin_inf(),
     .js_sample_bytes = __builtin_nan("")},
};

#endif
