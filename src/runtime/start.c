/*
 * The beginning and the end: reads the options, decides whether this process is tracked, brings the
 * stages up in the order of the data's way backwards, and sees to a last summary.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "capture/address_map.h"
#include "capture/exact.h"
#include "capture/heap.h"
#include "capture/host_threads.h"
#include "capture/loop_clock.h"
#include "capture/mappings.h"
#include "capture/resource.h"
#include "capture/thread.h"
#include "capture/unwind.h"
#include "interpose/hooks.h"
#include "ledger/ledger.h"
#include "runtime/notes.h"
#include "runtime/reconcile.h"
#include "system/allocator_code.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/real.h"
#include "system/serve_host.h"
#include "system/syscall.h"
#include "v8/tracker.h"

#define CHILD_MARK   "LEAKSHIM_TRACKED_BY"
#define LAST_WORD_NS (2 * LS_NS_PER_S)

#define SAMPLED_STACKS 65536
#define EXACT_STACKS   LS_LEDGER_STACKS_MAX
#define RING_EVENTS    16384
/* Exact mode has a tally a thread and stack to keep. */
#define EXACT_MEMORY_TIMES 4
/* Taken at the start and kept: the ring, the first sites, names, the picture. */
#define FIXED_BYTES ((size_t)5 << 19)

struct ls_runtime ls_runtime;

/* Between before_alone and after_alone, on the one host thread there can be. */
static bool was_collecting;

bool ls_runtime_owns_process(void)
{
    return ls_load_acquire(&ls_runtime.state) == LS_RUNTIME_ACTIVE &&
           ls_runtime.fork_marker != NULL && *ls_runtime.fork_marker == 1 &&
           ls_runtime.pid == ls_sys_getpid();
}

void ls_runtime_describe_directory(struct ls_run_directory_options *directory)
{
    *directory = (struct ls_run_directory_options){
        .directory = ls_runtime.options.directory,
        .temporary = getenv("TMPDIR"),
        .program = ls_runtime.program,
        .pid = ls_runtime.pid,
        /* Of the run and not of the process: a program that executes itself keeps its start. */
        .started_at = (double)ls_clock_ns(CLOCK_REALTIME) * 1e-9,
    };
}

static void complain(void *context, const char *line)
{
    (void)context;
    ls_warn(line);
}

/* With children=off an executed child finds its ancestor's mark in the environment. It is set only
 * then: the host's environment is otherwise left as it is. */
static bool is_unwanted_child(void)
{
    char own[24];
    struct ls_text text;
    const char *mark = getenv(CHILD_MARK);

    ls_text_init(&text, own, sizeof(own));
    ls_text_unsigned(&text, (uint64_t)ls_runtime.pid);
    if (mark != NULL && strcmp(mark, own) != 0)
        return true;
    if (!ls_runtime.options.children)
        setenv(CHILD_MARK, own, 1);
    return false;
}

static void read_launch(void)
{
    const char *mark = getenv("LEAKSHIM_LAUNCH");
    struct ls_text text;

    ls_text_init(&text, ls_runtime.launch, sizeof(ls_runtime.launch));
    ls_text_string(&text, mark != NULL ? mark : "");
}

static bool is_wanted(void)
{
    return ls_runtime.options.mode != LS_MODE_OFF &&
           ls_options_program_wanted(&ls_runtime.options, ls_runtime.program) &&
           !is_unwanted_child();
}

static size_t memory_cap(void)
{
    bool exact = ls_runtime.options.mode == LS_MODE_EXACT;

    return ls_runtime.options.memory_bytes * (exact ? EXACT_MEMORY_TIMES : 1);
}

/* Of what is left for tables that grow: two fifths for the stacks, half for the live set, and at
 * least a tenth for sites and the rest. */
static struct ls_ledger_limits ledger_limits(void)
{
    size_t most = (memory_cap() - FIXED_BYTES) / 5 * 2 / LS_LEDGER_STACK_BYTES;
    uint32_t stacks = ls_runtime.options.mode == LS_MODE_EXACT ? EXACT_STACKS : SAMPLED_STACKS;

    while (stacks > most)
        stacks /= 2;
    return (struct ls_ledger_limits){
        .stacks = stacks,
        .slots = (ls_runtime.options.memory_bytes - FIXED_BYTES) / 2 / sizeof(struct ls_live_slot),
        .ring_events = RING_EVENTS,
    };
}

/* The kernel allows a process 65,530 by default; joined ones count once there. */
static size_t ranges_max(void)
{
    const size_t usual = 131072;
    size_t affordable = memory_cap() / 8 / sizeof(struct ls_address_range);

    return affordable < usual ? affordable : usual;
}

/* V8 refuses to write a heap that anything of ours still points into. */
static bool builds_snapshot(void)
{
    static const char *const options[] = {" --build-snapshot", " --experimental-sea-config",
                                          " --build-sea"};

    for (size_t i = 0; i < LS_ARRAY_LENGTH(options); i++) {
        if (strstr(ls_runtime.command, options[i]) != NULL)
            return true;
    }
    return false;
}

static void start_javascript(void)
{
    if (!ls_options_tracks(&ls_runtime.options, LS_RESOURCE_JS))
        return;
    if (builds_snapshot()) {
        ls_note("Node is asked to build a snapshot of its heap: JavaScript is not tracked");
        return;
    }
    if (!ls_v8_start(ls_runtime.options.js_sample_bytes))
        return;
    ls_hook_targets.safe_point = ls_v8_safe_point;
    ls_hook_targets.environment_begins = ls_v8_environment_begins;
}

/* What a summary can do without: said once, and the run goes on. */
static void start_optional_parts(void)
{
    bool malloc_is_ours;

    if (ls_options_tracks(&ls_runtime.options, LS_RESOURCE_MAP) &&
        ls_mappings_start(ranges_max()) != 0)
        ls_note("no memory is left to follow mappings; they are not tracked");
    if (ls_options_tracks(&ls_runtime.options, LS_RESOURCE_THREAD) && ls_host_threads_start() != 0)
        ls_note("no memory is left to follow threads; they are not tracked");
    if (ls_unwind_start(ls_runtime.options.depth) != 0) {
        ls_warn("libunwind.so.8 is missing or unusable: heap growth is seen, but not where");
        ls_runtime.degraded = true;
    }
    start_javascript();
    /* A lookup that finds nothing leaves its mark for the host's dlerror: none where there is no
     * V8. */
    if (!ls_options_tracks(&ls_runtime.options, LS_RESOURCE_JS) ||
        ls_v8_current_state() != LS_V8_ABSENT) {
        ls_mapping_class_start();
        ls_engine_code_start();
    }
    malloc_is_ours = ls_heap_sees_malloc();
    ls_allocator_code_find(malloc_is_ours);
    if (!malloc_is_ours) {
        ls_note(
            "malloc is not ours here: the program, or a library loaded before this one, has its "
            "own; the heap is not tracked");
        ls_runtime.degraded = true;
    }
}

static void refresh_modules(void)
{
    int saved_errno = errno;

    ls_modules_refresh(&ls_ledger.modules, ls_clock_monotonic_ns());
    errno = saved_errno;
}

/* The interval by the clock as well: on a busy machine the collector may come late to its first. */
bool ls_runtime_leaves_a_run(void)
{
    return ls_runtime.sequence > 0 || ls_runtime.options.mode == LS_MODE_EXACT ||
           ls_clock_monotonic_ns() - ls_runtime.watched_since_ns >= ls_runtime.options.interval_ns;
}

static void write_last_word(void)
{
    int saved_errno = errno;

    if (!ls_runtime_owns_process() || !ls_runtime_leaves_a_run())
        return;
    refresh_modules();
    ls_collector_request(LS_REQUEST_FINAL, LAST_WORD_NS);
    errno = saved_errno;
}

/* Main that returns ends the process; main that comes here has called pthread_exit. */
static void thread_ends(int thread)
{
    ls_loop_clock_thread_ends();
    if (thread == ls_runtime.pid && ls_runtime_owns_process())
        ls_last_thread_watch();
}

static void before_alone(void)
{
    was_collecting = ls_runtime_owns_process() && ls_collector_pause();
}

static void after_alone(void)
{
    if (was_collecting && ls_collector_start() != 0)
        ls_note("the collector could not be started again; this is the last summary");
    was_collecting = false;
}

static enum ls_memory_use memory_use(void)
{
    if (ls_runtime.options.allocator == LS_ALLOCATOR_HOST)
        return LS_MEMORY_TRACKED_ONLY;
    return ls_runtime.options.mode == LS_MODE_EXACT ? LS_MEMORY_TRACKED_MOSTLY
                                                    : LS_MEMORY_HOST_MOSTLY;
}

static int start_required_parts(void)
{
    struct ls_ledger_limits limits = ledger_limits();
    bool exact = ls_runtime.options.mode == LS_MODE_EXACT;
    int status = ls_memory_start(memory_use());

    if (status == 0)
        ls_memory_own_set_cap(memory_cap());
    if (status == 0)
        status = ls_ledger_start(&limits);
    ls_ledger.age_unit_ns = ls_runtime.options.interval_ns;
    if (status == 0 && exact)
        status = ls_exact_start(limits.stacks);
    /* The rest is for what names the sites. */
    ls_exact_set_memory(memory_cap() / 4);
    if (status == 0 && memory_use() != LS_MEMORY_TRACKED_ONLY)
        ls_serve_host();
    if (status == 0)
        status = ls_thread_start(thread_ends);
    if (status == 0)
        status = ls_fork_start();
    return status;
}

static void set_heap_mode(void)
{
    if (!ls_options_tracks(&ls_runtime.options, LS_RESOURCE_HEAP)) {
        ls_heap_set_mode(LS_HEAP_OFF);
        return;
    }
    ls_heap_set_sample_mean(ls_runtime.options.sample_bytes);
    ls_heap_set_mode(ls_runtime.options.mode == LS_MODE_EXACT ? LS_HEAP_EXACT : LS_HEAP_SAMPLED);
}

int ls_runtime_activate(void)
{
    static _Atomic int parts_started;
    int status = 0;

    if (ls_load_acquire(&ls_runtime.state) == LS_RUNTIME_OFF)
        return -ENOTSUP;
    if (ls_exchange_acquire_release(&parts_started, 1) == 0) {
        status = start_required_parts();
        if (status == 0) {
            start_optional_parts();
            refresh_modules();
            /* Main has a record from now on, so that its end is noticed. */
            ls_thread_current();
            ls_runtime.watched_since_ns = ls_clock_monotonic_ns();
            status = ls_collector_start();
        }
        ls_hook_targets.before_end = write_last_word;
        ls_hook_targets.before_unload = refresh_modules;
        ls_hook_targets.before_alone = before_alone;
        ls_hook_targets.after_alone = after_alone;
        at_quick_exit(write_last_word);
    }
    if (status != 0) {
        ls_warn(
            "could not start: out of memory, address space or threads; the program runs untracked");
        ls_heap_set_mode(LS_HEAP_OFF);
        ls_store_release(&ls_runtime.state, LS_RUNTIME_OFF);
        return status;
    }
    ls_store_release(&ls_runtime.state, LS_RUNTIME_ACTIVE);
    set_heap_mode();
    ls_resource_adopt_process();
    ls_resource_set_tracked(ls_runtime.options.track);
    ls_reconcile_start();
    if (ls_options_tracks(&ls_runtime.options, LS_RESOURCE_MAP))
        ls_mappings_set_mode(LS_MAPPINGS_TRACKED);
    ls_loop_clock_start();
    return 0;
}

static void stay_off(void)
{
    ls_heap_set_mode(LS_HEAP_OFF);
    ls_store_release(&ls_runtime.state, LS_RUNTIME_OFF);
}

static __attribute__((constructor)) void start(void)
{
    struct ls_run_directory_options directory;
    int saved_errno = errno;

    ls_real_resolve();
    if (getauxval(AT_SECURE) != 0) {
        stay_off();
        return;
    }
    ls_notes_start();
    ls_options_defaults(&ls_runtime.options);
    ls_options_parse(&ls_runtime.options, getenv("LEAKSHIM_OPTIONS"), complain, NULL);
    ls_runtime.pid = ls_sys_getpid();
    ls_process_program(ls_runtime.program, sizeof(ls_runtime.program));
    if (!is_wanted()) {
        stay_off();
        errno = saved_errno;
        return;
    }
    ls_process_command(ls_runtime.command, sizeof(ls_runtime.command));
    ls_process_working_directory(ls_runtime.working_directory,
                                 sizeof(ls_runtime.working_directory));
    read_launch();
    ls_runtime.started_at = ls_process_started_at();
    ls_runtime_describe_directory(&directory);
    ls_run_directory_init(&ls_runtime.run, &directory);
    ls_store_release(&ls_runtime.state, LS_RUNTIME_WAITING);
    if (ls_runtime.options.start)
        ls_runtime_activate();
    errno = saved_errno;
}

/* Runs after the host's own exit handlers and, preloaded, after most libraries' destructors. */
static __attribute__((destructor)) void finish(void)
{
    write_last_word();
}
