#include "capture/mappings.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "capture/address_map.h"
#include "capture/callsite.h"
#include "capture/mapping_owners.h"
#include "capture/mapping_queue.h"
#include "capture/thread.h"
#include "ledger/ledger.h"
#include "system/allocator_code.h"
#include "system/clock.h"
#include "system/maps.h"
#include "system/memory.h"
#include "system/syscall.h"

#define QUEUE_EVENTS 16384
#define PAGE_BYTES   UINT64_C(4096)
/* A thread that finds the queue full lets others run so often, the collector perhaps among them. */
#define YIELDS_MAX 100
/* Pieces of releases under way that can be brought back. */
#define PENDING_MAX 1024

/* A piece of a release whose real call may yet fail or move it. */
struct pending {
    uint64_t release; /* the event's number; 0: none */
    struct ls_address_range range;
    uint64_t acquired_ns;
    uint32_t owner;
    bool last; /* the mapping had no other piece */
};

static struct ls_mapping_queue queue;
static struct ls_address_map map;
static struct pending pending[PENDING_MAX];
static uint32_t next_pending;
static uint64_t applying; /* number of the release being applied */
static _Atomic int mode;
/* Relaxed: raised by whoever lost an event; the collector looks again and again. */
static _Atomic int events_lost;

int ls_mappings_start(size_t ranges_max)
{
    size_t bytes = QUEUE_EVENTS * sizeof(struct ls_mapping_cell);
    struct ls_mapping_cell *cells = ls_memory_own_map(bytes, bytes);
    int status = ls_mapping_owners_start();

    if (cells == NULL)
        return -ENOMEM;
    ls_mapping_queue_init(&queue, cells, QUEUE_EVENTS);
    if (status == 0)
        status = ls_address_map_init(&map, ranges_max);
    return status;
}

void ls_mappings_set_mode(enum ls_mappings_mode wanted)
{
    if (queue.cells != NULL)
        ls_store_release(&mode, (int)wanted); /* N5 pairs with N6 */
}

bool ls_mappings_active(void)
{
    return ls_load_acquire(&mode) != LS_MAPPINGS_OFF; /* N6 pairs with N5 */
}

/* --- producers --- */

static uint64_t push(const struct ls_mapping_event *event)
{
    uint64_t number = ls_mapping_queue_push(&queue, event);

    for (int i = 0; LS_UNLIKELY(number == 0) && i < YIELDS_MAX; i++) {
        ls_sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
        number = ls_mapping_queue_push(&queue, event);
    }
    if (LS_UNLIKELY(number == 0)) {
        ls_store_relaxed(&events_lost, 1);
        return 0;
    }
    if (LS_UNLIKELY(ls_mapping_queue_waiting(&queue) == QUEUE_EVENTS / 2))
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

ls_mapping_ticket ls_mappings_release(const void *address, size_t length)
{
    if (!ls_mappings_active() || !is_range(address, length))
        return 0;
    return push(&(struct ls_mapping_event){
        .kind = LS_MAPPING_RELEASE, .start = (uintptr_t)address, .end = end_of(address, length)});
}

ls_mapping_ticket ls_mappings_detach(const void *address)
{
    if (!ls_mappings_active())
        return 0;
    return push(&(struct ls_mapping_event){.kind = LS_MAPPING_DETACH, .start = (uintptr_t)address});
}

void ls_mappings_restore(ls_mapping_ticket ticket)
{
    if (ticket != 0 &&
        push(&(struct ls_mapping_event){.kind = LS_MAPPING_RESTORE, .released = ticket}) == 0)
        ls_add_relaxed(&ls_ledger.lost_acquires, 1);
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

static void put_in(struct ls_mapping_event *event, const void *address, size_t length)
{
    int saved_errno = errno;

    event->start = (uintptr_t)address;
    event->end = end_of(address, length);
    event->now_ns = ls_clock_coarse_ns();
    if (event->stack == LS_STACK_UNKNOWN && ls_thread_is_own_work())
        return;
    /* Without a stack the mapping is not tracked, but what it replaced is gone all the same. */
    if ((push(event) == 0 || event->stack == LS_STACK_UNKNOWN) &&
        ls_load_relaxed(&mode) == LS_MAPPINGS_TRACKED)
        ls_add_relaxed(&ls_ledger.lost_acquires, 1);
    errno = saved_errno;
}

void ls_mappings_acquire(const void *address, size_t length, int protection, const void *caller)
{
    struct ls_mapping_event event = {.kind = LS_MAPPING_ACQUIRE,
                                     .reserved = protection == PROT_NONE};
    int saved_errno = errno;

    if (!ls_mappings_active() || !is_range(address, length))
        return;
    event.stack = stack_here(__builtin_frame_address(0), caller);
    put_in(&event, address, length);
    errno = saved_errno;
}

void ls_mappings_move(ls_mapping_ticket ticket, const void *address, size_t length,
                      const void *caller)
{
    struct ls_mapping_event event = {.kind = LS_MAPPING_MOVE, .released = ticket};
    int saved_errno = errno;

    if (!ls_mappings_active() || !is_range(address, length))
        return;
    event.stack = stack_here(__builtin_frame_address(0), caller);
    put_in(&event, address, length);
    errno = saved_errno;
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

/* --- the collector --- */

static uint64_t length_of(const struct ls_address_range *range)
{
    return range->end - range->start;
}

/* A piece is gone; `mapping` without it. */
static void take_off(void *context, const struct ls_address_range *piece,
                     const struct ls_address_mapping *mapping)
{
    struct ls_mapping_owner *owner = ls_mapping_owner_at(mapping->owner);
    bool last = mapping->pieces == 0;

    (void)context;
    *(piece->reserved ? &owner->reserved_bytes : &owner->committed_bytes) -= length_of(piece);
    owner->pieces--;
    owner->released_count += last;
    if (applying != 0)
        pending[next_pending++ % PENDING_MAX] =
            (struct pending){applying, *piece, mapping->acquired_ns, mapping->owner, last};
}

static void change_side(void *context, const struct ls_address_range *piece,
                        const struct ls_address_mapping *mapping)
{
    struct ls_mapping_owner *owner = ls_mapping_owner_at(mapping->owner);
    uint64_t length = length_of(piece);

    (void)context;
    if (piece->reserved)
        owner->acquired_bytes += length;
    owner->committed_bytes += piece->reserved ? length : -length;
    owner->reserved_bytes += piece->reserved ? -length : length;
}

static void lose(void)
{
    ls_add_relaxed(&ls_ledger.lost_acquires, 1);
}

static void put_mapping(const struct ls_address_range *range, uint32_t index, uint64_t now_ns)
{
    struct ls_mapping_owner *owner = ls_mapping_owner_at(index);

    if (!ls_address_map_insert(&map, range, index, now_ns)) {
        lose();
        return;
    }
    *(range->reserved ? &owner->reserved_bytes : &owner->committed_bytes) += length_of(range);
    owner->pieces++;
}

static void remove_range(uintptr_t start, uintptr_t end)
{
    if (!ls_address_map_remove(&map, start, end, take_off, NULL))
        lose();
}

static void remove_mapping(uintptr_t start)
{
    const struct ls_address_range *piece = ls_address_map_at_or_after(&map, start);
    uint32_t mapping;

    if (piece == NULL || piece->start != start)
        return;
    mapping = piece->mapping;
    while (piece != NULL && piece->mapping == mapping) {
        remove_range(piece->start, piece->end);
        piece = ls_address_map_at_or_after(&map, start);
    }
}

static void apply_acquire(const struct ls_mapping_event *event, bool reserved)
{
    struct ls_address_range range = {event->start, event->end, 0, reserved};
    struct ls_mapping_owner *owner;
    uint32_t index;

    remove_range(event->start, event->end);
    if (event->stack == LS_STACK_UNKNOWN)
        return;
    index = ls_mapping_owner_of(event->stack);
    owner = ls_mapping_owner_at(index);
    owner->acquired_count++;
    owner->acquired_bytes += reserved ? 0 : length_of(&range);
    put_mapping(&range, index, event->now_ns);
}

/* All of it is settled at once: nothing has been made there since by the thread that failed, and
 * what others made there stays. */
static void apply_restore(uint64_t release)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        struct pending *piece = &pending[i];
        const struct ls_address_range *next;
        struct ls_mapping_owner *owner;

        if (piece->release != release)
            continue;
        piece->release = 0;
        next = ls_address_map_at_or_after(&map, piece->range.start);
        if (next != NULL && next->start < piece->range.end)
            continue;
        owner = ls_mapping_owner_at(piece->owner);
        if (piece->last)
            owner->released_count--;
        else
            owner->acquired_count++;
        put_mapping(&piece->range, piece->owner, piece->acquired_ns);
    }
}

static void apply_move(const struct ls_mapping_event *event)
{
    bool reserved = false;

    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        if (event->released != 0 && pending[i].release == event->released) {
            reserved = pending[i].range.reserved;
            pending[i].release = 0;
        }
    }
    apply_acquire(event, reserved);
}

static void apply(const struct ls_mapping_event *event, uint64_t number)
{
    switch (event->kind) {
    case LS_MAPPING_ACQUIRE:
        apply_acquire(event, event->reserved);
        break;
    case LS_MAPPING_RELEASE:
        applying = number;
        remove_range(event->start, event->end);
        applying = 0;
        break;
    case LS_MAPPING_DETACH:
        applying = number;
        remove_mapping(event->start);
        applying = 0;
        break;
    case LS_MAPPING_RESTORE:
        apply_restore(event->released);
        break;
    case LS_MAPPING_MOVE:
        apply_move(event);
        break;
    case LS_MAPPING_PROTECT:
        if (!ls_address_map_protect(&map, event->start, event->end, event->reserved, change_side,
                                    NULL))
            lose();
        break;
    default:
        break;
    }
}

bool ls_mappings_want_drain(void)
{
    return queue.cells != NULL && ls_mapping_queue_waiting(&queue) >= QUEUE_EVENTS / 2;
}

/* What the kernel has at a stretch of addresses, `mapped` or nothing. */
static void compare(void *context, const struct ls_map_entry *entry)
{
    uintptr_t *reached = context;

    if (entry->start > *reached)
        remove_range(*reached, entry->start);
    ls_address_map_protect(&map, entry->start, entry->end, entry->is_reserved, change_side, NULL);
    *reached = entry->end;
}

/* Events were lost. What was mapped without our knowing stays unknown; what is gone is found.
 * Events that come in meanwhile are newer than what is read and are carried in after it. */
static void compare_with_kernel(void)
{
    uintptr_t reached = 0;

    ls_store_relaxed(&events_lost, 0);
    if (ls_maps_read(false, compare, &reached) == 0)
        remove_range(reached, UINTPTR_MAX);
}

void ls_mappings_drain(void)
{
    struct ls_mapping_event event;
    uint64_t left;
    uint64_t number;

    if (queue.cells == NULL)
        return;
    /* As many as were waiting at the start: producers cannot keep the collector here. */
    left = ls_mapping_queue_waiting(&queue);
    for (; left > 0 && (number = ls_mapping_queue_pop(&queue, &event)) != 0; left--)
        apply(&event, number);
    if (LS_UNLIKELY(ls_load_relaxed(&events_lost)))
        compare_with_kernel();
}

void ls_mappings_settle(uint32_t stacks_known, ls_mapping_classify *classify)
{
    if (queue.cells == NULL)
        return;
    ls_mappings_drain();
    ls_mapping_owners_settle(stacks_known, classify);
}

struct ls_mapping_stretch ls_mappings_look_up(uintptr_t address, uintptr_t end)
{
    struct ls_mapping_stretch stretch = {.end = end};
    const struct ls_address_range *range =
        queue.cells == NULL ? NULL : ls_address_map_at_or_after(&map, address);

    if (range == NULL || range->start >= end)
        return stretch;
    if (range->start > address) {
        stretch.end = range->start;
        return stretch;
    }
    stretch.known = true;
    stretch.reserved = range->reserved;
    stretch.owner = ls_mapping_owner_at(ls_address_map_mapping(&map, range)->owner)->class;
    if (range->end < end)
        stretch.end = range->end;
    return stretch;
}

struct ages {
    ls_mappings_visit *visit;
    void *context;
};

static void tell_age(void *context, const struct ls_address_range *range,
                     const struct ls_address_mapping *mapping)
{
    const struct ages *ages = context;
    const struct ls_mapping_owner *owner = ls_mapping_owner_at(mapping->owner);

    (void)range;
    if (owner->class == LS_MAPPING_PROGRAM)
        ages->visit(ages->context, owner->stack, mapping->acquired_ns);
}

void ls_mappings_for_each(ls_mappings_visit *visit, void *context)
{
    struct ages ages = {visit, context};

    if (queue.cells != NULL)
        ls_address_map_for_each(&map, tell_age, &ages);
}

bool ls_mappings_lost_events(void)
{
    return ls_load_relaxed(&events_lost) != 0;
}

void ls_mappings_after_fork(void)
{
    struct ls_mapping_event event;
    uint64_t number;

    if (queue.cells == NULL)
        return;
    while ((number = ls_mapping_queue_pop_whole(&queue, &event)) != 0)
        apply(&event, number);
}
