#include "v8/tracker.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/managed.h"
#include "system/clock.h"
#include "system/syscall.h"
#include "v8/frames.h"
#include "v8/functions.h"
#include "v8/isolates.h"
#include "v8/profile.h"
#include "v8/reader.h"
#include "v8/symbols.h"

#define NANOSECOND       UINT64_C(1)
#define MILLISECOND      (UINT64_C(1000000) * NANOSECOND)
#define GC_READING_SPACE (100 * MILLISECOND)
/* A reading that took t is followed by none for 99 t: at most 1 % of the thread's time. */
#define COST_SPACE  99
#define ASIDE_RETRY (30000 * MILLISECOND)
#define SPACE_MAX   (60000 * MILLISECOND)

enum {
    TRACKER_IDLE = 0, /* not started, or no V8 */
    TRACKER_RUNNING,
    TRACKER_UNKNOWN,
    TRACKER_STOPPED,
};

static struct ls_v8_symbols symbols;
static bool names_frames;
static double mean_sample_bytes;
/* V9: symbols and the sample size are complete before the tracker reads as running; V10: every
 * thread looks before it uses them. */
static _Atomic int tracker_state;
/* Readings asked for so far. Relaxed: a thread that sees it late reads late. */
static _Atomic uint64_t requests;
static const char *_Atomic unknown_reason;
/* Relaxed: figures to show. */
static _Atomic unsigned isolates_aside;
static _Atomic uint64_t readings_dropped;

/* The request this thread has dealt with; 0 sends it the slow way at its next safe point. */
static LS_THREAD_LOCAL uint64_t seen_requests;
static LS_THREAD_LOCAL struct ls_v8_isolate *thread_record;
/* Its environment was cleaned up: Node polls on while closing, and must not be sampled again. */
static LS_THREAD_LOCAL void *ended_isolate;
static LS_THREAD_LOCAL bool inside;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MILLISECOND + (uint64_t)now.tv_nsec;
}

static void step_down(const char *reason)
{
    ls_store_relaxed(&unknown_reason, reason);
    ls_store_release(&tracker_state, TRACKER_UNKNOWN);
}

static void set_aside(struct ls_v8_isolate *record, uint64_t now)
{
    if (record->sampler != LS_V8_SAMPLER_ASIDE)
        ls_add_relaxed(&isolates_aside, 1);
    record->sampler = LS_V8_SAMPLER_ASIDE;
    ls_store_relaxed(&record->aside, true);
    record->retry_ns = now + ASIDE_RETRY;
}

static void leave_aside(struct ls_v8_isolate *record, enum ls_v8_sampler sampler)
{
    if (record->sampler == LS_V8_SAMPLER_ASIDE)
        atomic_fetch_sub_explicit(&isolates_aside, 1, memory_order_relaxed);
    record->sampler = sampler;
    ls_store_relaxed(&record->aside, false);
}

static void take_over(struct ls_v8_isolate *record, uint64_t now)
{
    record->sampling_since_ns = now;
    leave_aside(record, LS_V8_SAMPLER_OURS);
    ls_v8_ages_reset(&record->ages);
}

static void start_sampler(struct ls_v8_isolate *record, void *isolate, uint64_t now)
{
    void *profiler = symbols.isolate_heap_profiler(isolate);

    if (symbols.sampling_start(profiler, (uint64_t)mean_sample_bytes, LS_V8_STACK_DEPTH,
                               LS_V8_SAMPLING_NO_FLAGS))
        take_over(record, now);
    else
        set_aside(record, now);
}

/* Called by V8 after a major collection, on the isolate's thread. */
static void count_major_gc(void *isolate, int type, int flags, void *data)
{
    struct ls_v8_isolate *record = data;

    (void)isolate;
    (void)type;
    (void)flags;
    record->major_gcs++;
    record->major_gc_pending = true;
    record->last_major_gc_ns = now_ns();
    seen_requests = 0;
}

/* Called by V8 after every collection, on the isolate's thread. */
static void note_moved(void *isolate, int type, int flags, void *data)
{
    (void)isolate;
    (void)flags;
    (void)data;
    ls_v8_frames_moved((type & LS_V8_GC_MARK_SWEEP_COMPACT) != 0);
}

/* Called by Node as it takes the environment down, on the isolate's thread. A sampler that still
 * runs when the isolate is disposed of aborts Node 24. */
static void environment_ends(void *data)
{
    struct ls_v8_isolate *record = data;
    void *isolate = ls_load_relaxed(&record->isolate);
    int saved_errno = errno;

    if (record->sampler == LS_V8_SAMPLER_OURS)
        symbols.sampling_stop(symbols.isolate_heap_profiler(isolate));
    leave_aside(record, LS_V8_SAMPLER_BROKEN);
    symbols.remove_gc_epilogue(isolate, count_major_gc, record);
    symbols.remove_gc_epilogue(isolate, note_moved, record);
    ended_isolate = isolate;
    if (thread_record == record)
        thread_record = NULL;
    ls_v8_isolate_end(record);
    errno = saved_errno;
}

/* Node's cleanup hook aborts without an environment, so be sure that there is one: not before
 * Node has made it, nor in an isolate that is another embedder's. */
static bool has_environment(void *isolate)
{
    void *scope[16] = {NULL};
    bool found = false;

    if (!symbols.isolate_in_context(isolate))
        return false;
    symbols.handle_scope_open(scope, isolate);
    found = symbols.node_environment(symbols.isolate_current_context(isolate)) != NULL;
    symbols.handle_scope_close(scope);
    return found;
}

static bool is_own_loop(void *isolate, int loop)
{
    const void *own = symbols.node_event_loop(isolate);

    return own && symbols.loop_descriptor(own) == loop;
}

static struct ls_v8_isolate *begin(void *isolate, int loop, uint64_t now)
{
    struct ls_v8_isolate *record;

    if (!has_environment(isolate) || !is_own_loop(isolate, loop))
        return NULL;
    record = ls_v8_isolate_claim(isolate);
    if (!record)
        return NULL;
    record->loop = loop;
    start_sampler(record, isolate, now);
    symbols.node_add_cleanup_hook(isolate, environment_ends, record);
    symbols.add_gc_epilogue(isolate, count_major_gc, record, LS_V8_GC_MARK_SWEEP_COMPACT);
    symbols.add_gc_epilogue(isolate, note_moved, record, LS_V8_GC_ANY);
    return record;
}

static void give_up(struct ls_v8_isolate *record, void *isolate)
{
    symbols.sampling_stop(symbols.isolate_heap_profiler(isolate));
    record->sampler = LS_V8_SAMPLER_BROKEN;
    step_down("V8's heap profile does not look as it should; js tracking is off");
}

/* Processor time and not the clock's: on a busy machine a thread may stand still for long. */
static uint64_t cpu_ns(void)
{
    return ls_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void space_readings(struct ls_v8_isolate *record, uint64_t cost, uint64_t end)
{
    uint64_t space;

    /* One slow reading should not silence the isolate: the mean of this cost and the last. */
    space = (record->last_cost_ns ? (cost + record->last_cost_ns) / 2 : cost) * COST_SPACE;
    record->last_cost_ns = cost;
    record->not_before_ns = end + (space < SPACE_MAX ? space : SPACE_MAX);
}

static void take_reading(struct ls_v8_isolate *record, void *isolate, uint64_t start)
{
    struct ls_js_reading *reading = NULL;
    bool after_major_gc = record->major_gc_pending;
    uint64_t major_gcs = record->major_gcs;
    uint64_t end;
    uint64_t cost = cpu_ns();
    int status;

    /* Before the reading: a collection during it asks for the next. */
    record->major_gc_pending = false;
    status = ls_v8_reader_read(&symbols, record, isolate,
                               &(struct ls_v8_reading_order){
                                   .sample_bytes = mean_sample_bytes,
                                   .now_ns = start,
                                   .after_major_gc = after_major_gc,
                               },
                               &reading);
    end = now_ns();
    cost = cpu_ns() - cost;
    space_readings(record, cost, end);
    if (status == -ENODATA)
        set_aside(record, end);
    else if (status == -EFAULT)
        give_up(record, isolate);
    if (status < 0)
        return;

    reading->isolate = record->number;
    reading->thread = ls_sys_gettid();
    reading->taken_ns = start;
    reading->cost_ns = cost;
    reading->sampling_since_ns = record->sampling_since_ns;
    reading->major_gcs = major_gcs;
    reading->after_major_gc = after_major_gc;
    reading->since_major_gc_ns = major_gcs ? start - record->last_major_gc_ns : 0;
    ls_add_relaxed(&readings_dropped, ls_v8_isolate_post(record, reading));
}

/* True when the thread has nothing more to do for these requests. */
static bool attend(struct ls_v8_isolate *record, void *isolate, uint64_t wanted, uint64_t now)
{
    bool requested = record->seen_request != wanted;

    if (record->sampler == LS_V8_SAMPLER_BROKEN)
        return true;
    if (record->sampler == LS_V8_SAMPLER_ASIDE) {
        if (now >= record->retry_ns)
            start_sampler(record, isolate, now);
        record->major_gc_pending = false;
        record->seen_request = wanted;
        return true;
    }
    if (!requested && !record->major_gc_pending)
        return true;
    if (now < record->not_before_ns ||
        (!requested && now < record->last_reading_ns + GC_READING_SPACE))
        return false;
    record->seen_request = wanted;
    record->last_reading_ns = now;
    take_reading(record, isolate, now);
    return !record->major_gc_pending;
}

static struct ls_v8_isolate *record_of(void *isolate, int loop, uint64_t now)
{
    if (thread_record && ls_load_relaxed(&thread_record->isolate) == isolate)
        return thread_record;
    thread_record = ls_v8_isolate_find(isolate);
    if (!thread_record)
        thread_record = begin(isolate, loop, now);
    return thread_record;
}

/*
 * Up to Node 18, V8 keeps the current isolate under a pthread key that is 0 until V8 is initialised
 * (https://github.com/nodejs/node/blob/v18.20.4/deps/v8/src/execution/isolate.h), and a thread of
 * Node's platform waits on a loop before that: it would be handed what another library keeps under
 * key 0. That is never V8's own: the private jemalloc takes a key when this library is loaded, and
 * keeps it.
 */
static void *current_isolate(void)
{
    void *isolate = symbols.isolate_current();

    return isolate && isolate == pthread_getspecific(0) ? NULL : isolate;
}

static LS_COLD void attend_thread(uint64_t wanted, int loop)
{
    void *isolate;
    struct ls_v8_isolate *record;
    uint64_t now;

    if (ls_load_acquire(&tracker_state) != TRACKER_RUNNING) { /* V10 pairs with V9 */
        seen_requests = wanted;
        return;
    }
    isolate = current_isolate();
    if (!isolate || isolate == ended_isolate) {
        seen_requests = wanted;
        return;
    }
    now = now_ns();
    record = record_of(isolate, loop, now);
    /* Loops that Node runs inside others (spawnSync; the tracing agent's, when V8's platform is
     * already gone at process.exit) are no safe points. */
    if (record && record->loop != loop)
        return;
    if (!record || attend(record, isolate, wanted, now))
        seen_requests = wanted;
}

void ls_v8_safe_point(int loop)
{
    uint64_t wanted = ls_load_relaxed(&requests);

    if (LS_LIKELY(seen_requests == wanted) || inside)
        return;

    int saved_errno = errno;

    inside = true;
    attend_thread(wanted, loop);
    inside = false;
    errno = saved_errno;
}

/* JavaScript functions in native stacks. */
static void name_frames(void)
{
    const struct ls_managed *frames = ls_v8_frames_start(&symbols);

    names_frames = frames != NULL;
    if (names_frames)
        ls_walk_set_managed(frames);
}

bool ls_v8_start(size_t sample_bytes)
{
    const char *reason = NULL;

    if (ls_load_acquire(&tracker_state) != TRACKER_IDLE)
        return ls_load_acquire(&tracker_state) == TRACKER_RUNNING;
    switch (ls_v8_symbols_find(&symbols, &reason)) {
    case LS_V8_LOOKUP_ABSENT:
        return false;
    case LS_V8_LOOKUP_UNKNOWN:
        step_down(reason);
        return false;
    case LS_V8_LOOKUP_FOUND:
        break;
    }
    mean_sample_bytes = (double)sample_bytes;
    name_frames();
    ls_store_release(&tracker_state, TRACKER_RUNNING); /* V9 pairs with V10 */
    /* The first request: every thread starts its sampler at its first safe point. */
    ls_v8_request_readings();
    return true;
}

enum ls_v8_state ls_v8_current_state(void)
{
    switch (ls_load_acquire(&tracker_state)) {
    case TRACKER_RUNNING:
        return ls_load_relaxed(&isolates_aside) ? LS_V8_ASIDE : LS_V8_READY;
    case TRACKER_UNKNOWN:
        return LS_V8_UNKNOWN;
    case TRACKER_STOPPED:
        return LS_V8_OFF;
    default:
        return LS_V8_ABSENT;
    }
}

const char *ls_v8_note(void)
{
    switch (ls_v8_current_state()) {
    case LS_V8_UNKNOWN:
        return ls_load_relaxed(&unknown_reason);
    case LS_V8_ASIDE:
        return "another heap profiler is running in an isolate: its js sites are not tracked";
    case LS_V8_OFF:
        return "js tracking was stopped";
    default:
        return NULL;
    }
}

const char *ls_v8_frames_note(void)
{
    if (ls_load_acquire(&tracker_state) != TRACKER_RUNNING) /* V10 pairs with V9 */
        return NULL;
    if (!names_frames)
        return "this V8's objects are laid out in a way not known: native stacks show no "
               "JavaScript "
               "functions";
    if (ls_v8_frames_refused())
        return "process_vm_readv is refused here: native stacks show no JavaScript functions";
    return NULL;
}

uint64_t ls_v8_dropped_readings(void)
{
    return ls_load_relaxed(&readings_dropped);
}

void ls_v8_request_readings(void)
{
    ls_add_relaxed(&requests, 1);
}

struct ls_js_reading *ls_v8_take_reading(void)
{
    return ls_v8_isolates_take();
}

size_t ls_v8_take_ended(uint64_t *isolates, size_t capacity)
{
    return ls_v8_isolates_take_ended(isolates, capacity);
}

void ls_v8_after_fork(void)
{
    ls_v8_isolates_keep_only(thread_record);
}

void ls_v8_stop(void)
{
    if (ls_load_acquire(&tracker_state) == TRACKER_RUNNING)
        ls_store_release(&tracker_state, TRACKER_STOPPED);
}
