#include "capture/mapping_events.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "capture/callsite.h"
#include "capture/mapping_owners.h"
#include "capture/mapping_pending.h"
#include "capture/mappings.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/allocator_code.h"
#include "system/clock.h"
#include "system/memory.h"
#include "system/syscall.h"

#define QUEUE_EVENTS 16384
#define PAGE_BYTES   UINT64_C(4096)
/* The collector is woken when the queue is half full, and for each of so many events above that. */
#define WAKE_EVERY 1024
/* A thread that finds the queue full waits so often for the collector, 50 to 60 ms in all. */
#define WAITS_MAX 100
#define WAIT_NS   500000

struct ls_mapping_queue ls_mapping_events;

static _Atomic int mode;
/* Relaxed: raised by whoever lost an event; the collector looks again and again. */
static _Atomic int events_lost;
/* Events taken so far plus one when the collector took none while a thread waited: nobody waits
 * for it again before it does. Relaxed: a hint. */
static _Atomic uint64_t stalled_at;

int ls_mapping_events_start(void)
{
    size_t bytes = QUEUE_EVENTS * sizeof(struct ls_mapping_cell);
    struct ls_mapping_cell *cells = ls_memory_own_map(bytes, bytes);

    if (cells == NULL)
        return -ENOMEM;
    ls_mapping_queue_init(&ls_mapping_events, cells, QUEUE_EVENTS);
    return 0;
}

bool ls_mapping_events_were_lost(void)
{
    return ls_load_relaxed(&events_lost) != 0 && ls_exchange_relaxed(&events_lost, 0) != 0;
}

bool ls_mappings_want_drain(void)
{
    return ls_mapping_events.cells != NULL &&
           ls_mapping_queue_waiting(&ls_mapping_events) >= QUEUE_EVENTS / 2;
}

void ls_mappings_set_mode(enum ls_mappings_mode wanted)
{
    if (ls_mapping_events.cells != NULL)
        ls_store_release(&mode, (int)wanted); /* N5 pairs with N6 */
}

bool ls_mappings_active(void)
{
    return ls_load_acquire(&mode) != LS_MAPPINGS_OFF; /* N6 pairs with N5 */
}

/* The queue is full: the collector is behind, or held up by what a host must not wait for. */
static uint64_t push_when_drained(const struct ls_mapping_event *event)
{
    uint64_t taken = ls_mapping_queue_taken(&ls_mapping_events);
    uint64_t number = 0;

    if (ls_load_relaxed(&stalled_at) == taken + 1 || ls_thread_is_own_work())
        return 0;
    ls_ledger_wake_collector();
    for (int i = 0; number == 0 && i < WAITS_MAX; i++) {
        ls_sys_sleep(WAIT_NS);
        number = ls_mapping_queue_push(&ls_mapping_events, event);
    }
    if (number == 0 && ls_mapping_queue_taken(&ls_mapping_events) == taken)
        ls_store_relaxed(&stalled_at, taken + 1);
    return number;
}

static uint64_t push(const struct ls_mapping_event *event)
{
    uint64_t number = ls_mapping_queue_push(&ls_mapping_events, event);

    if (LS_UNLIKELY(number == 0))
        number = push_when_drained(event);
    if (LS_UNLIKELY(number == 0))
        ls_store_relaxed(&events_lost, 1);
    else if (LS_UNLIKELY(number % WAKE_EVERY == 0) && ls_mappings_want_drain())
        ls_ledger_wake_collector();
    return number;
}

static uintptr_t end_of(const void *address, size_t length)
{
    return (uintptr_t)address + ((length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
}

/* What the kernel refuses has no effect: nothing to record and nothing to bring back. */
static bool is_range(const void *address, size_t length)
{
    return ((uintptr_t)address & (PAGE_BYTES - 1)) == 0 && length != 0 &&
           end_of(address, length) > (uintptr_t)address;
}

static ls_mapping_ticket take_off(enum ls_mapping_event_kind kind, const void *address,
                                  uintptr_t end)
{
    struct ls_mapping_event event = {
        .kind = (uint8_t)kind, .start = (uintptr_t)address, .end = end};

    if (!ls_mappings_active())
        return 0;
    return ls_mapping_ticket_of(push(&event), kind == LS_MAPPING_LIFT);
}

ls_mapping_ticket ls_mappings_release(const void *address, size_t length)
{
    return is_range(address, length)
               ? take_off(LS_MAPPING_RELEASE, address, end_of(address, length))
               : 0;
}

ls_mapping_ticket ls_mappings_lift(const void *address, size_t length)
{
    return is_range(address, length) ? take_off(LS_MAPPING_LIFT, address, end_of(address, length))
                                     : 0;
}

ls_mapping_ticket ls_mappings_detach(const void *address)
{
    return take_off(LS_MAPPING_DETACH, address, 0);
}

void ls_mappings_restore(ls_mapping_ticket ticket)
{
    if (ticket != 0 &&
        push(&(struct ls_mapping_event){.kind = LS_MAPPING_RESTORE, .released = ticket}) == 0)
        ls_add_relaxed(&ls_ledger.lost_acquires, 1);
}

/* Not told, its pieces wait until they are the oldest and room is wanted: nothing is wrong. */
void ls_mappings_confirm(ls_mapping_ticket ticket)
{
    if (ticket != 0)
        push(&(struct ls_mapping_event){.kind = LS_MAPPING_CONFIRM, .released = ticket});
}

/* Inlined into the function that the hook calls; LS_STACK_UNKNOWN when there is none to be had. */
LS_INLINE uint32_t stack_here(const void *record, const void *caller)
{
    struct ls_thread *thread;
    uint32_t stack;

    if (ls_load_relaxed(&mode) == LS_MAPPINGS_STOPPED)
        return LS_STACK_UNKNOWN;
    if (ls_allocator_code_has(caller))
        return LS_MAPPING_STACK_ALLOCATOR;
    thread = ls_thread_enter();
    if (thread == NULL)
        return LS_STACK_UNKNOWN;
    stack = ls_callsite_stack(thread, record);
    ls_thread_leave();
    return stack;
}

/* Inlined into the function that the hook calls, whose frame `record` is. Keeps errno. */
LS_INLINE void put_in(struct ls_mapping_event event, const void *address, size_t length,
                      const void *record, const void *caller)
{
    int saved_errno = errno;

    if (!ls_mappings_active() || !is_range(address, length))
        return;
    event.stack = stack_here(record, caller);
    event.start = (uintptr_t)address;
    event.end = end_of(address, length);
    event.now_ns = ls_clock_coarse_ns();
    /* Without a stack the mapping is not tracked, but what it replaced is gone all the same. */
    if ((event.stack != LS_STACK_UNKNOWN || !ls_thread_is_own_work()) &&
        (push(&event) == 0 || event.stack == LS_STACK_UNKNOWN) &&
        ls_load_relaxed(&mode) == LS_MAPPINGS_TRACKED)
        ls_add_relaxed(&ls_ledger.lost_acquires, 1);
    errno = saved_errno;
}

void ls_mappings_acquire(const void *address, size_t length, int protection, const void *caller)
{
    put_in(
        (struct ls_mapping_event){.kind = LS_MAPPING_ACQUIRE, .reserved = protection == PROT_NONE},
        address, length, __builtin_frame_address(0), caller);
}

void ls_mappings_move(ls_mapping_ticket ticket, const void *address, size_t length,
                      const void *caller)
{
    put_in((struct ls_mapping_event){.kind = LS_MAPPING_MOVE, .released = ticket}, address, length,
           __builtin_frame_address(0), caller);
}

void ls_mappings_protect(const void *address, size_t length, int protection)
{
    if (!ls_mappings_active() || !is_range(address, length))
        return;
    push(&(struct ls_mapping_event){.kind = LS_MAPPING_PROTECT,
                                    .start = (uintptr_t)address,
                                    .end = end_of(address, length),
                                    .reserved = protection == PROT_NONE});
}
