#include "v8/isolates.h"

#include <string.h>

#include "base/compiler.h"
#include "system/memory.h"
#include "system/syscall.h"

#define CHUNK_RECORDS 64
#define CHUNKS        (LS_V8_ISOLATES_MAX / CHUNK_RECORDS)

enum {
    RECORD_FREE = 0,
    RECORD_CLAIMED,
    RECORD_LIVE,
    RECORD_ENDED,
};

/* V7: a chunk is zero-filled before it can be seen; V8: loads that follow a chunk. */
static struct ls_v8_isolate *_Atomic chunks[CHUNKS];
/* Relaxed: numbers need only differ. */
static _Atomic uint64_t last_number;

static struct ls_v8_isolate *record_at(size_t index)
{
    struct ls_v8_isolate *chunk = ls_load_acquire(&chunks[index / CHUNK_RECORDS]); /* V8 */

    return chunk ? &chunk[index % CHUNK_RECORDS] : NULL;
}

static bool add_chunk(size_t index)
{
    struct ls_v8_isolate *expected = NULL;
    struct ls_v8_isolate *chunk = ls_memory_own_allocate(CHUNK_RECORDS * sizeof(*chunk));

    if (!chunk)
        return false;
    /* V7 pairs with V8 */
    if (!ls_compare_exchange_acquire_release(&chunks[index], &expected, chunk))
        ls_memory_own_free(chunk, CHUNK_RECORDS * sizeof(*chunk));
    return true;
}

static void reset(struct ls_v8_isolate *record, void *isolate)
{
    record->number = ls_add_relaxed(&last_number, 1) + 1;
    record->thread = ls_sys_gettid();
    ls_store_relaxed(&record->aside, false);
    record->posted = 0;
    record->sampler = LS_V8_SAMPLER_WAITING;
    record->major_gc_pending = false;
    record->major_gcs = 0;
    record->last_major_gc_ns = 0;
    record->seen_request = 0;
    record->last_cost_ns = 0;
    record->last_reading_ns = 0;
    record->not_before_ns = 0;
    record->sampling_since_ns = 0;
    record->sampling = (struct ls_v8_sampling){0};
    record->intervals = (struct ls_v8_intervals){0};
    record->interval_bytes = 0;
    record->frames = 0;
    record->burst = (struct ls_v8_load_window){0};
    record->calm = (struct ls_v8_load_window){0};
    record->free_since_ns = 0;
    record->displaced = 0;
    record->begun_ns = 0;
    record->begun_cpu_ns = 0;
    record->blocked = false;
    record->interrupt_requested = false;
    record->places = NULL;
    record->place_capacity = 0;
    record->place_count = 0;
    ls_v8_ages_reset(&record->ages);
    ls_store_relaxed(&record->isolate, isolate);
}

struct ls_v8_isolate *ls_v8_isolate_claim(void *isolate)
{
    for (size_t i = 0; i < LS_V8_ISOLATES_MAX; i++) {
        struct ls_v8_isolate *record = record_at(i);
        uint32_t expected = RECORD_FREE;

        if (!record) {
            if (!add_chunk(i / CHUNK_RECORDS))
                return NULL;
            record = record_at(i);
        }
        /* V6 pairs with V5 */
        if (ls_load_relaxed(&record->state) == RECORD_FREE &&
            ls_compare_exchange_acquire_release(&record->state, &expected, RECORD_CLAIMED)) {
            reset(record, isolate);
            ls_store_release(&record->state, RECORD_LIVE); /* V13 pairs with V14 */
            return record;
        }
    }
    return NULL;
}

struct ls_v8_isolate *ls_v8_isolate_find(const void *isolate)
{
    for (size_t i = 0; i < LS_V8_ISOLATES_MAX; i++) {
        struct ls_v8_isolate *record = record_at(i);

        if (!record)
            return NULL;
        if (ls_load_relaxed(&record->isolate) == isolate)
            return record;
    }
    return NULL;
}

static void drop_places(struct ls_v8_isolate *record)
{
    if (record->places)
        ls_memory_own_free(record->places, record->place_capacity * sizeof(*record->places));
    record->places = NULL;
}

static void drop_mail(struct ls_v8_isolate *record)
{
    for (size_t i = 0; i < LS_V8_MAILBOX; i++)
        ls_v8_reading_free(ls_exchange_acquire_release(&record->mailbox[i], NULL));
}

void ls_v8_isolate_end(struct ls_v8_isolate *record)
{
    drop_places(record);
    drop_mail(record);
    ls_store_relaxed(&record->isolate, NULL);
    ls_store_release(&record->state, RECORD_ENDED); /* V3 pairs with V4 */
}

unsigned ls_v8_isolate_post(struct ls_v8_isolate *record, struct ls_js_reading *reading)
{
    size_t slot = record->posted++ % LS_V8_MAILBOX;
    /* V1 pairs with V2 */
    struct ls_js_reading *oldest = ls_exchange_acquire_release(&record->mailbox[slot], reading);

    if (!oldest)
        return 0;
    ls_v8_reading_free(oldest);
    return 1;
}

/* The collector's own list, sorted by time. */
static struct ls_js_reading *taken;

static void insert_by_time(struct ls_js_reading *reading)
{
    struct ls_js_reading **link = &taken;

    while (*link && (*link)->taken_ns <= reading->taken_ns)
        link = &(*link)->next;
    reading->next = *link;
    *link = reading;
}

static void empty_mailboxes(void)
{
    for (size_t i = 0; i < LS_V8_ISOLATES_MAX; i++) {
        struct ls_v8_isolate *record = record_at(i);

        if (!record)
            return;
        for (size_t slot = 0; slot < LS_V8_MAILBOX; slot++) {
            struct ls_js_reading *reading;

            if (!ls_load_relaxed(&record->mailbox[slot]))
                continue;
            reading = ls_exchange_acquire_release(&record->mailbox[slot], NULL); /* V2 */
            if (reading)
                insert_by_time(reading);
        }
    }
}

struct ls_js_reading *ls_v8_isolates_take(void)
{
    struct ls_js_reading *reading;

    if (!taken)
        empty_mailboxes();
    reading = taken;
    if (reading) {
        taken = reading->next;
        reading->next = NULL;
    }
    return reading;
}

/* A reading of an ended isolate that the collector holds already would bring its sites back. */
static void drop_taken_of(uint64_t number)
{
    struct ls_js_reading **link = &taken;

    while (*link) {
        struct ls_js_reading *reading = *link;

        if (reading->isolate == number) {
            *link = reading->next;
            ls_v8_reading_free(reading);
        } else {
            link = &reading->next;
        }
    }
}

size_t ls_v8_isolates_take_ended(uint64_t *numbers, size_t capacity)
{
    size_t count = 0;

    for (size_t i = 0; i < LS_V8_ISOLATES_MAX && count < capacity; i++) {
        struct ls_v8_isolate *record = record_at(i);

        if (!record)
            break;
        if (ls_load_acquire(&record->state) != RECORD_ENDED) /* V4 */
            continue;
        drop_taken_of(record->number);
        numbers[count++] = record->number;
        ls_store_release(&record->state, RECORD_FREE); /* V5 pairs with V6 */
    }
    return count;
}

/* A record that ends meanwhile keeps its number: only the collector, who calls this, frees it. */
size_t ls_v8_isolates_list(struct ls_v8_isolate_view *views, size_t capacity)
{
    size_t count = 0;

    for (size_t i = 0; i < LS_V8_ISOLATES_MAX && count < capacity; i++) {
        struct ls_v8_isolate *record = record_at(i);

        if (!record)
            break;
        if (ls_load_acquire(&record->state) != RECORD_LIVE) /* V14 */
            continue;
        views[count++] = (struct ls_v8_isolate_view){
            .number = record->number,
            .thread = record->thread,
            .aside = ls_load_relaxed(&record->aside),
        };
    }
    return count;
}

void ls_v8_isolates_keep_only(struct ls_v8_isolate *record)
{
    for (size_t i = 0; i < LS_V8_ISOLATES_MAX; i++) {
        struct ls_v8_isolate *other = record_at(i);

        if (!other)
            break;
        if (other == record || ls_load_relaxed(&other->state) == RECORD_FREE)
            continue;
        drop_mail(other);
        /* Its places may have been half changed by a thread that is gone: not freed. */
        ls_store_relaxed(&other->isolate, NULL);
        ls_store_release(&other->state, RECORD_FREE);
    }
    while (taken) {
        struct ls_js_reading *reading = taken;

        taken = reading->next;
        ls_v8_reading_free(reading);
    }
    if (record) {
        record->thread = ls_sys_gettid();
        drop_mail(record);
    }
}

void ls_v8_reading_free(struct ls_js_reading *reading)
{
    if (reading)
        ls_memory_own_free(reading, reading->allocated_bytes);
}
