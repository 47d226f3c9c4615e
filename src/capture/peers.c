#include "capture/peers.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "system/memory.h"

#define BUCKETS       1024 /* twice the records */
#define CHUNK_RECORDS 16
#define CHUNKS        (LS_PEERS_MAX / CHUNK_RECORDS)
/* The last records are for the addresses that find no other. */
#define FOLDED_FROM    (LS_PEERS_MAX - 64)
#define FIRST_OCTAVE   10
#define CLASSES_OCTAVE 4

/* Named records that are to be free after a summary. */
#define FREE_WANTED 64
/* What `live` of a free record is around: attempts to hold it come and go. */
#define FREE    (-(INT64_C(1) << 62))
#define REMOVED UINT16_MAX /* a bucket whose record was taken back: the search goes on */

static _Atomic(struct ls_peer *) chunks[CHUNKS];
static _Atomic uint16_t buckets[BUCKETS]; /* the record's number; 0: empty */
static _Atomic uint32_t used;
static _Atomic uint32_t given_back; /* free records below `used`; relaxed: a hint */

static struct ls_peer *record_at(uint32_t number)
{
    struct ls_peer *chunk;

    if (number == 0 || number > LS_PEERS_MAX)
        return NULL;
    chunk = ls_load_acquire(&chunks[(number - 1) / CHUNK_RECORDS]); /* P1 pairs with P2 */
    return chunk == NULL ? NULL : &chunk[(number - 1) % CHUNK_RECORDS];
}

static bool is_free(int64_t live)
{
    return live < FREE / 2;
}

uint32_t ls_peers_end(void)
{
    return ls_load_relaxed(&used) + 1;
}

struct ls_peer *ls_peer_at(uint32_t number)
{
    struct ls_peer *peer = record_at(number);

    /* P5 pairs with P6: the record is filled. */
    return peer == NULL || is_free(ls_load_acquire(&peer->live)) ? NULL : peer;
}

static bool add_chunk(uint32_t index)
{
    const size_t bytes = CHUNK_RECORDS * sizeof(struct ls_peer);
    struct ls_peer *chunk = ls_memory_own_map(bytes, bytes);
    struct ls_peer *none = NULL;

    if (chunk == NULL)
        return false;
    for (uint32_t i = 0; i < CHUNK_RECORDS; i++) {
        ls_store_relaxed(&chunk[i].live, FREE);
        ls_store_relaxed(&chunk[i].is_taken, 1); /* by who gets the number */
    }
    if (!ls_compare_exchange_acquire_release(&chunks[index], &none, chunk)) /* P2 pairs with P1 */
        ls_memory_own_unmap(chunk, bytes, bytes);
    return true;
}

static bool take(struct ls_peer *peer)
{
    uint32_t none = 0;

    return ls_load_relaxed(&peer->is_taken) == 0 &&
           ls_compare_exchange_acquire_release(&peer->is_taken, &none, 1); /* P7 pairs with P8 */
}

static uint32_t take_given_back(void)
{
    if (ls_load_relaxed(&given_back) == 0)
        return 0;
    for (uint32_t number = 1; number < ls_peers_end(); number++) {
        if (take(record_at(number))) {
            ls_add_relaxed(&given_back, -1);
            return number;
        }
    }
    return 0;
}

/* Memory first: a number is never made twice. */
static uint32_t take_new(uint32_t end)
{
    uint32_t before = ls_load_relaxed(&used);

    do {
        if (before >= end)
            return 0;
        if (record_at(before + 1) == NULL && !add_chunk(before / CHUNK_RECORDS))
            return 0;
    } while (!ls_compare_exchange_relaxed(&used, &before, before + 1));
    return before + 1;
}

/* Filled, and attached to. */
static uint32_t add_record(uint32_t stack, const struct ls_peer_address *address, uint64_t hash)
{
    bool folds = address->length == 0;
    uint32_t number = folds ? 0 : take_given_back();
    struct ls_peer *peer;

    if (number == 0)
        number = take_new(folds ? LS_PEERS_MAX : FOLDED_FROM);
    if (number == 0)
        return 0;
    peer = record_at(number);
    ls_store_relaxed(&peer->hash, hash);
    peer->stack = stack;
    peer->address = *address;
    ls_add_release(&peer->live, 1 - FREE); /* P6 pairs with P5 */
    return number;
}

static bool is_same(const struct ls_peer *peer, uint32_t stack,
                    const struct ls_peer_address *address, uint64_t hash)
{
    return ls_load_relaxed(&peer->hash) == hash && peer->stack == stack &&
           peer->address.length == address->length &&
           memcmp(peer->address.bytes, address->bytes, address->length) == 0;
}

/* Held before it is looked at: it may be taken back, and be another's, at any moment until then. */
static bool attach_if_same(uint32_t number, uint32_t stack, const struct ls_peer_address *address,
                           uint64_t hash)
{
    struct ls_peer *peer = record_at(number);

    if (ls_load_relaxed(&peer->hash) != hash)
        return false;
    /* P5 pairs with P6: the record is filled. */
    if (!is_free(atomic_fetch_add_explicit(&peer->live, 1, memory_order_acquire)) &&
        is_same(peer, stack, address, hash))
        return true;
    ls_peer_detached(number);
    return false;
}

static uint64_t hash_of(uint32_t stack, const struct ls_peer_address *address)
{
    uint64_t hash = ls_hash_mix(LS_HASH_SEED + stack);

    for (size_t at = 0; at < address->length; at += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, address->bytes + at, sizeof(word));
        hash = ls_hash_add(hash, word);
    }
    return hash;
}

/* The record, attached to; 0, with the bucket for it and what that holds, when there is none. */
static uint32_t find(uint32_t stack, const struct ls_peer_address *address, uint64_t hash,
                     _Atomic uint16_t **place, uint16_t *holds)
{
    *place = NULL;
    for (uint32_t probe = 0; probe < BUCKETS; probe++) {
        _Atomic uint16_t *bucket = &buckets[(hash + probe) % BUCKETS];
        uint16_t number = ls_load_acquire(bucket); /* P3 pairs with P4 */

        if (number != 0 && number != REMOVED) {
            if (attach_if_same(number, stack, address, hash))
                return number;
            continue;
        }
        if (*place == NULL) {
            *place = bucket;
            *holds = number;
        }
        if (number == 0)
            break;
    }
    return 0;
}

/* Two threads that come with one address at once may make two records of it, and so may one that
 * comes while the collector empties buckets: whoever reads them adds up what has one address. */
static uint32_t find_or_add(uint32_t stack, const struct ls_peer_address *address)
{
    uint64_t hash = hash_of(stack, address);
    uint32_t added = 0;

    for (;;) {
        _Atomic uint16_t *place;
        uint16_t holds = 0;
        uint32_t number = find(stack, address, hash, &place, &holds);

        if (number != 0 || place == NULL) {
            if (added != 0) /* idle from the start, and taken back as such */
                ls_peer_detached(added);
            return number;
        }
        if (added == 0)
            added = add_record(stack, address, hash);
        if (added == 0)
            return 0;
        /* P4 pairs with P3: the record is there. */
        if (ls_compare_exchange_acquire_release(place, &holds, (uint16_t)added))
            return added;
    }
}

uint32_t ls_peer_obtain(uint32_t stack, const struct ls_peer_address *address)
{
    static const struct ls_peer_address folded;
    uint32_t number = find_or_add(stack, address);

    return number != 0 ? number : find_or_add(stack, &folded);
}

void ls_peer_opened(uint32_t number)
{
    struct ls_peer *peer = record_at(number);

    if (peer != NULL)
        ls_add_relaxed(&peer->opened, 1);
}

void ls_peer_detached(uint32_t number)
{
    struct ls_peer *peer = record_at(number);

    /* P9 pairs with P10: what was counted here is in what is folded. */
    if (peer != NULL)
        ls_add_release(&peer->live, -1);
}

static unsigned class_of(uint64_t ns)
{
    unsigned octave;
    unsigned class;

    if (ns >> FIRST_OCTAVE == 0)
        return 0;
    octave = 63u - (unsigned)__builtin_clzll(ns);
    class = (octave - FIRST_OCTAVE) * CLASSES_OCTAVE + (unsigned)(ns >> (octave - 2) & 3);
    return class < LS_PEER_CLASSES ? class : LS_PEER_CLASSES - 1;
}

double ls_peer_class_s(unsigned class)
{
    double octave = (double)(UINT64_C(1) << (FIRST_OCTAVE + class / CLASSES_OCTAVE));

    return octave * (1.0 + (class % CLASSES_OCTAVE + 0.5) / CLASSES_OCTAVE) * 1e-9;
}

void ls_peer_connected(uint32_t number, uint64_t took_ns)
{
    struct ls_peer *peer = record_at(number);

    if (peer != NULL)
        ls_add_relaxed(&peer->connect_times[class_of(took_ns)], 1);
}

void ls_peer_lived(uint32_t number, uint64_t ns)
{
    struct ls_peer *peer = record_at(number);

    if (peer != NULL)
        ls_add_relaxed(&peer->lives[class_of(ns)], 1);
}

static void add_errors(struct ls_peer *peer, int error, uint32_t count)
{
    for (int i = 0; i < LS_PEER_ERRORS;) {
        int there = ls_load_relaxed(&peer->errors[i].number);

        if (there == 0)
            ls_compare_exchange_relaxed(&peer->errors[i].number, &there, error);
        else if (there == error) {
            ls_add_relaxed(&peer->errors[i].count, count);
            return;
        } else {
            i++;
        }
    }
}

/* Errors past the first few kinds are in the sum alone. */
void ls_peer_failed(uint32_t number, int error)
{
    struct ls_peer *peer = record_at(number);

    if (peer == NULL)
        return;
    ls_add_relaxed(&peer->failed, 1);
    add_errors(peer, error, 1);
}

/* Moves all that `peer` has counted. Nobody is attached to it. */
static void fold(struct ls_peer *peer, struct ls_peer *into)
{
    ls_add_relaxed(&into->opened, ls_exchange_relaxed(&peer->opened, 0));
    ls_add_relaxed(&into->failed, ls_exchange_relaxed(&peer->failed, 0));
    for (int i = 0; i < LS_PEER_ERRORS; i++) {
        uint32_t count = ls_exchange_relaxed(&peer->errors[i].count, 0);

        if (count > 0)
            add_errors(into, ls_load_relaxed(&peer->errors[i].number), count);
        ls_store_relaxed(&peer->errors[i].number, 0);
    }
    for (int i = 0; i < LS_PEER_CLASSES; i++) {
        ls_add_relaxed(&into->connect_times[i], ls_exchange_relaxed(&peer->connect_times[i], 0));
        ls_add_relaxed(&into->lives[i], ls_exchange_relaxed(&peer->lives[i], 0));
    }
    into->opened_before += peer->opened_before;
    into->opened_per_s += peer->opened_per_s;
    peer->opened_before = 0;
    peer->opened_per_s = 0;
    peer->active_ns = 0;
}

static void remove_from_buckets(uint32_t number)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        if (ls_load_relaxed(&buckets[i]) == number)
            ls_store_relaxed(&buckets[i], REMOVED);
    }
}

/* What leads nowhere need not be gone through. */
static void empty_buckets(void)
{
    for (uint32_t i = BUCKETS; i-- > 0;) {
        uint16_t removed = REMOVED;

        if (ls_load_relaxed(&buckets[(i + 1) % BUCKETS]) == 0)
            atomic_compare_exchange_strong_explicit(&buckets[i], &removed, 0, memory_order_relaxed,
                                                    memory_order_relaxed);
    }
}

/* False when somebody has come to hold it, or its counts have nowhere to go. */
static bool take_back(uint32_t number)
{
    static const struct ls_peer_address folded;
    struct ls_peer *peer = record_at(number);
    uint32_t into = find_or_add(peer->stack, &folded);
    int64_t none = 0;

    if (into == 0)
        return false;
    /* P10 pairs with P9. */
    if (!ls_compare_exchange_acquire_release(&peer->live, &none, FREE)) {
        ls_peer_detached(into);
        return false;
    }
    remove_from_buckets(number);
    fold(peer, record_at(into));
    ls_peer_detached(into);
    ls_add_relaxed(&given_back, 1);
    ls_store_release(&peer->is_taken, 0); /* P8 pairs with P7 */
    return true;
}

static bool is_idle(const struct ls_peer *peer)
{
    return peer != NULL && peer->address.length != 0 && ls_load_relaxed(&peer->live) == 0;
}

static bool goes_before(const struct ls_peer *one, const struct ls_peer *other)
{
    if (one->active_ns != other->active_ns)
        return one->active_ns < other->active_ns;
    return ls_load_relaxed(&one->opened) < ls_load_relaxed(&other->opened);
}

static uint32_t least_active(void)
{
    uint32_t chosen = 0;

    for (uint32_t number = 1; number < ls_peers_end(); number++) {
        if (is_idle(ls_peer_at(number)) &&
            (chosen == 0 || goes_before(ls_peer_at(number), ls_peer_at(chosen))))
            chosen = number;
    }
    return chosen;
}

static uint32_t free_records(void)
{
    uint32_t made = ls_load_relaxed(&used);

    return ls_load_relaxed(&given_back) + (made < FOLDED_FROM ? FOLDED_FROM - made : 0);
}

void ls_peers_make_room(uint64_t now_ns)
{
    if (free_records() >= FREE_WANTED)
        return;
    for (int tries = 0; tries < LS_PEERS_MAX && free_records() < FREE_WANTED; tries++) {
        uint32_t number = least_active();

        if (number == 0)
            break;
        if (!take_back(number)) /* the others first, the next time */
            record_at(number)->active_ns = now_ns;
    }
    empty_buckets();
}
