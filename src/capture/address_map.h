/*
 * Which address belongs to which mapping: an ordered set of ranges that do not overlap, in chunks,
 * so that an insert moves a chunk at most. A mapping is what one call made; it may be in several
 * pieces, of which some are committed and some reserved (PROT_NONE).
 *
 * One thread at a time, which is the collector under its lock. All memory is the library's own and
 * bounded; nothing is given back. A forked child goes on with it as it stands.
 */
#ifndef LS_CAPTURE_ADDRESS_MAP_H
#define LS_CAPTURE_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LS_ADDRESS_CHUNK_RANGES 128

struct ls_address_range {
    uintptr_t start;
    uintptr_t end;
    uint32_t mapping; /* index of the struct ls_address_mapping */
    bool reserved;    /* PROT_NONE */
};

struct ls_address_mapping {
    uint64_t acquired_ns;
    uint32_t owner;
    uint32_t pieces;
    uint32_t next_free; /* while it has no pieces: index plus one */
};

struct ls_address_chunk {
    uint32_t count;
    struct ls_address_range ranges[LS_ADDRESS_CHUNK_RANGES];
};

struct ls_address_map {
    struct ls_address_chunk **order; /* by address; none is empty */
    struct ls_address_chunk *chunks;
    struct ls_address_mapping *mappings;
    uint32_t *free_chunks; /* indices of chunks emptied */
    uint32_t free_chunk_count;
    uint32_t order_count;
    uint32_t chunks_used;
    uint32_t chunks_max;
    uint32_t mappings_used;
    uint32_t free_mapping; /* index plus one */
    uint32_t mappings_max;
    size_t range_count;
    size_t charged_chunks; /* chunks and mappings paid for */
    size_t charged_mappings;
};

/* `ranges_max`: about as many, since chunks may be half empty. 0 or -ENOMEM. */
int ls_address_map_init(struct ls_address_map *map, size_t ranges_max);

/* A piece of a mapping that goes away, or changes side. */
typedef void ls_address_visit(void *context, const struct ls_address_range *piece,
                              const struct ls_address_mapping *mapping);

/* Takes [start, end) out of whatever holds it. `mapping->pieces` that the visitor sees is what is
 * left without the piece. False when there was no room for a split: what lies behind the range in
 * the same piece has gone, too, and was visited. */
bool ls_address_map_remove(struct ls_address_map *map, uintptr_t start, uintptr_t end,
                           ls_address_visit *visit, void *context);
/* A mapping of one piece. The range must be free. False when there is no room. */
bool ls_address_map_insert(struct ls_address_map *map, const struct ls_address_range *range,
                           uint32_t owner, uint64_t acquired_ns);
/* Makes what is known of [start, end) reserved or committed; the visitor sees the pieces that
 * change, with the side they had. False when there was no room for a split: nothing has changed
 * where it was wanted. */
bool ls_address_map_protect(struct ls_address_map *map, uintptr_t start, uintptr_t end,
                            bool reserved, ls_address_visit *visit, void *context);

/* The first piece that ends behind the address; NULL when there is none. Valid until the next
 * change. */
const struct ls_address_range *ls_address_map_at_or_after(const struct ls_address_map *map,
                                                          uintptr_t address);
static inline const struct ls_address_mapping *ls_address_map_mapping(
    const struct ls_address_map *map, const struct ls_address_range *range)
{
    return &map->mappings[range->mapping];
}

/* All pieces, in order. */
void ls_address_map_for_each(const struct ls_address_map *map, ls_address_visit *visit,
                             void *context);

#endif
