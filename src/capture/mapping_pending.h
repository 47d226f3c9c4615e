/*
 * Pieces of mappings that a release has taken off before its real call, which may yet fail or move
 * them. The collector's.
 *
 * Of a lift (mremap) an event always tells what came of it, and its pieces wait for that, however
 * long the thread is held up. Of another release only a failure would be told, so its pieces are
 * kept until LS_MAPPING_PENDING_MAX newer ones have come.
 */
#ifndef LS_CAPTURE_MAPPING_PENDING_H
#define LS_CAPTURE_MAPPING_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/address_map.h"

#define LS_MAPPING_PENDING_MAX 1024

struct ls_mapping_piece {
    uint64_t ticket; /* of the release, as ls_mapping_ticket_of makes it; never 0 */
    struct ls_address_range range;
    uint64_t acquired_ns;
    uint32_t owner;
    bool last; /* the mapping had no other piece */
};

/* `number`: the event's. */
static inline uint64_t ls_mapping_ticket_of(uint64_t number, bool lifted)
{
    return number == 0 ? 0 : number << 1 | lifted;
}

void ls_mapping_pending_put(const struct ls_mapping_piece *piece);

typedef void ls_mapping_pending_visit(void *context, const struct ls_mapping_piece *piece);
/* Takes out the pieces of the release, in no order. False when none was left and pieces so old have
 * been given up for want of room. Ticket 0 has none. */
bool ls_mapping_pending_settle(uint64_t ticket, ls_mapping_pending_visit *visit, void *context);
/* No lift is under way: in a forked child. Nothing will ask for what other releases left. */
void ls_mapping_pending_after_fork(void);

#endif
