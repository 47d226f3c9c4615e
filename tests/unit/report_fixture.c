#include "report_fixture.h"
#include "report_fixture_hostile.h"
#include "report_fixture_isolates.h"

#include <string.h>

#include "base/compiler.h"
#include "base/text.h"
#include "report/writers.h"
#include "report_fixture_peers.h"

#define MIB 1048576.0

#define NODE_BUILD_ID "5d1a9c3b7f0e44d2a9b1c8e7f6a5b4c3d2e1f009"
#define SQLITE        "/srv/users/node_modules/better-sqlite3/build/better_sqlite3.node"

#define JS_FRAME(address, name, path, at)                                                          \
    {                                                                                              \
        .pc = (address), .module = "", .build_id = "", .function = (name), .file = (path),         \
        .line = (at), .language = "js"                                                             \
    }
#define C_FRAME(address, path, id, at, name)                                                       \
    {                                                                                              \
        .pc = (address), .module = (path), .build_id = (id), .offset = (at), .function = (name),   \
        .file = "", .language = "c"                                                                \
    }
#define NODE_FRAME(address, name)                                                                  \
    C_FRAME(address, "/usr/local/bin/node", NODE_BUILD_ID, address, name)

static const struct ls_snapshot_frame get_data_frames[] = {
    JS_FRAME(0, "getData", "/srv/users/src/cache.js", 12),
    JS_FRAME(0, "handler", "/srv/users/src/server.js", 40),
    JS_FRAME(0, "emit", "node:events", 457),
    JS_FRAME(0, "parserOnIncoming", "node:_http_server", 1076),
    JS_FRAME(0, "parserOnHeadersComplete", "node:_http_common", 75),
};

static const struct ls_snapshot_frame read_body_frames[] = {
    NODE_FRAME(0xc4f1a0, "node::Buffer::New"),
    JS_FRAME(0x7f3a10c41b80, "Buffer.alloc", "node:buffer", 369),
    JS_FRAME(0x7f3a10c42c11, "readBody", "/srv/users/src/body.js", 9),
    JS_FRAME(0x7f3a10c43d00, "handler", "/srv/users/src/server.js", 40),
    NODE_FRAME(0x1f2a3b0, "Builtins_JSEntryTrampoline"),
    NODE_FRAME(0xf00f00, ""),
};

static const struct ls_snapshot_frame accept_frames[] = {
    NODE_FRAME(0x19f3a20, "uv__server_io"),
    NODE_FRAME(0x19fa010, "uv__io_poll"),
    NODE_FRAME(0x19e8c30, "uv_run"),
};

static const struct ls_snapshot_frame module_load_frames[] = {
    JS_FRAME(0, "compileForInternalLoader", "node:internal/bootstrap/realm", 384),
};

static const struct ls_snapshot_frame pool_frames[] = {
    C_FRAME(0x7f3a0c001230, SQLITE, "0b5c", 0x41230, "pcache1AllocPage"),
    C_FRAME(0x7f3a0c001999, SQLITE, "0b5c", 0x41999, "sqlite3PcacheFetch"),
};

static const struct ls_snapshot_point get_data_points[] = {
    {20, 24.1 * MIB, 1205}, {30, 27.9 * MIB, 1395}, {40, 31.2 * MIB, 1560}, {50, 34.9 * MIB, 1745},
    {60, 38.4 * MIB, 1920}, {70, 42.1 * MIB, 2105}, {80, 45.6 * MIB, 2280},
};

static const struct ls_snapshot_point read_body_points[] = {
    {20, 2.0 * MIB, 31}, {60, 4.5 * MIB, 71}, {80, 5.5 * MIB, 88}};

static const struct ls_snapshot_site leaking_sites[] = {
    {.id = UINT64_C(0x8f1c0de5a77e0001),
     .resource = LS_RESOURCE_JS,
     .verdict = LS_VERDICT_RISING,
     .estimated = true,
     .confidence = 0.9931,
     .live_bytes = 45.6 * MIB,
     .live_count = 2280,
     .error_bytes = 1.1 * MIB,
     .peak_live_bytes = 45.6 * MIB,
     .acquired_count = 2312,
     .acquired_bytes = 46.3 * MIB,
     .released_count = 32,
     .growth_bytes_per_s = 356666.7,
     .growth_count_per_s = 17.9,
     .median_age_s = 38.2,
     .function = "getData",
     .location = "/srv/users/src/cache.js:12",
     .module = "",
     .frames = get_data_frames,
     .frame_count = LS_ARRAY_LENGTH(get_data_frames),
     .points = get_data_points,
     .point_count = LS_ARRAY_LENGTH(get_data_points)},
    {.id = UINT64_C(0x00c4d0de5a77e0a2),
     .resource = LS_RESOURCE_HEAP,
     .verdict = LS_VERDICT_RISING,
     .estimated = true,
     .confidence = 0.962,
     .live_bytes = 5.5 * MIB,
     .live_count = 88,
     .error_bytes = 1.7 * MIB,
     .peak_live_bytes = 6.0 * MIB,
     .acquired_count = 160,
     .acquired_bytes = 10.0 * MIB,
     .released_count = 72,
     .growth_bytes_per_s = 60000,
     .growth_count_per_s = 0.95,
     .median_age_s = 31,
     .function = "readBody",
     .location = "/srv/users/src/body.js:9",
     .module = "",
     .frames = read_body_frames,
     .frame_count = LS_ARRAY_LENGTH(read_body_frames),
     .named_frame = 2,
     .points = read_body_points,
     .point_count = LS_ARRAY_LENGTH(read_body_points)},
    {.id = UINT64_C(0x51c0de5a77e000a3),
     .resource = LS_RESOURCE_SOCKET,
     .verdict = LS_VERDICT_RISING,
     .confidence = 0.83,
     .live_count = 214,
     .acquired_count = 1019,
     .released_count = 805,
     .growth_count_per_s = 2.1,
     .median_age_s = 44,
     .function = "uv__server_io",
     .location = "node+0x19f3a20",
     .module = "/usr/local/bin/node",
     .frames = accept_frames,
     .frame_count = LS_ARRAY_LENGTH(accept_frames),
     .peers = accept_peers,
     .peer_count = LS_ARRAY_LENGTH(accept_peers)},
    {.id = UINT64_C(0xa1),
     .resource = LS_RESOURCE_MAP,
     .verdict = LS_VERDICT_STEADY,
     .confidence = 0.9,
     .live_bytes = 38.0 * MIB,
     .live_count = 152,
     .peak_live_bytes = 41.0 * MIB,
     .acquired_count = 410,
     .growth_bytes_per_s = 900,
     .median_age_s = 71,
     .function = "v8::base::OS::Allocate",
     .location = "node+0x1b0c2f0",
     .module = "/usr/local/bin/node"},
    {.id = UINT64_C(0xa2),
     .resource = LS_RESOURCE_HEAP,
     .verdict = LS_VERDICT_SETTLING,
     .estimated = true,
     .confidence = 0.7,
     .live_bytes = 7.9 * MIB,
     .live_count = 2021,
     .error_bytes = 2.0 * MIB,
     .peak_live_bytes = 7.9 * MIB,
     .acquired_count = 2021,
     .growth_bytes_per_s = 3100,
     .growth_count_per_s = 1.5,
     .median_age_s = 66,
     .function = "sqlite3PcacheFetch",
     .location = "/srv/users/node_modules/better-sqlite3/build/better_sqlite3.node+0x41999",
     .module = SQLITE,
     .frames = pool_frames,
     .frame_count = LS_ARRAY_LENGTH(pool_frames),
     .named_frame = 1},
    {.id = UINT64_C(0xa3),
     .resource = LS_RESOURCE_JS,
     .verdict = LS_VERDICT_STEADY,
     .estimated = true,
     .confidence = 0.95,
     .live_bytes = 3.5 * MIB,
     .live_count = 41000,
     .error_bytes = 0.9 * MIB,
     .median_age_s = 79,
     .function = "compileForInternalLoader",
     .location = "node:internal/bootstrap/realm:384",
     .module = "",
     .frames = module_load_frames,
     .frame_count = 1},
    {.id = UINT64_C(0xa4),
     .resource = LS_RESOURCE_HEAP,
     .verdict = LS_VERDICT_SAWTOOTH,
     .estimated = true,
     .confidence = 0.8,
     .live_bytes = 512.0 * 1024,
     .live_count = 1,
     .error_bytes = 512.0 * 1024,
     .growth_bytes_per_s = -2000,
     .growth_count_per_s = -0.01,
     .median_age_s = 0.4,
     .function =
         "v8::internal::(anonymous namespace)::ArrayBufferSweeper::SweepingJob::SweepListFull",
     .location = "node+0x11aa0f0",
     .module = "/usr/local/bin/node"},
    {.id = UINT64_C(0xa5),
     .resource = LS_RESOURCE_FILE,
     .verdict = LS_VERDICT_FALLING,
     .confidence = 0.9,
     .live_count = 17,
     .acquired_count = 900,
     .released_count = 883,
     .growth_count_per_s = -0.2,
     .median_age_s = -1,
     .function = "uv_fs_open",
     .location = "node+0x19e0000",
     .module = "/usr/local/bin/node"},
    {.id = UINT64_C(0xa6),
     .resource = LS_RESOURCE_THREAD,
     .verdict = LS_VERDICT_LEARNING,
     .live_bytes = 8.0 * MIB,
     .live_count = 4,
     .median_age_s = 79,
     .function = "",
     .location = "libnode.so+0x1234",
     .module = "/usr/lib/libnode.so"},
};

static const struct ls_snapshot_module leaking_modules[] = {
    {.path = "",
     .build_id = "",
     .live_bytes = 49.1 * MIB,
     .growth_bytes_per_s = 356666.7,
     .rising_sites = 1},
    {.path = "/usr/local/bin/node",
     .build_id = NODE_BUILD_ID,
     .live_bytes = 44.0 * MIB,
     .growth_bytes_per_s = 60900,
     .rising_sites = 2},
    {.path = SQLITE, .build_id = "0b5c", .live_bytes = 7.9 * MIB, .growth_bytes_per_s = 3100},
};

/* number, thread, id, delay p50, p95, p99, max, utilization */
static const struct ls_snapshot_event_loop leaking_loops[] = {
    {1, "main", 4242, 0.00012, 0.0067, 0.0182, 0.2413, 0.412},
    {0, "worker 1", 4251, 0.00004, 0.0003, 0.0011, 1.31, 0.031},
};

static void store_message(struct ls_snapshot *snapshot)
{
    static char message[512];
    struct ls_text text;

    ls_text_init(&text, message, sizeof(message));
    ls_report_message(snapshot, &text);
    snapshot->verdict.message = message;
}

void fixture_leaking_node(struct ls_snapshot *snapshot)
{
    *snapshot = (struct ls_snapshot){
        .written_at = 1795249886.512,
        .sequence = 8,
        .process = {.pid = 4242,
                    .command = "node --max-old-space-size=400 /srv/users/src/server.js",
                    .program = "node",
                    .run = "node.4242.20261121T083006Z",
                    .started_at = 1795249806.25,
                    .uptime_s = 80.26,
                    .limit_bytes = 512 * MIB,
                    .limit_source = "cgroup"},
        .settings = {.mode = "sampled",
                     .sample_bytes = 524288,
                     .js_sample_bytes = 524288,
                     .interval_s = 10,
                     .track = "all",
                     .depth = 64,
                     .top = 50,
                     .allocator = "host"},
        .health = {.state = LS_HEALTH_ACTIVE,
                   .ring_high_water = 37,
                   .sites = 412,
                   .own_bytes = 3.1 * MIB,
                   .own_cpu_s = 0.0713},
        .memory = {.rss_bytes = 148.0 * MIB,
                   .rss_growth_bytes_per_s = 433333.3,
                   .seconds_to_limit = 856,
                   .seconds_to_limit_low = 741,
                   .seconds_to_limit_high = 1013,
                   .v8_heap_bytes = 66.1 * MIB,
                   .live_heap_bytes = 15.9 * MIB,
                   .allocator_slack_bytes = 6.0 * MIB,
                   .mapping_bytes = 9.2 * MIB,
                   .stack_bytes = 0.6 * MIB,
                   .file_bytes = 41.5 * MIB,
                   .own_bytes = 4.5 * MIB,
                   .unexplained_bytes = 8.7 * MIB},
        .event_loops = leaking_loops,
        .event_loop_count = LS_ARRAY_LENGTH(leaking_loops),
        .isolates = leaking_isolates,
        .isolate_count = LS_ARRAY_LENGTH(leaking_isolates),
        .verdict = {.state = LS_PROCESS_LEAKING,
                    .rising_sites = 3,
                    .rising_growth_bytes_per_s = 416666.7,
                    .explained_growth_share = 0.9615},
        .sites = leaking_sites,
        .site_count = LS_ARRAY_LENGTH(leaking_sites),
        .modules = leaking_modules,
        .module_count = LS_ARRAY_LENGTH(leaking_modules),
    };
    store_message(snapshot);
}

static const struct ls_snapshot_frame parse_frames[] = {
    C_FRAME(0x5581aa001149, "/usr/sbin/relayd", "9f3c1d", 0x1149, "config_parse"),
    C_FRAME(0x5581aa0012a0, "/usr/sbin/relayd", "9f3c1d", 0x12a0, "main"),
    C_FRAME(0x7f00aa027249, "/usr/lib/x86_64-linux-gnu/libc.so.6", "82ce", 0x27249,
            "__libc_start_call_main"),
};

static const struct ls_snapshot_point parse_points[] = {{10, 18432, 96}, {7200, 18432, 96}};

static const struct ls_snapshot_site clean_sites[] = {
    {.id = UINT64_C(0xffffffffffffffff),
     .resource = LS_RESOURCE_HEAP,
     .verdict = LS_VERDICT_STEADY,
     .confidence = 1,
     .live_bytes = 18432,
     .live_count = 96,
     .peak_live_bytes = 20480,
     .acquired_count = 120,
     .acquired_bytes = 23040,
     .released_count = 24,
     .median_age_s = 7198,
     .function = "config_parse",
     .location = "relayd+0x1149",
     .module = "/usr/sbin/relayd",
     .frames = parse_frames,
     .frame_count = LS_ARRAY_LENGTH(parse_frames),
     .points = parse_points,
     .point_count = LS_ARRAY_LENGTH(parse_points)},
    {.id = 1,
     .resource = LS_RESOURCE_CUSTOM,
     .kind = "queue items",
     .verdict = LS_VERDICT_FALLING,
     .confidence = 0.97,
     .live_count = 3,
     .peak_live_count = 12000,
     .acquired_count = 1000000,
     .released_count = 999997,
     .growth_count_per_s = -0.002,
     .median_age_s = 12,
     .function = "queue_push",
     .location = "relayd+0x2201",
     .module = "/usr/sbin/relayd"},
};

void fixture_clean_service(struct ls_snapshot *snapshot)
{
    *snapshot = (struct ls_snapshot){
        .written_at = 1795257000,
        .sequence = 721,
        .final = true,
        .process = {.pid = 77,
                    .command = "/usr/sbin/relayd --foreground",
                    .program = "relayd",
                    .run = "relayd.77.20261121T082957Z",
                    .started_at = 1795249797.9,
                    .uptime_s = 7202.1,
                    .limit_source = "none"},
        .settings = {.mode = "exact",
                     .sample_bytes = 524288,
                     .interval_s = 10,
                     .track = "heap+custom",
                     .depth = 32,
                     .top = 50,
                     .allocator = "host"},
        .health = {.state = LS_HEALTH_ACTIVE,
                   .ring_high_water = 2048,
                   .sites = 2,
                   .own_bytes = 700000,
                   .own_cpu_s = 1.25},
        .memory = {.rss_bytes = 3.5 * MIB,
                   .seconds_to_limit = -1,
                   .seconds_to_limit_low = -1,
                   .seconds_to_limit_high = -1,
                   .v8_heap_bytes = -1,
                   .live_heap_bytes = 18432,
                   .allocator_slack_bytes = 117000,
                   .stack_bytes = 139264,
                   .file_bytes = 2.1 * MIB,
                   .own_bytes = -1,
                   .unexplained_bytes = 1.2 * MIB,
                   .parts_age_s = 12},
        .verdict = {.state = LS_PROCESS_CLEAN},
        .sites = clean_sites,
        .site_count = LS_ARRAY_LENGTH(clean_sites),
    };
    store_message(snapshot);
}

void fixture_hostile_degraded(struct ls_snapshot *snapshot)
{
    static char long_name[4097];
    static struct ls_snapshot_point points[2];
    static struct ls_snapshot_site sites[3];
    static struct ls_snapshot_event_loop loops[2];
    static struct ls_snapshot_module modules[1];
    const double not_a_number = __builtin_nan(""), infinite = __builtin_inf();

    memset(long_name, 'n', sizeof(long_name) - 1);
    points[0] = (struct ls_snapshot_point){not_a_number, infinite, -infinite};
    points[1] = (struct ls_snapshot_point){1.5, 1e300, -1e300};
    sites[0] = (struct ls_snapshot_site){.id = 0,
                                         .resource = LS_RESOURCE_HEAP,
                                         .verdict = LS_VERDICT_RISING,
                                         .estimated = true,
                                         .confidence = not_a_number,
                                         .live_bytes = not_a_number,
                                         .live_count = infinite,
                                         .error_bytes = infinite,
                                         .growth_bytes_per_s = not_a_number,
                                         .median_age_s = not_a_number,
                                         .function = HOSTILE,
                                         .location = HOSTILE,
                                         .module = HOSTILE,
                                         .frames = hostile_frames,
                                         .frame_count = LS_ARRAY_LENGTH(hostile_frames),
                                         .points = points,
                                         .point_count = 2};
    sites[1] = (struct ls_snapshot_site){.id = 2,
                                         .resource = LS_RESOURCE_HEAP,
                                         .verdict = LS_VERDICT_LEARNING,
                                         .estimated = true,
                                         .live_bytes = 1e300,
                                         .live_count = -5,
                                         .median_age_s = -1,
                                         .function = long_name,
                                         .location = long_name,
                                         .module = long_name,
                                         .named_frame = 9};
    sites[2] = (struct ls_snapshot_site){.id = 3,
                                         .resource = LS_RESOURCE_FILE,
                                         .verdict = LS_VERDICT_LEARNING,
                                         .median_age_s = -1,
                                         .live_count = 1,
                                         .function = "",
                                         .location = "",
                                         .module = ""};
    loops[0] = (struct ls_snapshot_event_loop){0, HOSTILE, 1, not_a_number, -1, infinite, -1, 2};
    loops[1] = (struct ls_snapshot_event_loop){1, HOSTILE, 2, 0, 0, 0, 0, 0};
    modules[0] = (struct ls_snapshot_module){HOSTILE, "", not_a_number, infinite, 1};
    *snapshot = (struct ls_snapshot){
        .written_at = not_a_number,
        .sequence = 1,
        .process = {.pid = 1,
                    .command = HOSTILE,
                    .program = HOSTILE,
                    .run = "a_b_c.1.19700101T000000Z",
                    .started_at = -5,
                    .uptime_s = not_a_number,
                    .limit_bytes = infinite,
                    .limit_source = "rlimit"},
        .settings = {.mode = "sampled",
                     .sample_bytes = 4096,
                     .interval_s = 0.1,
                     .track = "heap",
                     .depth = 1,
                     .top = 3,
                     .allocator = "jemalloc"},
        .health = {.state = LS_HEALTH_DEGRADED,
                   .lost_acquires = 12345678,
                   .lost_releases = 1,
                   .ring_high_water = UINT64_MAX,
                   .sites = 65536,
                   .sites_overflowed = 9,
                   .own_bytes = not_a_number,
                   .own_cpu_s = -1,
                   .notes = {"libunwind.so.8 was not found: stacks come from frame pointers only",
                             HOSTILE, long_name},
                   .note_count = 3},
        .memory = {.rss_bytes = 1e300,
                   .rss_growth_bytes_per_s = not_a_number,
                   .seconds_to_limit = -1,
                   .seconds_to_limit_low = -1,
                   .seconds_to_limit_high = -1,
                   .v8_heap_bytes = -1,
                   .live_heap_bytes = -1,
                   .allocator_slack_bytes = -1,
                   .mapping_bytes = -1,
                   .stack_bytes = -1,
                   .file_bytes = -1,
                   .own_bytes = -1,
                   .unexplained_bytes = infinite},
        .event_loops = loops,
        .event_loop_count = 2,
        .isolates = hostile_isolates,
        .isolate_count = 1,
        .verdict = {.state = LS_PROCESS_LEARNING,
                    .rising_sites = 1,
                    .explained_growth_share = not_a_number},
        .sites = sites,
        .site_count = 3,
        .modules = modules,
        .module_count = 1,
    };
    store_message(snapshot);
}
