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

bool ls_mapping_pending_settle(uint64_t ticket, ls_mapping_pending_visit *visit, void *context)
{
    struct waiting *waiting = waiting_of(ticket);
    uint32_t left = waiting->used;
    bool found = false;

    if (ticket == 0)
        return true;
    for (struct ls_mapping_piece *piece = waiting->pieces; left > 0; piece++) {
        left -= piece->ticket != 0;
        if (piece->ticket != ticket)
            continue;
        visit(context, piece);
        piece->ticket = 0;
        waiting->used--;
        found = true;
    }
    return found || ticket > waiting->given_up;
}

void ls_mapping_pending_after_fork(void)
{
    for (struct ls_mapping_piece *piece = lifted.pieces; lifted.used > 0; piece++) {
        lifted.used -= piece->ticket != 0;
        piece->ticket = 0;
    }
}
