#include "capture/host_threads.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/atomic.h"
#include "capture/resource.h"
#include "capture/thread.h"
#include "system/memory.h"
#include "system/syscall.h"

/* A record's state. A used record without RUNS has not begun, or the real create is under way. */
enum {
    USED = 1 << 0,
    FINISHED = 1 << 1,
    DETACHED = 1 << 2,
    CANCELLED = 1 << 3,
    JOINING = 1 << 4,
    GONE = 1 << 5, /* whoever sets it gives the record back */
};

struct record {
    _Atomic uint32_t state;
    _Atomic int id;
    _Atomic uintptr_t stack_address;
    uint32_t number;
    _Atomic uint32_t slot;
    _Atomic uint64_t stack_bytes;
    void (*start)(void);
    void *argument;
    char name[LS_HOST_THREAD_NAME_BYTES]; /* once FINISHED */
};

static struct record *records;     /* number 0 is none */
static _Atomic uintptr_t *handles; /* by number; 0: none. Beside the records, to be searched. */
static _Atomic uint32_t numbers_used;
static pthread_key_t key;

static void thread_ends(void *context);

int ls_host_threads_start(void)
{
    size_t record_bytes = LS_HOST_THREADS_MAX * sizeof(*records);
    size_t handle_bytes = LS_HOST_THREADS_MAX * sizeof(*handles);
    /* Touched where there are threads: room for a thousand is paid for. */
    struct record *made = ls_memory_own_map(record_bytes, record_bytes / 64);
    int status;

    handles = ls_memory_own_map(handle_bytes, handle_bytes / 64);
    if (made == NULL || handles == NULL)
        return -ENOMEM;
    status = pthread_key_create(&key, thread_ends);
    if (status != 0)
        return -status;
    ls_store_relaxed(&numbers_used, 1);
    records = made;
    return 0;
}

static bool claim(uint32_t number)
{
    uint32_t expected = 0;

    if (ls_load_relaxed(&records[number].state) != 0 ||
        !ls_compare_exchange_acquire_release(&records[number].state, &expected, USED))
        return false;
    /* Y1 pairs with Y2: what the last owner did is done */
    records[number].number = number;
    ls_store_relaxed(&handles[number], 0);
    return true;
}

static struct record *take_record(void)
{
    uint32_t used = ls_load_relaxed(&numbers_used);

    for (uint32_t i = 1; i < used; i++) {
        if (claim(i))
            return &records[i];
    }
    /* A number just made may be claimed by another thread that goes through them. */
    for (;;) {
        if (used == LS_HOST_THREADS_MAX)
            return NULL;
        if (ls_compare_exchange_relaxed(&numbers_used, &used, used + 1) && claim(used))
            return &records[used];
        used = ls_load_relaxed(&numbers_used);
    }
}

static void give_back(struct record *record)
{
    ls_resource_release(ls_exchange_relaxed(&record->slot, 0));
    ls_store_relaxed(&handles[record->number], 0);
    ls_store_relaxed(&record->id, 0);
    ls_store_relaxed(&record->stack_address, 0);
    ls_store_release(&record->state, 0); /* Y2 pairs with Y1 */
}

/* Adds to the state. The record goes back when the thread has both finished and been detached, or
 * been joined, and only once. */
static void add_state(struct record *record, uint32_t added)
{
    uint32_t before = ls_load_relaxed(&record->state);
    uint32_t after;

    do {
        if ((before & USED) == 0 || (before & GONE) != 0)
            return;
        after = before | added;
        if ((after & (FINISHED | DETACHED)) == (FINISHED | DETACHED))
            after |= GONE;
    } while (!atomic_compare_exchange_weak_explicit(&record->state, &before, after,
                                                    memory_order_acq_rel, /* Y3 pairs with Y3 */
                                                    memory_order_relaxed));
    if ((after & GONE) != 0)
        give_back(record);
}

uint64_t ls_host_thread_usual_stack_bytes(void)
{
    pthread_attr_t usual;
    size_t bytes = 0;

    if (pthread_attr_init(&usual) == 0) {
        pthread_attr_getstacksize(&usual, &bytes);
        pthread_attr_destroy(&usual);
    }
    return bytes;
}

static uint64_t stack_bytes_of(const pthread_attr_t *attributes)
{
    size_t bytes = 0;

    if (attributes == NULL)
        return ls_host_thread_usual_stack_bytes();
    pthread_attr_getstacksize(attributes, &bytes);
    return bytes;
}

/* The handle is the address of libc's own record, of some 2,300 bytes, at the top of the stack. */
uintptr_t ls_host_thread_stack_end(pthread_t handle)
{
    const uintptr_t record_bytes = 2304;
    const uintptr_t page_bytes = 4096;

    return ((uintptr_t)handle + record_bytes + page_bytes - 1) & -page_bytes;
}

ls_host_thread ls_host_thread_prepare(const pthread_attr_t *attributes, void (*start)(void),
                                      void *argument)
{
    int saved_errno = errno;
    struct record *record;
    int detached = PTHREAD_CREATE_JOINABLE;

    if (records == NULL || !ls_resource_is_tracked(LS_RESOURCE_THREAD) || ls_hot.hook_depth != 0)
        return 0;
    record = take_record();
    if (record == NULL) {
        ls_resource_miss();
        return 0;
    }
    if (attributes != NULL)
        pthread_attr_getdetachstate(attributes, &detached);
    record->start = start;
    record->argument = argument;
    ls_store_relaxed(&record->stack_bytes, stack_bytes_of(attributes));
    ls_store_relaxed(&record->slot, ls_resource_acquire(LS_RESOURCE_THREAD, 0));
    if (detached == PTHREAD_CREATE_DETACHED)
        add_state(record, DETACHED);
    errno = saved_errno;
    return record->number;
}

void *ls_host_thread_record(ls_host_thread thread)
{
    return &records[thread];
}

void ls_host_thread_dismiss(ls_host_thread thread)
{
    if (thread != 0)
        add_state(&records[thread], GONE);
}

/* The thread itself says the same as it begins; it may be over by now, and its record another's,
 * whose own word then counts. */
void ls_host_thread_created(ls_host_thread thread, pthread_t handle)
{
    uintptr_t none = 0;

    if (thread != 0 && (ls_load_relaxed(&records[thread].state) & (DETACHED | GONE)) == 0)
        atomic_compare_exchange_strong_explicit(&handles[thread], &none, (uintptr_t)handle,
                                                memory_order_relaxed, memory_order_relaxed);
}

static void thread_begins(struct record *record)
{
    int saved_errno = errno;

    ls_store_relaxed(&handles[record->number], (uintptr_t)pthread_self());
    ls_store_relaxed(&record->id, ls_sys_gettid());
    ls_store_relaxed(&record->stack_address, (uintptr_t)__builtin_frame_address(0));
    /* May allocate for keys past the first 32. */
    ls_hot.own_work = true;
    pthread_setspecific(key, record);
    ls_hot.own_work = false;
    errno = saved_errno;
}

/* These two end in a jump in an optimised build, and leave no frame of ours on the stack. */
void *ls_host_thread_begin(void *context)
{
    struct record *record = context;
    void *(*start)(void *) = (void *(*)(void *))record->start;
    void *argument = record->argument;

    thread_begins(record);
    return start(argument);
}

int ls_host_thread_begin_int(void *context)
{
    struct record *record = context;
    int (*start)(void *) = (int (*)(void *))record->start;
    void *argument = record->argument;

    thread_begins(record);
    return start(argument);
}

static void thread_ends(void *context)
{
    struct record *record = context;
    int saved_errno = errno;

    ls_sys_call6(SYS_prctl, PR_GET_NAME, (long)record->name, 0, 0, 0, 0);
    add_state(record, FINISHED);
    errno = saved_errno;
}

/* Prefers one that no join is under way for: of two with the handle that is the new one. */
static struct record *find(pthread_t handle)
{
    uint32_t used = ls_load_relaxed(&numbers_used);
    struct record *found = NULL;

    if (records == NULL || !ls_resource_is_own_process())
        return NULL;
    for (uint32_t i = 1; i < used; i++) {
        uint32_t state;

        if (ls_load_relaxed(&handles[i]) != (uintptr_t)handle)
            continue;
        state = ls_load_relaxed(&records[i].state);
        if ((state & USED) == 0 || (state & (GONE | DETACHED)) != 0)
            continue;
        found = &records[i];
        if ((state & JOINING) == 0)
            break;
    }
    return found;
}

ls_host_thread ls_host_thread_joining(pthread_t handle)
{
    struct record *record = find(handle);

    if (record == NULL)
        return 0;
    add_state(record, JOINING);
    return record->number;
}

void ls_host_thread_joined(ls_host_thread thread, bool succeeded)
{
    if (thread == 0)
        return;
    if (succeeded)
        add_state(&records[thread], GONE);
    else /* relaxed: a mark that find() may see late */
        atomic_fetch_and_explicit(&records[thread].state, ~(uint32_t)JOINING, memory_order_relaxed);
}

void ls_host_thread_detached(pthread_t handle)
{
    struct record *record = find(handle);

    if (record != NULL)
        add_state(record, DETACHED);
}

void ls_host_thread_cancelled(pthread_t handle)
{
    struct record *record = find(handle);

    if (record != NULL)
        add_state(record, CANCELLED);
}

void ls_host_threads_for_each(ls_host_threads_visit *visit, void *context)
{
    uint32_t used = ls_load_relaxed(&numbers_used);

    for (uint32_t i = 1; records != NULL && i < used; i++) {
        uint32_t state = ls_load_acquire(&records[i].state); /* Y4 pairs with Y3: the name */
        struct ls_host_thread_view view = {
            .slot = ls_load_relaxed(&records[i].slot),
            .finished = (state & FINISHED) != 0,
            .detached = (state & DETACHED) != 0,
            .cancelled = (state & CANCELLED) != 0,
            .id = ls_load_relaxed(&records[i].id),
            .last_name = records[i].name,
            .stack_bytes = ls_load_relaxed(&records[i].stack_bytes),
            .stack_address = ls_load_relaxed(&records[i].stack_address),
            .stack_end = ls_host_thread_stack_end(ls_load_relaxed(&handles[i])),
        };

        if ((state & USED) != 0 && (state & GONE) == 0)
            visit(context, &view);
    }
}

void ls_host_threads_after_fork(void)
{
    uint32_t used = ls_load_relaxed(&numbers_used);
    struct record *self = records == NULL ? NULL : pthread_getspecific(key);

    for (uint32_t i = 1; records != NULL && i < used; i++) {
        if (&records[i] != self && ls_load_relaxed(&records[i].state) != 0)
            give_back(&records[i]);
    }
    if (self != NULL)
        ls_store_relaxed(&self->id, ls_sys_gettid());
}
