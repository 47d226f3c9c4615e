#include "capture/mappings.h"

#include "base/atomic.h"
#include "capture/address_map.h"
#include "capture/mapping_events.h"
#include "capture/mapping_owners.h"
#include "capture/mapping_pending.h"
#include "ledger/ledger.h"
#include "system/maps.h"

static struct ls_address_map map;
static ls_mapping_ticket applying; /* the release being applied */

int ls_mappings_start(size_t ranges_max)
{
    int status = ls_mapping_owners_start();

    if (status == 0)
        status = ls_address_map_init(&map, ranges_max);
    return status == 0 ? ls_mapping_events_start() : status;
}

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
        ls_mapping_pending_put(&(struct ls_mapping_piece){applying, *piece, mapping->acquired_ns,
                                                          mapping->owner, last});
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

/* Nothing has been made there since by the thread that failed, and what others made there stays. */
static void restore_piece(void *context, const struct ls_mapping_piece *piece)
{
    const struct ls_address_range *next = ls_address_map_at_or_after(&map, piece->range.start);
    struct ls_mapping_owner *owner = ls_mapping_owner_at(piece->owner);

    (void)context;
    if (next != NULL && next->start < piece->range.end)
        return;
    if (piece->last)
        owner->released_count--;
    else
        owner->acquired_count++;
    put_mapping(&piece->range, piece->owner, piece->acquired_ns);
}

static void look_at_side(void *context, const struct ls_mapping_piece *piece)
{
    *(bool *)context = piece->range.reserved;
}

static void settle(ls_mapping_ticket ticket, ls_mapping_pending_visit *visit, void *context)
{
    if (!ls_mapping_pending_settle(ticket, visit, context))
        lose();
}

static void apply_move(const struct ls_mapping_event *event)
{
    bool reserved = false;

    settle(event->released, look_at_side, &reserved);
    apply_acquire(event, reserved);
}

static void let_go(void *context, const struct ls_mapping_piece *piece)
{
    (void)context, (void)piece;
}

static void apply(const struct ls_mapping_event *event, uint64_t number)
{
    switch (event->kind) {
    case LS_MAPPING_ACQUIRE:
        apply_acquire(event, event->reserved);
        break;
    case LS_MAPPING_RELEASE:
    case LS_MAPPING_LIFT:
        applying = ls_mapping_ticket_of(number, event->kind == LS_MAPPING_LIFT);
        remove_range(event->start, event->end);
        applying = 0;
        break;
    case LS_MAPPING_DETACH:
        applying = ls_mapping_ticket_of(number, false);
        remove_mapping(event->start);
        applying = 0;
        break;
    case LS_MAPPING_RESTORE:
        settle(event->released, restore_piece, NULL);
        break;
    case LS_MAPPING_MOVE:
        apply_move(event);
        break;
    case LS_MAPPING_CONFIRM:
        ls_mapping_pending_settle(event->released, let_go, NULL);
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

    if (ls_maps_read(false, compare, &reached) == 0)
        remove_range(reached, UINTPTR_MAX);
}

struct agreement {
    uint64_t found;   /* known, and mapped */
    uint64_t differs; /* of that, on the other side */
};

static void look_up_entry(void *context, const struct ls_map_entry *entry)
{
    struct agreement *agreement = context;
    uintptr_t at = entry->start;

    while (at < entry->end) {
        const struct ls_address_range *range = ls_address_map_at_or_after(&map, at);
        uintptr_t start;
        uintptr_t end;

        if (range == NULL || range->start >= entry->end)
            return;
        start = range->start > at ? range->start : at;
        end = range->end < entry->end ? range->end : entry->end;
        agreement->found += end - start;
        agreement->differs += range->reserved == entry->is_reserved ? 0 : end - start;
        at = end;
    }
}

double ls_mappings_disagreement(void)
{
    struct agreement agreement = {0};
    uint64_t known = 0;

    if (ls_mapping_events.cells == NULL || ls_maps_read(false, look_up_entry, &agreement) != 0)
        return -1;
    for (int class = 0; class < LS_MAPPING_CLASS_COUNT; class ++) {
        struct ls_mapping_totals totals;

        ls_mappings_totals((enum ls_mapping_class) class, &totals);
        known += totals.committed_bytes + totals.reserved_bytes;
    }
    return (double)(known - agreement.found) + (double)agreement.differs;
}

void ls_mappings_drain(void)
{
    struct ls_mapping_event event;
    uint64_t left;
    uint64_t number;

    if (ls_mapping_events.cells == NULL)
        return;
    /* As many as were waiting at the start: producers cannot keep the collector here. */
    left = ls_mapping_queue_waiting(&ls_mapping_events);
    for (; left > 0 && (number = ls_mapping_queue_pop(&ls_mapping_events, &event)) != 0; left--)
        apply(&event, number);
    if (LS_UNLIKELY(ls_mapping_events_were_lost()))
        compare_with_kernel();
}

void ls_mappings_settle(uint32_t stacks_known, ls_mapping_classify *classify)
{
    if (ls_mapping_events.cells == NULL)
        return;
    ls_mappings_drain();
    ls_mapping_owners_settle(stacks_known, classify);
}

struct ls_mapping_stretch ls_mappings_look_up(uintptr_t address, uintptr_t end)
{
    struct ls_mapping_stretch stretch = {.end = end};
    const struct ls_address_range *range =
        ls_mapping_events.cells == NULL ? NULL : ls_address_map_at_or_after(&map, address);

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

    if (owner->class == LS_MAPPING_PROGRAM)
        ages->visit(ages->context, owner->stack, range->reserved ? 0 : range->end - range->start,
                    mapping->acquired_ns);
}

void ls_mappings_for_each(ls_mappings_visit *visit, void *context)
{
    struct ages ages = {visit, context};

    if (ls_mapping_events.cells != NULL)
        ls_address_map_for_each(&map, tell_age, &ages);
}

void ls_mappings_after_fork(void)
{
    struct ls_mapping_event event;
    uint64_t number;

    if (ls_mapping_events.cells == NULL)
        return;
    while ((number = ls_mapping_queue_pop_whole(&ls_mapping_events, &event)) != 0)
        apply(&event, number);
    ls_mapping_pending_after_fork();
}
