/*
 * Non-cryptographic 64-bit hashing. Values are stable across runs and machines of one byte order:
 * site ids are made of them.
 */
#ifndef LS_BASE_HASH_H
#define LS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define LS_HASH_SEED UINT64_C(0x9e3779b97f4a7c15)

/* The finalizer of MurmurHash3, a bijection on 64 bits
 * (https://github.com/aappleby/smhasher/wiki/MurmurHash3). */
static inline uint64_t ls_hash_mix(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C(0xc4ceb9fe1a85ec53);
    value ^= value >> 33;
    return value;
}

static inline uint64_t ls_hash_add(uint64_t hash, uint64_t value)
{
    return ls_hash_mix(hash ^ (value + LS_HASH_SEED + (hash << 6) + (hash >> 2)));
}

static inline uint64_t ls_hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *cursor = bytes;
    uint64_t word = 0;
    unsigned filled = 0;

    for (size_t i = 0; i < length; i++) {
        word |= (uint64_t)cursor[i] << (8 * filled);
        if (++filled == 8) {
            hash = ls_hash_add(hash, word);
            word = 0;
            filled = 0;
        }
    }
    return ls_hash_add(ls_hash_add(hash, word), length);
}

#endif
