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

static _Atomic(struct ls_peer *) chunks[CHUNKS];
static _Atomic uint16_t buckets[BUCKETS]; /* the record's number; 0: empty */
static _Atomic uint32_t used;

struct ls_peer *ls_peer_at(uint32_t number)
{
    struct ls_peer *chunk;

    if (number == 0 || number > LS_PEERS_MAX)
        return NULL;
    chunk = ls_load_acquire(&chunks[(number - 1) / CHUNK_RECORDS]); /* P1 pairs with P2 */
    return chunk == NULL ? NULL : &chunk[(number - 1) % CHUNK_RECORDS];
}

static bool add_chunk(uint32_t index)
{
    const size_t bytes = CHUNK_RECORDS * sizeof(struct ls_peer);
    struct ls_peer *chunk = ls_memory_own_map(bytes, bytes);
    struct ls_peer *none = NULL;

    if (chunk == NULL)
        return false;
    if (!ls_compare_exchange_acquire_release(&chunks[index], &none, chunk)) /* P2 pairs with P1 */
        ls_memory_own_unmap(chunk, bytes, bytes);
    return true;
}

/* Memory first: a number stays taken for ever. */
static uint32_t add_record(uint32_t stack, const struct ls_peer_address *address, uint64_t hash)
{
    uint32_t before = ls_load_relaxed(&used);
    struct ls_peer *peer;

    do {
        if (before >= (address->length == 0 ? LS_PEERS_MAX : FOLDED_FROM))
            return 0;
        if (ls_peer_at(before + 1) == NULL && !add_chunk(before / CHUNK_RECORDS))
            return 0;
    } while (!ls_compare_exchange_relaxed(&used, &before, before + 1));
    peer = ls_peer_at(before + 1);
    peer->hash = hash;
    peer->stack = stack;
    peer->address = *address;
    return before + 1;
}

static bool is_same(const struct ls_peer *peer, uint32_t stack,
                    const struct ls_peer_address *address, uint64_t hash)
{
    return peer->hash == hash && peer->stack == stack && peer->address.length == address->length &&
           memcmp(peer->address.bytes, address->bytes, address->length) == 0;
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

static uint32_t find_or_add(uint32_t stack, const struct ls_peer_address *address)
{
    uint64_t hash = hash_of(stack, address);
    uint32_t added = 0;

    for (uint32_t probe = 0; probe < BUCKETS; probe++) {
        _Atomic uint16_t *bucket = &buckets[(hash + probe) % BUCKETS];
        uint16_t number = ls_load_acquire(bucket); /* P3 pairs with P4 */

        if (number == 0) {
            if (added == 0)
                added = add_record(stack, address, hash);
            if (added == 0)
                return 0;
            /* P4 pairs with P3: the record is filled. */
            if (ls_compare_exchange_acquire_release(bucket, &number, (uint16_t)added))
                return added;
        }
        if (is_same(ls_peer_at(number), stack, address, hash))
            return number;
    }
    return 0;
}

uint32_t ls_peer_obtain(uint32_t stack, const struct ls_peer_address *address)
{
    static const struct ls_peer_address folded;
    uint32_t number = find_or_add(stack, address);

    return number != 0 ? number : find_or_add(stack, &folded);
}

void ls_peer_opened(uint32_t number)
{
    struct ls_peer *peer = ls_peer_at(number);

    if (peer != NULL)
        ls_add_relaxed(&peer->opened, 1);
}

void ls_peer_attached(uint32_t number)
{
    struct ls_peer *peer = ls_peer_at(number);

    if (peer != NULL)
        ls_add_relaxed(&peer->live, 1);
}

void ls_peer_detached(uint32_t number)
{
    struct ls_peer *peer = ls_peer_at(number);

    if (peer != NULL)
        ls_add_relaxed(&peer->live, -1);
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
    struct ls_peer *peer = ls_peer_at(number);

    if (peer != NULL)
        ls_add_relaxed(&peer->connect_times[class_of(took_ns)], 1);
}

void ls_peer_lived(uint32_t number, uint64_t ns)
{
    struct ls_peer *peer = ls_peer_at(number);

    if (peer != NULL)
        ls_add_relaxed(&peer->lives[class_of(ns)], 1);
}

/* Errors past the first few kinds are in the sum alone. */
void ls_peer_failed(uint32_t number, int error)
{
    struct ls_peer *peer = ls_peer_at(number);

    if (peer == NULL)
        return;
    ls_add_relaxed(&peer->failed, 1);
    for (int i = 0; i < LS_PEER_ERRORS;) {
        int there = ls_load_relaxed(&peer->errors[i].number);

        if (there == 0)
            ls_compare_exchange_relaxed(&peer->errors[i].number, &there, error);
        else if (there == error) {
            ls_add_relaxed(&peer->errors[i].count, 1);
            return;
        } else {
            i++;
        }
    }
}
