#include "v8/tracker.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/managed.h"
#include "system/clock.h"
#include "v8/attend.h"
#include "v8/frames.h"
#include "v8/isolates.h"
#include "v8/symbols.h"

#define MILLISECOND UINT64_C(1000000)
/* A thread that has left a request waiting for this long is not about to come to its safe point. */
#define PATIENCE (50 * MILLISECOND)
/* Until the sampler is started under JavaScript: a program that profiles itself, or loads for long,
 * goes first. */
#define START_PATIENCE (1000 * MILLISECOND)
/* Requests after which it is said that nothing has been read. */
#define UNREAD_REQUESTS 4

enum {
    TRACKER_IDLE = 0, /* not started, or no V8 */
    TRACKER_RUNNING,
    TRACKER_UNKNOWN,
    TRACKER_STOPPED,
};

static struct ls_v8_symbols symbols;
static bool names_frames;
/* V9: symbols and the sample size are complete before the tracker reads as running; V10: every
 * thread looks before it uses them. */
static _Atomic int tracker_state;
/* Readings asked for so far. Relaxed: a thread that sees it late reads late. */
static _Atomic uint64_t requests;
/* When the last was made. Relaxed: a clock's figure; one seen late delays an interrupt. */
static _Atomic uint64_t requested_ns;
static const char *_Atomic unknown_reason;
/* Some isolate's sampler was started, or found taken. Relaxed: a flag to show. */
static _Atomic bool any_attended;

/* The request this thread has dealt with; 0 sends it the slow way at its next safe point. */
static LS_THREAD_LOCAL uint64_t seen_requests;
static LS_THREAD_LOCAL struct ls_v8_isolate *thread_record;
/* Its environment was cleaned up: Node polls on while closing, and must not be sampled again. */
static LS_THREAD_LOCAL void *ended_isolate;
static LS_THREAD_LOCAL bool inside;
/* V8 was asked to interrupt this isolate before it had a record. */
static LS_THREAD_LOCAL void *asked_isolate;

static void step_down(const char *reason)
{
    ls_store_relaxed(&unknown_reason, reason);
    ls_store_release(&tracker_state, TRACKER_UNKNOWN);
}

static struct ls_v8_isolate *known_record(const void *isolate)
{
    if (thread_record && ls_load_relaxed(&thread_record->isolate) == isolate)
        return thread_record;
    return ls_v8_isolate_find(isolate);
}

static void attend(struct ls_v8_isolate *record, void *isolate, uint64_t wanted, uint64_t now)
{
    enum ls_v8_sampler before = record->sampler;
    enum ls_v8_attention attention = ls_v8_attend(record, isolate, wanted, now);

    if (before == LS_V8_SAMPLER_WAITING && record->sampler != before)
        ls_store_relaxed(&any_attended, true);
    switch (attention) {
    case LS_V8_ATTEND_STOP:
        step_down("V8's heap profile does not look as it should; js tracking is off");
        break;
    case LS_V8_ATTEND_DONE:
        seen_requests = wanted;
        break;
    case LS_V8_ATTEND_LATER:
        break;
    }
}

/*
 * Called by V8 where running JavaScript can be stopped: allocation and collections are allowed,
 * running JavaScript is not
 * (https://github.com/nodejs/node/blob/v24.x/deps/v8/include/v8-isolate.h, RequestInterrupt). V8
 * may keep the call back until the record is gone and its place another's: the number tells.
 */
static void on_interrupt(void *isolate, void *number)
{
    struct ls_v8_isolate *record = known_record(isolate);
    int saved_errno = errno;

    if (!record || record->number != (uint64_t)(uintptr_t)number)
        return;
    record->interrupt_requested = false;
    if (inside || ls_load_acquire(&tracker_state) != TRACKER_RUNNING) /* V10 pairs with V9 */
        return;
    inside = true;
    record->blocked = true;
    attend(record, isolate, ls_load_relaxed(&requests), ls_clock_monotonic_ns());
    /* The next safe point is to see that the loop is back. */
    seen_requests = 0;
    inside = false;
    errno = saved_errno;
}

static bool wants_interrupt(const struct ls_v8_isolate *record, uint64_t now)
{
    if (inside || record->interrupt_requested || record->sampler == LS_V8_SAMPLER_BROKEN ||
        now < record->not_before_ns || ls_load_relaxed(&tracker_state) != TRACKER_RUNNING)
        return false;
    if (record->sampler == LS_V8_SAMPLER_WAITING)
        return now - record->begun_ns >= START_PATIENCE;
    if (record->blocked && record->major_gc_pending)
        return true;
    return record->seen_request != ls_load_relaxed(&requests) &&
           now - ls_load_relaxed(&requested_ns) >= PATIENCE;
}

/*
 * Called by V8 after every collection, on the isolate's thread. A loop that never waits is read
 * from here: a heap that grows is a heap that is collected, so nobody else has to reach into the
 * isolate, whose end no other thread could see coming. The reading itself waits for the interrupt.
 */
static void after_collection(void *isolate, int type, int flags, void *data)
{
    struct ls_v8_isolate *record = data;
    bool major = (type & LS_V8_GC_MARK_SWEEP_COMPACT) != 0;
    uint64_t now = ls_clock_monotonic_ns();
    int saved_errno = errno;

    (void)flags;
    ls_v8_frames_moved(major);
    if (major) {
        record->major_gcs++;
        record->major_gc_pending = true;
        record->last_major_gc_ns = now;
        seen_requests = 0;
    }
    ls_v8_attend_load(record, now);
    if (wants_interrupt(record, now)) {
        record->interrupt_requested = true;
        symbols.request_interrupt(isolate, on_interrupt, (void *)(uintptr_t)record->number);
    }
    errno = saved_errno;
}

/* Called by Node as it takes the environment down, on the isolate's thread. */
static void environment_ends(void *data)
{
    struct ls_v8_isolate *record = data;
    void *isolate = ls_load_relaxed(&record->isolate);
    int saved_errno = errno;

    ls_v8_attend_end(record, isolate);
    symbols.remove_gc_epilogue(isolate, after_collection, record);
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

/* The epoll descriptor of the environment's loop; -1 when it has none. */
static int own_loop(void *isolate)
{
    const void *loop = symbols.node_event_loop(isolate);

    return loop ? symbols.loop_descriptor(loop) : -1;
}

/* The sampler is left to whoever attends to the record first. */
static struct ls_v8_isolate *begin(void *isolate, uint64_t now)
{
    struct ls_v8_isolate *record = ls_v8_isolate_claim(isolate);

    if (!record)
        return NULL;
    record->loop = own_loop(isolate);
    ls_v8_attend_begin(record, now);
    symbols.node_add_cleanup_hook(isolate, environment_ends, record);
    symbols.add_gc_epilogue(isolate, after_collection, record, LS_V8_GC_ANY);
    return record;
}

static struct ls_v8_isolate *record_of(void *isolate, int loop, uint64_t now)
{
    thread_record = known_record(isolate);
    if (!thread_record && has_environment(isolate) && own_loop(isolate) == loop)
        thread_record = begin(isolate, now);
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
    now = ls_clock_monotonic_ns();
    record = record_of(isolate, loop, now);
    /* Loops that Node runs inside others (spawnSync; the tracing agent's, when V8's platform is
     * already gone at process.exit) are no safe points. */
    if (record && record->loop != loop)
        return;
    if (!record) {
        seen_requests = wanted;
        return;
    }
    record->blocked = false;
    attend(record, isolate, wanted, now);
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

static void on_first_interrupt(void *isolate, void *unused)
{
    int saved_errno = errno;

    (void)unused;
    if (inside || isolate == ended_isolate ||
        ls_load_acquire(&tracker_state) != TRACKER_RUNNING) /* V10 pairs with V9 */
        return;
    inside = true;
    if (!known_record(isolate) && has_environment(isolate))
        thread_record = begin(isolate, ls_clock_monotonic_ns());
    inside = false;
    errno = saved_errno;
}

void ls_v8_environment_begins(void)
{
    int saved_errno = errno;
    void *isolate;

    if (thread_record || inside ||
        ls_load_acquire(&tracker_state) != TRACKER_RUNNING) /* V10 pairs with V9 */
        return;
    inside = true;
    isolate = current_isolate();
    if (isolate && isolate != ended_isolate && isolate != asked_isolate && !known_record(isolate)) {
        asked_isolate = isolate;
        symbols.request_interrupt(isolate, on_first_interrupt, NULL);
    }
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
    ls_v8_attend_start(&symbols, sample_bytes);
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
        return ls_v8_attend_aside() ? LS_V8_ASIDE : LS_V8_READY;
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

const char *ls_v8_unread_note(void)
{
    if (ls_load_acquire(&tracker_state) != TRACKER_RUNNING || /* V10 pairs with V9 */
        ls_load_relaxed(&requests) < UNREAD_REQUESTS || ls_load_relaxed(&any_attended))
        return NULL;
    return "no JavaScript heap could be read so far: its thread has neither waited for events nor "
           "collected garbage";
}

const char *ls_v8_interval_note(void)
{
    if (ls_v8_attend_stretched() == 0)
        return NULL;
    return "JavaScript allocates so fast that V8's samples are taken further apart than js_sample "
           "says, for their cost to stay below 2 % of a core";
}

uint64_t ls_v8_dropped_readings(void)
{
    return ls_v8_attend_dropped();
}

void ls_v8_request_readings(void)
{
    ls_store_relaxed(&requested_ns, ls_clock_monotonic_ns());
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
