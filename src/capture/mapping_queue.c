#include "capture/mapping_queue.h"

#include "base/atomic.h"

/* A cell's sequence, less its position: 0 free to be filled in this round, 1 filled. Zeroed memory
 * must be free for round 0, so the position within the cells is left out of what is stored. */
static uint64_t stored(const struct ls_mapping_queue *queue, uint64_t position)
{
    return position & ~queue->mask;
}

void ls_mapping_queue_init(struct ls_mapping_queue *queue, struct ls_mapping_cell *cells,
                           size_t capacity)
{
    queue->cells = cells;
    queue->mask = capacity - 1;
}

uint64_t ls_mapping_queue_push(struct ls_mapping_queue *queue, const struct ls_mapping_event *event)
{
    uint64_t position = ls_load_relaxed(&queue->tail);
    struct ls_mapping_cell *cell;

    for (;;) {
        uint64_t sequence;

        cell = &queue->cells[position & queue->mask];
        sequence = ls_load_acquire(&cell->sequence); /* N1 pairs with N4 */
        if (sequence == stored(queue, position)) {
            /* Relaxed: it only claims the cell; N2 hands it over. On failure it loads the tail. */
            if (ls_compare_exchange_relaxed(&queue->tail, &position, position + 1))
                break;
        } else if ((int64_t)(sequence - stored(queue, position)) < 0) {
            return 0;
        } else {
            position = ls_load_relaxed(&queue->tail);
        }
    }
    cell->event = *event;
    ls_store_release(&cell->sequence, stored(queue, position) + 1); /* N2 pairs with N3 */
    return position + 1;
}

static uint64_t take(struct ls_mapping_queue *queue, uint64_t position,
                     struct ls_mapping_event *event)
{
    struct ls_mapping_cell *cell = &queue->cells[position & queue->mask];
    uint64_t filled = stored(queue, position) + 1;

    if (ls_load_acquire(&cell->sequence) != filled) /* N3 pairs with N2 */
        return 0;
    *event = cell->event;
    /* N4 pairs with N1: the event has been read. */
    ls_store_release(&cell->sequence, stored(queue, position) + queue->mask + 1);
    return position + 1;
}

uint64_t ls_mapping_queue_pop(struct ls_mapping_queue *queue, struct ls_mapping_event *event)
{
    uint64_t head = ls_load_relaxed(&queue->head);
    uint64_t number = take(queue, head, event);

    if (number != 0)
        ls_store_relaxed(&queue->head, head + 1); /* relaxed: others read it as a hint */
    return number;
}

uint64_t ls_mapping_queue_taken(const struct ls_mapping_queue *queue)
{
    return ls_load_relaxed(&queue->head);
}

uint64_t ls_mapping_queue_waiting(const struct ls_mapping_queue *queue)
{
    uint64_t head = ls_load_relaxed(&queue->head);
    uint64_t tail = ls_load_relaxed(&queue->tail);

    return tail > head ? tail - head : 0;
}

uint64_t ls_mapping_queue_pop_whole(struct ls_mapping_queue *queue, struct ls_mapping_event *event)
{
    uint64_t tail = ls_load_relaxed(&queue->tail);

    while (ls_load_relaxed(&queue->head) < tail) {
        uint64_t head = ls_load_relaxed(&queue->head);
        uint64_t number = take(queue, head, event);

        ls_store_relaxed(&queue->head, head + 1);
        if (number != 0)
            return number;
        ls_store_relaxed(&queue->cells[head & queue->mask].sequence,
                         stored(queue, head) + queue->mask + 1);
    }
    return 0;
}
