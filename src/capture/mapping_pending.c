#include "capture/mapping_pending.h"

#include <stddef.h>

struct waiting {
    struct ls_mapping_piece pieces[LS_MAPPING_PENDING_MAX]; /* ticket 0: free */
    uint32_t used;
    uint64_t given_up; /* the newest ticket of which a piece had to go */
};

static struct waiting lifted;
static struct waiting released;
static uint32_t next_released;

static struct waiting *waiting_of(uint64_t ticket)
{
    return (ticket & 1) != 0 ? &lifted : &released;
}

static struct ls_mapping_piece *free_or_oldest(struct waiting *waiting)
{
    struct ls_mapping_piece *oldest = &waiting->pieces[0];

    for (size_t i = 0; i < LS_MAPPING_PENDING_MAX; i++) {
        struct ls_mapping_piece *piece = &waiting->pieces[i];

        if (piece->ticket == 0)
            return piece;
        if (piece->ticket < oldest->ticket)
            oldest = piece;
    }
    return oldest;
}

void ls_mapping_pending_put(const struct ls_mapping_piece *piece)
{
    struct waiting *waiting = waiting_of(piece->ticket);
    struct ls_mapping_piece *place =
        waiting == &lifted ? free_or_oldest(waiting)
                           : &waiting->pieces[next_released++ % LS_MAPPING_PENDING_MAX];

    if (place->ticket > waiting->given_up)
        waiting->given_up = place->ticket;
    waiting->used += place->ticket == 0;
    *place = *piece;
}

bool ls_mapping_pending_take(uint64_t ticket, struct ls_mapping_piece *piece)
{
    struct waiting *waiting = waiting_of(ticket);
    uint32_t left = waiting->used;

    for (size_t i = 0; left > 0; i++) {
        struct ls_mapping_piece *found = &waiting->pieces[i];

        left -= found->ticket != 0;
        if (found->ticket == 0 || found->ticket != ticket)
            continue;
        *piece = *found;
        found->ticket = 0;
        waiting->used--;
        return true;
    }
    return false;
}

bool ls_mapping_pending_gave_up(uint64_t ticket)
{
    return ticket <= waiting_of(ticket)->given_up;
}

void ls_mapping_pending_clear(void)
{
    for (size_t i = 0; i < LS_MAPPING_PENDING_MAX; i++) {
        lifted.pieces[i].ticket = 0;
        released.pieces[i].ticket = 0;
    }
    lifted.used = 0;
    released.used = 0;
}
