/*
 * The state the stages of the runtime share. One per process.
 *
 *   start.c      constructor: reads the options, decides whether this process is tracked
 *   collector.c  the thread that drains, judges and writes
 *   judge.c      histories and verdicts of the sites
 *   js_sites.c   V8's readings as sites
 *   js_held.c    native memory that JavaScript objects hold
 *   js_judge.c   evidence from readings made right after a major collection
 *   loops.c      event loops' figures of one interval
 *   isolates.c   V8's isolates and their heaps
 *   picture.c    gathers a snapshot for the writers
 *   mapping_class.c  whose a mapping is: the program's, V8's, an allocator's
 *   names.c      function names of native frames
 *   engine_code.c  what V8 takes for itself
 *   fork.c       what happens around fork
 *   last_thread.c  the end of a host whose main thread has ended before others
 *   api.c        the public functions
 */
#ifndef LS_RUNTIME_RUNTIME_H
#define LS_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/mappings.h"
#include "ledger/history.h"
#include "ledger/site_table.h"
#include "report/run_directory.h"
#include "report/snapshot.h"
#include "runtime/options.h"
#include "system/arena.h"
#include "system/clock.h"
#include "trend/trend.h"
#include "trend/whole.h"
#include "v8/reading.h"

enum ls_runtime_state {
    LS_RUNTIME_OFF,     /* for good */
    LS_RUNTIME_WAITING, /* start=off */
    LS_RUNTIME_ACTIVE,
};

struct ls_runtime {
    struct ls_options options;
    _Atomic int state;
    pid_t pid;
    double started_at;         /* of the process, seconds since 1970 */
    uint64_t watched_since_ns; /* CLOCK_MONOTONIC when tracking began */
    uint64_t sequence;         /* summaries written */
    bool degraded;
    char program[256];
    char command[4096];
    char working_directory[4096]; /* at the start; "" when it has no name */
    char launch[48];              /* LEAKSHIM_LAUNCH, by which `leakshim run` finds its runs */
    struct ls_run_directory run;
    /* Zero in a forked copy that did not pass through our fork handlers (raw clone). */
    volatile uint32_t *fork_marker;
};

extern struct ls_runtime ls_runtime;

static inline double ls_interval_s(void)
{
    return (double)ls_runtime.options.interval_ns / (double)LS_NS_PER_S;
}

/* Of a CLOCK_MONOTONIC time, since tracking began; 0 if it was before. */
static inline double ls_seconds_watched(uint64_t at_ns)
{
    return at_ns > ls_runtime.watched_since_ns
               ? (double)(at_ns - ls_runtime.watched_since_ns) / (double)LS_NS_PER_S
               : 0;
}

/* True in the process that was set up, false in a vfork child and in a raw clone of it. */
bool ls_runtime_owns_process(void);
/* A short helper program leaves nothing behind when it ends, unless every block counts. */
bool ls_runtime_leaves_a_run(void);

/* --- start.c --- */
/* Everything that makes tracking run; idempotent. 0 or -errno. */
int ls_runtime_activate(void);
void ls_runtime_describe_directory(struct ls_run_directory_options *directory);

/* --- collector.c --- */
enum ls_collector_request {
    LS_REQUEST_NONE,
    LS_REQUEST_FLUSH,
    LS_REQUEST_FINAL,
};

/* Starts the thread. 0 or -errno. */
int ls_collector_start(void);
/* Asks for a summary and waits for it, at most `timeout_ns`. 0, -ETIMEDOUT, or the write's error.
 */
int ls_collector_request(enum ls_collector_request request, uint64_t timeout_ns);
/* Ends the thread and waits for it, for calls that a process with more than one thread is refused;
 * ls_collector_start brings it back. False when there was none. */
bool ls_collector_pause(void);
/* Kernel thread id of the collector. */
int ls_collector_thread(void);
/* The ledger as of now, for readers on other threads; bounded wait, false when it was not had. */
bool ls_collector_lock(uint64_t timeout_ns);
void ls_collector_unlock(void);
/* In a forked child: no thread, no request, lock as the child holds it. */
void ls_collector_after_fork(void);

/* --- last_thread.c --- */
/* On the main thread, when it has called pthread_exit: sees to it that the process ends when the
 * host's other threads have ended. */
void ls_last_thread_watch(void);

/* --- judge.c --- */
struct ls_judgement {
    unsigned rising_sites;
    unsigned drained_sites; /* that rose of late and have given back what they gained */
    unsigned kept_sites;    /* that rose of late and hold most of it */
    double rose_s;          /* the longest time one of the drained ones rose */
    double rising_bytes_per_s;
    double rising_js_bytes_per_s;
    double rising_variance;     /* of rising_bytes_per_s */
    double fastest_bytes_per_s; /* of one rising site */
    double rising_since_s;      /* begin of the window that one was judged over */
    double rising_js_variance;
    struct ls_trend_process_verdict process;
    double limit_bytes;
    const char *limit_source;
    double rss_bytes;
    double file_bytes;
    double live_heap_bytes;
    double v8_heap_bytes;     /* -1: no isolate read */
    double learning_js_bytes; /* held by JavaScript that cannot be judged yet */
    bool js_exceeds_heap;     /* JavaScript sites hold more than their heap has in use */
};

/* Adds this moment to every history and judges. A final one, of a process that is ending, adds
 * nothing and keeps the verdicts of the last interval: what a program frees as it ends says nothing
 * about growth. Under the collector's lock. */
void ls_judge(uint64_t now_ns, bool final, struct ls_judgement *judgement);
/* Adds what the site's tally holds to its history. */
void ls_judge_remember(struct ls_site *site, double now_s);
/* The verdict of one site as of the last ls_judge. */
const struct ls_trend_verdict *ls_judge_site(const struct ls_site *site);
void ls_judge_after_fork(void);

/* --- js_sites.c --- */
/* Takes V8's finished readings into sites, and what those made right after a major collection show
 * into their histories. Under the collector's lock. */
void ls_js_sites_update(void);
/* Whether an isolate has made a major collection between the last update and the one before. */
bool ls_js_sites_collected(void);
/* Sums over the isolates' last readings; used -1 when none was read. */
struct ls_js_totals {
    double used_heap_bytes;
    double total_heap_bytes;
    /* Of the isolate nearest its limit, as of its last major collection where one was seen. */
    double fullest_used_bytes;
    double fullest_used_at_s; /* since the process was first watched */
    double fullest_limit_bytes;
    const struct ls_history *fullest_heap; /* in use after major collections; NULL: none seen */
    double external_bytes;
    unsigned isolates;
    bool exceeds_heap; /* the sites of an isolate hold more than it has in use */
};
void ls_js_sites_totals(struct ls_js_totals *totals);
/* Since when a heap in use after major collections is known of the isolates that hold something of
 * the site, and what those have gained since a time. Seconds since the process was first watched;
 * -1 when nothing is known. */
double ls_js_sites_heap_since(const struct ls_site *site);
void ls_js_sites_heap_gain(const struct ls_site *site, double since_s, struct ls_whole_gain *gain);
/* The last reading of that isolate, and the last made right after a major collection or NULL. False
 * when there is none. Valid until the next update. */
bool ls_js_sites_readings(uint64_t number, const struct ls_js_reading **last,
                          const struct ls_js_reading **settled);

/* --- js_judge.c --- */
/* Makes the verdict of the series `rising` where the evidence of the readings holds, and a rise
 * `settling` where what is known beside speaks against it. */
void ls_js_judge_site(const struct ls_site *site, unsigned sites_tested,
                      struct ls_trend_verdict *verdict);

/* --- js_held.c --- */
/* An isolate has made a major collection since the last summary. */
void ls_js_held_collected(double now_s);
/* Whether a native site whose memory JavaScript objects may hold has grown by more than what V8 has
 * not collected yet. True for all others. */
bool ls_js_held_may_rise(const struct ls_site *site, const struct ls_trend_verdict *verdict,
                         double now_s, double interval_s);
void ls_js_held_after_fork(void);

/* --- picture.c --- */
/* Builds the snapshot from the ledger, under the collector's lock; everything it points to lives in
 * `arena` or for ever. Names of native frames are filled in by ls_names_resolve, without the lock.
 */
int ls_picture_take(struct ls_arena *arena, const struct ls_judgement *judgement, uint64_t now_ns,
                    bool final, struct ls_snapshot *snapshot);
/* What needs names: functions, locations, the message. Without the lock. */
void ls_picture_finish(struct ls_arena *arena, struct ls_snapshot *snapshot);

/* Makes a picture of the last interval the final one: its figures stay, its time moves on. */
void ls_picture_make_final(struct ls_arena *arena, struct ls_snapshot *snapshot);

/* --- loops.c --- */
/* The event loops since the last call, the main thread's first, then the busiest; what it points to
 * is valid until the next call. Reads /proc. */
void ls_loops_describe(uint64_t now_ns, struct ls_snapshot *snapshot);

/* --- isolates.c --- */
/* V8's isolates as their last readings have them, the main thread's first, then the largest; what
 * it points to is valid until the next call. Reads /proc. Under the collector's lock. */
void ls_isolates_describe(uint64_t now_ns, struct ls_snapshot *snapshot);

/* --- names.c --- */
/* Makes the tables, once, before anything else here. 0 or -ENOMEM. */
int ls_names_start(void);
/* Fills in `function` of all native frames of the snapshot. Reads ELF files. */
void ls_names_resolve(struct ls_snapshot *snapshot);
/* The frame a person would name the site after: past allocator wrappers and runtime libraries. */
size_t ls_names_choose(const struct ls_snapshot_site *site);
/* Finds the names of what lies just inside the JIT frames of stacks below `stacks_known`, for
 * ls_names_dispatch_of, and those that ls_engine_code_of goes by. Reads ELF files; without the
 * lock. */
void ls_names_learn(uint32_t stacks_known);
/* The function's name if it has been looked up and found, "" otherwise. */
const char *ls_names_known(const struct ls_module *module, uintptr_t pc);
/* Whether the function is V8's own way of calling native code. Looks up what is known, no more. */
enum ls_dispatch ls_names_dispatch_of(const struct ls_module *module, uintptr_t pc);
/* Whether the function is V8's, and makes or grows a WebAssembly memory. */
bool ls_names_is_wasm_memory(const struct ls_module *module, uintptr_t pc);
/* In a forked child: the names found so far may be half written. */
void ls_names_after_fork(void);

/* --- engine_code.c --- */
/* Finds V8, where there is any. From the constructor. */
void ls_engine_code_start(void);
/* Whether memory that such a site's module takes is V8's to free: the module of V8 itself, or none.
 * What an add-on takes is the add-on's. */
bool ls_engine_code_owns(const struct ls_module *module);
/* Each frame whose name may tell whether V8 took the block for itself. */
typedef void ls_engine_code_visit(void *context, const struct ls_module *module, uintptr_t pc);
void ls_engine_code_each(const struct ls_stack *stack, ls_engine_code_visit *visit, void *context);
/* Whether it did, by the names that are known. */
enum ls_site_engine ls_engine_code_of(const struct ls_stack *stack);

/* --- mapping_class.c --- */
/* Finds V8's functions, where there are any. From the constructor. */
void ls_mapping_class_start(void);
/* Whose a mapping is that was made at this stack; it looks at modules, so under the lock. */
enum ls_mapping_class ls_mapping_class_of(const struct ls_stack *stack);

/* --- fork.c --- */
int ls_fork_start(void);

#endif
