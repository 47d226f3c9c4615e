/*
 * One summary's worth of facts, complete and consistent, between the collector that gathers them
 * and the writers that print them. The writers read nothing else: a snapshot made by hand in a
 * test prints exactly like a live one.
 *
 * Strings are UTF-8 (not trusted to be: writers escape), never NULL unless said, owned by whoever
 * filled the snapshot and valid until it is reused. Times in seconds, sizes in bytes.
 */
#ifndef LS_REPORT_SNAPSHOT_H
#define LS_REPORT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/resource.h"

#define LS_SNAPSHOT_NOTES_MAX 16

enum ls_health_state {
    LS_HEALTH_ACTIVE,
    LS_HEALTH_DEGRADED,
    LS_HEALTH_OFF,
};

extern const char *const ls_health_state_names[3];

/* One frame, innermost first. */
struct ls_snapshot_frame {
    uint64_t pc;          /* 0 for a JavaScript frame read from V8's profile */
    const char *module;   /* path; "" when unknown (JIT code, JavaScript) */
    const char *build_id; /* lower-case hex; "" when unknown */
    uint64_t offset;      /* pc minus the module's load address */
    const char *function; /* "" when unknown */
    const char *file;     /* "" when unknown */
    uint32_t line;        /* 0 when unknown */
    const char *language; /* "c" (any native code), "js", or "jit" (machine code no module owns) */
    bool inlined;         /* into the next frame, which has the same pc; out of process only */
};

struct ls_snapshot_point {
    double time_s;
    double live_bytes;
    double live_count;
};

#define LS_SNAPSHOT_PEERS_MAX       8
#define LS_SNAPSHOT_PEER_ERRORS_MAX 6

/* One address the sockets of a site are connected to, or were accepted at. */
struct ls_snapshot_peer {
    const char *address;  /* "" for all others together */
    double opened;        /* attempts to connect, or sockets accepted */
    double opened_per_s;  /* since the summary before */
    double live;          /* sockets open */
    double unused;        /* of live, those that never sent or received and are an interval old */
    double failed;        /* attempts */
    double connect_p50_s; /* median of those that succeeded; -1 when there is none */
    double life_p50_s;    /* median time from connected to closed; -1 when there is none */
    size_t error_count;
    struct {
        const char *name;
        uint64_t count;
    } errors[LS_SNAPSHOT_PEER_ERRORS_MAX];
};

#define LS_SNAPSHOT_THREAD_NAMES 3

struct ls_snapshot_thread_name {
    char name[17];
    unsigned count;
};

/* Of the live threads of a site. */
struct ls_snapshot_threads {
    unsigned running;
    unsigned finished; /* and not joined: the stack is kept */
    unsigned detached;
    unsigned cancelled;
    double stack_bytes; /* of addresses; what is touched of them is resident */
    struct ls_snapshot_thread_name names[LS_SNAPSHOT_THREAD_NAMES]; /* the most frequent */
    size_t name_count;
};

struct ls_snapshot_site {
    uint64_t id;
    enum ls_resource resource;
    const char *kind; /* of custom: the program's name for it; NULL without one */
    enum ls_verdict verdict;
    bool estimated; /* live figures come from sampling */
    double confidence;
    double live_bytes;
    double live_count;
    double error_bytes; /* standard error of live_bytes */
    double peak_live_bytes;
    double peak_live_count;
    double reserved_bytes; /* mappings: PROT_NONE, not in live_bytes */
    double acquired_count;
    double acquired_bytes;
    double released_count;
    double growth_bytes_per_s;
    double growth_count_per_s;
    double median_age_s;  /* -1 when unknown */
    const char *function; /* the function a person would name; "" when unknown */
    const char *location; /* "file:line" where known, else "module+0xoffset", else "" */
    const char *module;   /* of that function; "" when unknown */
    const struct ls_snapshot_frame *frames;
    size_t frame_count;
    size_t named_frame; /* index in frames of the frame `function` names */
    const struct ls_snapshot_point *points;
    size_t point_count;
    const struct ls_snapshot_peer *peers; /* of sockets */
    size_t peer_count;
    const struct ls_snapshot_threads *threads; /* NULL but for thread */
};

/* Judged, compared and told by number and not by bytes. */
static inline bool ls_snapshot_site_is_counted(const struct ls_snapshot_site *site)
{
    return ls_resource_is_counted_at(site->resource, site->acquired_bytes);
}

struct ls_snapshot_module {
    const char *path;
    const char *build_id;
    double live_bytes;
    double growth_bytes_per_s;
    unsigned rising_sites;
};

/* Of one interval. */
struct ls_snapshot_event_loop {
    unsigned number;    /* the same for the same thread as long as that lives */
    const char *thread; /* its name */
    int thread_id;      /* the kernel's */
    double delay_p50_s;
    double delay_p95_s;
    double delay_p99_s;
    double delay_max_s;
    double utilization;
};

/* A V8 heap. Figures that are not known are -1. */
struct ls_snapshot_isolate {
    uint64_t number;    /* never given twice in a process */
    const char *thread; /* name of the thread it runs on */
    int thread_id;      /* the kernel's */
    bool set_aside;     /* another profiler has it: its sites are not tracked */
    double used_heap_bytes;
    double used_heap_after_gc_bytes; /* at the first safe point after the last major collection */
    double total_heap_bytes;
    double heap_limit_bytes;
    double external_bytes;
    double array_buffer_bytes; /* of the external ones */
    double major_gcs;
    double since_major_gc_s;
    double js_sample_bytes;
};

/* Of addresses the hooks saw mapped: the program's, V8's and an allocator's together. */
struct ls_snapshot_mapped {
    double committed_bytes;
    double reserved_bytes;
    double differing_bytes; /* the kernel does not have them so; -1: not known */
};

/* RSS = the sum of the parts; a part that is not known is -1 and counts into unexplained. */
struct ls_snapshot_memory {
    double rss_bytes;
    double rss_growth_bytes_per_s;
    double seconds_to_limit; /* -1: not growing, or no limit */
    /* Nine times of ten between these; -1 as above, and `high` when it may never be reached. */
    double seconds_to_limit_low;
    double seconds_to_limit_high;
    double v8_heap_bytes;
    double live_heap_bytes;
    double allocator_slack_bytes;
    double mapping_bytes;
    double stack_bytes;
    double file_bytes;
    double own_bytes; /* the library's, resident */
    double unexplained_bytes;
    double parts_age_s; /* the parts are so much older than rss_bytes; -1: not known by mapping */
    const struct ls_snapshot_mapped *mapped; /* NULL when mappings are not tracked */
};

struct ls_snapshot {
    double written_at; /* seconds since 1970-01-01 UTC */
    uint64_t sequence; /* 1 for the first summary of a run */
    bool final;

    struct {
        pid_t pid;
        const char *command; /* the command line, arguments joined by spaces, at most 4 KiB */
        const char *program; /* base name of the executable */
        const char *run;     /* name of the run's directory; "" when read back from a summary */
        double started_at;   /* seconds since 1970 */
        double uptime_s;
        double limit_bytes;       /* 0: none */
        const char *limit_source; /* "cgroup", "rlimit", "v8", or "none" */
        const char *launch;       /* the mark of `leakshim run`; NULL or "" without */
    } process;

    struct {
        const char *mode; /* "sampled" or "exact" */
        double sample_bytes;
        double js_sample_bytes; /* 0 when js is not tracked */
        double interval_s;
        const char *track; /* "all" or "heap+js" as given */
        unsigned depth;
        unsigned top;
        const char *allocator; /* "host" or "jemalloc" */
    } settings;

    struct {
        enum ls_health_state state;
        uint64_t lost_acquires;
        uint64_t lost_releases;
        uint64_t ring_high_water; /* most events ever waiting */
        uint64_t sites;
        uint64_t sites_overflowed; /* stacks that found the table full */
        double own_bytes;
        double own_cpu_s;
        const char *notes[LS_SNAPSHOT_NOTES_MAX];
        size_t note_count;
    } health;

    struct ls_snapshot_memory memory;

    const struct ls_snapshot_event_loop *event_loops;
    size_t event_loop_count;

    const struct ls_snapshot_isolate *isolates;
    size_t isolate_count;

    struct {
        enum ls_process_verdict state;
        unsigned rising_sites;  /* of all sites, listed or not */
        unsigned drained_sites; /* that rose of late and have given back what they gained */
        double rose_s;          /* the longest time one of those rose */
        double rising_growth_bytes_per_s;
        double explained_growth_share; /* 0 to 1 */
        const char *message;           /* one sentence; the writers print it as it is */
    } verdict;

    const struct ls_snapshot_site *sites; /* sorted: rising first by growth, then by live bytes */
    size_t site_count;

    const struct ls_snapshot_module *modules;
    size_t module_count;
};

#endif
