#include "ledger/ring.h"

#include "base/atomic.h"

void ls_ring_init(struct ls_ring *ring, struct ls_ring_cell *cells, size_t capacity)
{
    ring->cells = cells;
    ring->mask = capacity - 1;
    ring->high_water = 0;
    ls_ring_clear(ring);
}

void ls_ring_clear(struct ls_ring *ring)
{
    for (uint64_t i = 0; i <= ring->mask; i++)
        ls_store_relaxed(&ring->cells[i].sequence, i);
    ls_store_relaxed(&ring->tail, 0);
    ls_store_release(&ring->head, 0);
}

bool ls_ring_push(struct ls_ring *ring, uint64_t event)
{
    /* Relaxed: the claim itself orders nothing; the cell's sequence does. */
    uint64_t position = ls_load_relaxed(&ring->tail);

    for (;;) {
        struct ls_ring_cell *cell = &ring->cells[position & ring->mask];
        uint64_t sequence = ls_load_acquire(&cell->sequence); /* R1 pairs with R4 */
        int64_t lead = (int64_t)(sequence - position);

        if (lead < 0)
            return false;
        if (lead > 0) {
            position = ls_load_relaxed(&ring->tail);
            continue;
        }
        if (ls_compare_exchange_relaxed(&ring->tail, &position, position + 1)) {
            cell->event = event;
            ls_store_release(&cell->sequence, position + 1); /* R2 pairs with R3 */
            return true;
        }
    }
}

bool ls_ring_pop(struct ls_ring *ring, uint64_t *event)
{
    uint64_t position = ls_load_relaxed(&ring->head);
    struct ls_ring_cell *cell = &ring->cells[position & ring->mask];
    uint64_t waiting;

    if (ls_load_acquire(&cell->sequence) != position + 1) /* R3 pairs with R2 */
        return false;
    waiting = ls_load_relaxed(&ring->tail) - position;
    if (waiting > ring->high_water)
        ring->high_water = waiting;
    *event = cell->event;
    ls_store_release(&cell->sequence, position + ring->mask + 1); /* R4 pairs with R1 */
    ls_store_relaxed(&ring->head, position + 1);
    return true;
}

uint64_t ls_ring_waiting(const struct ls_ring *ring)
{
    uint64_t tail = ls_load_relaxed(&ring->tail);
    uint64_t head = ls_load_relaxed(&ring->head);

    return tail > head ? tail - head : 0;
}
