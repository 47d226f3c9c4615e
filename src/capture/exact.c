#include "capture/exact.h"

#include <errno.h>

#include "base/atomic.h"
#include "ledger/ledger.h"
#include "system/memory.h"

#define CELLS_PER_CHUNK LS_EXACT_CELLS_PER_CHUNK

static uint32_t chunk_count;
static struct ls_exact_cell *shared;   /* any thread, by atomic addition */
static struct ls_exact_cell *departed; /* the collector's */
/* Relaxed everywhere: a bound that threads may pass at once by a chunk each. */
static _Atomic size_t threads_bytes;
static size_t threads_bytes_max = SIZE_MAX;

static size_t table_bytes(void)
{
    return (size_t)chunk_count * CELLS_PER_CHUNK * sizeof(struct ls_exact_cell);
}

static size_t counts_bytes(void)
{
    return (size_t)chunk_count * sizeof(_Atomic(struct ls_exact_cell *));
}

#define CHUNK_BYTES (CELLS_PER_CHUNK * sizeof(struct ls_exact_cell))

int ls_exact_start(uint32_t stacks)
{
    chunk_count = stacks / CELLS_PER_CHUNK;
    /* Touched where stacks are; charged as a tenth. */
    shared = ls_memory_own_map(table_bytes(), table_bytes() / 10);
    departed = ls_memory_own_map(table_bytes(), table_bytes() / 10);
    return shared == NULL || departed == NULL ? -ENOMEM : 0;
}

void ls_exact_set_memory(size_t bytes)
{
    threads_bytes_max = bytes;
}

static LS_COLD struct ls_exact_cell *make_cell(struct ls_thread *thread, uint32_t stack)
{
    struct ls_exact_counts *counts = ls_load_relaxed(&thread->counts);
    struct ls_exact_cell *chunk;

    if (ls_load_relaxed(&threads_bytes) >= threads_bytes_max)
        return NULL;
    if (counts == NULL) {
        counts = ls_memory_own_map(counts_bytes(), counts_bytes() / 4);
        if (counts == NULL)
            return NULL;
        ls_store_release(&thread->counts, counts); /* X3 pairs with X4 */
    }
    chunk = ls_memory_own_allocate(CHUNK_BYTES);
    if (chunk == NULL)
        return NULL;
    ls_add_relaxed(&threads_bytes, CHUNK_BYTES);
    ls_store_release(&counts->chunks[stack / CELLS_PER_CHUNK], chunk); /* X1 pairs with X2 */
    return &chunk[stack % CELLS_PER_CHUNK];
}

void ls_exact_add_slowly(struct ls_thread *thread, uint32_t stack, enum ls_exact_side side,
                         uint64_t size)
{
    if (thread != NULL && make_cell(thread, stack) != NULL) {
        ls_exact_add(thread, stack, side, size);
        return;
    }
    /* Relaxed: counters that are only summed. */
    ls_add_relaxed(&shared[stack].sides[side].count, 1);
    ls_add_relaxed(&shared[stack].sides[side].bytes, size);
}

static void add_cell(struct ls_tally *tally, const struct ls_exact_cell *cell)
{
    /* Releases first: a block released between the two loads is then live once too long, never
     * negative. Relaxed: each counter is right by itself. */
    double released_count = (double)ls_load_relaxed(&cell->sides[LS_EXACT_RELEASED].count);
    double released_bytes = (double)ls_load_relaxed(&cell->sides[LS_EXACT_RELEASED].bytes);
    double acquired_count = (double)ls_load_relaxed(&cell->sides[LS_EXACT_ACQUIRED].count);
    double acquired_bytes = (double)ls_load_relaxed(&cell->sides[LS_EXACT_ACQUIRED].bytes);

    tally->acquired_count += acquired_count;
    tally->acquired_bytes += acquired_bytes;
    tally->released_count += released_count;
    tally->live_count += acquired_count - released_count;
    tally->live_bytes += acquired_bytes - released_bytes;
}

static void add_table(const struct ls_exact_cell *cells, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ls_tally *tally;

        if (ls_load_relaxed(&cells[i].sides[LS_EXACT_ACQUIRED].count) == 0 &&
            ls_load_relaxed(&cells[i].sides[LS_EXACT_RELEASED].count) == 0)
            continue;
        tally = ls_ledger_stack_tally(LS_RESOURCE_HEAP, first + i);
        if (tally != NULL)
            add_cell(tally, &cells[i]);
    }
}

static void sum_thread(void *context, struct ls_thread *thread)
{
    const struct ls_exact_counts *counts = ls_load_acquire(&thread->counts); /* X4 pairs with X3 */

    (void)context;
    if (counts == NULL || ls_load_relaxed(&thread->state) == LS_THREAD_FREE)
        return;
    for (uint32_t i = 0; i < chunk_count; i++) {
        const struct ls_exact_cell *chunk =
            ls_load_acquire(&counts->chunks[i]); /* X2 pairs with X1 */

        if (chunk != NULL)
            add_table(chunk, i * CELLS_PER_CHUNK, CELLS_PER_CHUNK);
    }
}

static void depart_cell(struct ls_exact_cell *sum, const struct ls_exact_cell *cell)
{
    for (int side = 0; side < LS_EXACT_SIDES; side++) {
        ls_add_own_thread(&sum->sides[side].count, ls_load_relaxed(&cell->sides[side].count));
        ls_add_own_thread(&sum->sides[side].bytes, ls_load_relaxed(&cell->sides[side].bytes));
    }
}

static void bury_counts(struct ls_exact_counts *counts)
{
    for (uint32_t i = 0; i < chunk_count; i++) {
        struct ls_exact_cell *chunk = ls_load_acquire(&counts->chunks[i]); /* X2 */

        for (uint32_t j = 0; chunk != NULL && j < CELLS_PER_CHUNK; j++)
            depart_cell(&departed[i * CELLS_PER_CHUNK + j], &chunk[j]);
        if (chunk != NULL)
            ls_add_relaxed(&threads_bytes, -CHUNK_BYTES);
        ls_memory_own_free(chunk, CHUNK_BYTES);
    }
    ls_memory_own_unmap(counts, counts_bytes(), counts_bytes() / 4);
}

static void bury_ended(void *context, struct ls_thread *thread)
{
    int state = ls_load_acquire(&thread->state); /* H2 pairs with H1 in capture/thread.c */

    (void)context;
    if (state != LS_THREAD_ENDED && !(state == LS_THREAD_RUNNING && ls_thread_is_gone(thread)))
        return;
    if (ls_load_relaxed(&thread->counts) != NULL) {
        bury_counts(ls_load_acquire(&thread->counts)); /* X4 */
        ls_store_relaxed(&thread->counts, NULL);
    }
    ls_thread_recycle(thread);
}

void ls_exact_settle(void)
{
    struct ls_tally *tallies;

    ls_thread_for_each(bury_ended, NULL);
    if (shared == NULL)
        return;
    tallies = ls_ledger_stack_tally(LS_RESOURCE_HEAP, 0);
    if (tallies == NULL)
        return;
    for (uint32_t i = 0; i < ls_stack_table_count(&ls_ledger.stacks); i++)
        tallies[i] = (struct ls_tally){0};
    add_table(departed, 0, ls_stack_table_count(&ls_ledger.stacks));
    add_table(shared, 0, ls_stack_table_count(&ls_ledger.stacks));
    ls_thread_for_each(sum_thread, NULL);
}
