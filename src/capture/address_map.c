#include "capture/address_map.h"

#include <errno.h>
#include <string.h>

#include "system/memory.h"

/* What is paid for at once. */
#define CHUNKS_AT_ONCE   16
#define MAPPINGS_AT_ONCE 2048

/* Where a range is, or would go. */
struct place {
    uint32_t chunk; /* in the order */
    uint32_t index;
};

int ls_address_map_init(struct ls_address_map *map, size_t ranges_max)
{
    /* Chunks that were split are half full. */
    uint32_t chunks = (uint32_t)(ranges_max / LS_ADDRESS_CHUNK_RANGES) * 2;

    *map = (struct ls_address_map){.chunks_max = chunks, .mappings_max = (uint32_t)ranges_max};
    map->order = ls_memory_own_map(chunks * sizeof(struct ls_address_chunk *), 0);
    map->free_chunks = ls_memory_own_map(chunks * sizeof(*map->free_chunks), 0);
    map->chunks = ls_memory_own_map(chunks * sizeof(*map->chunks), 0);
    map->mappings = ls_memory_own_map(ranges_max * sizeof(*map->mappings), 0);
    return map->order == NULL || map->free_chunks == NULL || map->chunks == NULL ||
                   map->mappings == NULL
               ? -ENOMEM
               : 0;
}

/* True when entry `index` is paid for. */
static bool afford(size_t *charged, uint32_t index, size_t at_once, size_t size)
{
    if (index < *charged)
        return true;
    if (!ls_memory_own_charge(at_once * size))
        return false;
    *charged += at_once;
    return true;
}

static struct ls_address_chunk *take_chunk(struct ls_address_map *map)
{
    if (map->free_chunk_count > 0)
        return &map->chunks[map->free_chunks[--map->free_chunk_count]];
    if (map->chunks_used == map->chunks_max ||
        !afford(&map->charged_chunks, map->chunks_used, CHUNKS_AT_ONCE, sizeof(*map->chunks)))
        return NULL;
    return &map->chunks[map->chunks_used++];
}

static bool take_mapping(struct ls_address_map *map, uint32_t *index)
{
    if (map->free_mapping != 0) {
        *index = map->free_mapping - 1;
        map->free_mapping = map->mappings[*index].next_free;
        return true;
    }
    if (map->mappings_used == map->mappings_max ||
        !afford(&map->charged_mappings, map->mappings_used, MAPPINGS_AT_ONCE,
                sizeof(*map->mappings)))
        return false;
    *index = map->mappings_used++;
    return true;
}

static void drop_piece(struct ls_address_map *map, uint32_t mapping)
{
    struct ls_address_mapping *entry = &map->mappings[mapping];

    if (--entry->pieces > 0)
        return;
    entry->next_free = map->free_mapping;
    map->free_mapping = mapping + 1;
}

static bool is_end(const struct ls_address_map *map, struct place place)
{
    return place.chunk == map->order_count;
}

static struct ls_address_range *range_at(const struct ls_address_map *map, struct place place)
{
    return &map->order[place.chunk]->ranges[place.index];
}

static struct place next_place(const struct ls_address_map *map, struct place place)
{
    if (++place.index == map->order[place.chunk]->count)
        place = (struct place){place.chunk + 1, 0};
    return place;
}

/* The first range that ends behind the address. */
static struct place find(const struct ls_address_map *map, uintptr_t address)
{
    struct place place = {0, 0};
    uint32_t end = map->order_count;
    const struct ls_address_chunk *chunk;

    while (place.chunk < end) {
        uint32_t middle = place.chunk + (end - place.chunk) / 2;

        chunk = map->order[middle];
        if (chunk->ranges[chunk->count - 1].end <= address)
            place.chunk = middle + 1;
        else
            end = middle;
    }
    if (is_end(map, place))
        return place;
    chunk = map->order[place.chunk];
    end = chunk->count;
    while (place.index < end) {
        uint32_t middle = place.index + (end - place.index) / 2;

        if (chunk->ranges[middle].end <= address)
            place.index = middle + 1;
        else
            end = middle;
    }
    return place;
}

/* Adds an empty chunk before the one at `at` in the order. */
static struct ls_address_chunk *add_chunk(struct ls_address_map *map, uint32_t at)
{
    struct ls_address_chunk *chunk = take_chunk(map);

    if (chunk == NULL)
        return NULL;
    memmove(&map->order[at + 1], &map->order[at], (map->order_count - at) * sizeof(*map->order));
    map->order[at] = chunk;
    map->order_count++;
    chunk->count = 0;
    return chunk;
}

/* Moves the upper half of a full chunk to a new one. */
static bool halve(struct ls_address_map *map, uint32_t at)
{
    struct ls_address_chunk *upper = add_chunk(map, at + 1);
    struct ls_address_chunk *lower = map->order[at];

    if (upper == NULL)
        return false;
    upper->count = lower->count / 2;
    lower->count -= upper->count;
    memcpy(upper->ranges, &lower->ranges[lower->count], upper->count * sizeof(*upper->ranges));
    return true;
}

/* Puts the range before `place`. */
static bool put(struct ls_address_map *map, struct place place,
                const struct ls_address_range *range)
{
    struct ls_address_chunk *chunk;

    if (place.index == 0 && place.chunk > 0 &&
        map->order[place.chunk - 1]->count < LS_ADDRESS_CHUNK_RANGES) {
        place.chunk--; /* behind the last of the chunk before */
        place.index = map->order[place.chunk]->count;
    } else if (is_end(map, place) && add_chunk(map, place.chunk) == NULL) {
        return false;
    }
    if (map->order[place.chunk]->count == LS_ADDRESS_CHUNK_RANGES) {
        if (!halve(map, place.chunk))
            return false;
        if (place.index > map->order[place.chunk]->count) {
            place.index -= map->order[place.chunk]->count;
            place.chunk++;
        }
    }
    chunk = map->order[place.chunk];
    memmove(&chunk->ranges[place.index + 1], &chunk->ranges[place.index],
            (chunk->count - place.index) * sizeof(*range));
    chunk->ranges[place.index] = *range;
    chunk->count++;
    map->range_count++;
    return true;
}

/* Returns the place of the range behind the one erased. */
static struct place erase(struct ls_address_map *map, struct place place)
{
    struct ls_address_chunk *chunk = map->order[place.chunk];

    chunk->count--;
    map->range_count--;
    memmove(&chunk->ranges[place.index], &chunk->ranges[place.index + 1],
            (chunk->count - place.index) * sizeof(*chunk->ranges));
    if (chunk->count == 0) {
        map->free_chunks[map->free_chunk_count++] = (uint32_t)(chunk - map->chunks);
        map->order_count--;
        memmove(&map->order[place.chunk], &map->order[place.chunk + 1],
                (map->order_count - place.chunk) * sizeof(*map->order));
        return (struct place){place.chunk, 0};
    }
    return place.index < chunk->count ? place : (struct place){place.chunk + 1, 0};
}

/* Makes the address a border between ranges. */
static bool split(struct ls_address_map *map, uintptr_t address)
{
    struct place place = find(map, address);
    struct ls_address_range lower;
    struct ls_address_range *upper;

    if (is_end(map, place) || range_at(map, place)->start >= address)
        return true;
    upper = range_at(map, place);
    lower = *upper;
    lower.end = address;
    upper->start = address;
    if (!put(map, place, &lower)) {
        range_at(map, place)->start = lower.start;
        return false;
    }
    map->mappings[lower.mapping].pieces++;
    return true;
}

static bool continues(const struct ls_address_range *lower, const struct ls_address_range *upper)
{
    return lower->end == upper->start && lower->mapping == upper->mapping &&
           lower->reserved == upper->reserved;
}

/* Joins the ranges from the one that ends at `start` to the one that begins at `end`. */
static void join(struct ls_address_map *map, uintptr_t start, uintptr_t end)
{
    struct place place = find(map, start > 0 ? start - 1 : 0);

    while (!is_end(map, place)) {
        struct place after = next_place(map, place);
        struct ls_address_range next;

        if (is_end(map, after) || range_at(map, after)->start > end)
            return;
        next = *range_at(map, after);
        if (!continues(range_at(map, place), &next)) {
            place = after;
            continue;
        }
        range_at(map, place)->end = next.end;
        drop_piece(map, next.mapping);
        erase(map, after);
    }
}

bool ls_address_map_remove(struct ls_address_map *map, uintptr_t start, uintptr_t end,
                           ls_address_visit *visit, void *context)
{
    struct ls_address_range cut;
    struct place place;
    bool whole = split(map, start) && split(map, end);

    place = find(map, start);
    while (!is_end(map, place) && range_at(map, place)->start < end) {
        struct ls_address_range *range = range_at(map, place);

        cut = *range;
        if (cut.start < start) { /* not to be split: its lower part stays where it is */
            range->end = start;
            cut.start = start;
            visit(context, &cut, &map->mappings[cut.mapping]);
            place = next_place(map, place);
            continue;
        }
        place = erase(map, place);
        map->mappings[cut.mapping].pieces--;
        visit(context, &cut, &map->mappings[cut.mapping]);
        map->mappings[cut.mapping].pieces++;
        drop_piece(map, cut.mapping);
    }
    return whole;
}

bool ls_address_map_insert(struct ls_address_map *map, const struct ls_address_range *range,
                           uint32_t owner, uint64_t acquired_ns)
{
    struct ls_address_range added = *range;

    if (!take_mapping(map, &added.mapping))
        return false;
    map->mappings[added.mapping] =
        (struct ls_address_mapping){.acquired_ns = acquired_ns, .owner = owner, .pieces = 1};
    if (put(map, find(map, added.start), &added))
        return true;
    drop_piece(map, added.mapping);
    return false;
}

bool ls_address_map_protect(struct ls_address_map *map, uintptr_t start, uintptr_t end,
                            bool reserved, ls_address_visit *visit, void *context)
{
    struct place place;

    if (!split(map, start) || !split(map, end)) {
        join(map, start, end);
        return false;
    }
    for (place = find(map, start); !is_end(map, place) && range_at(map, place)->start < end;
         place = next_place(map, place)) {
        struct ls_address_range *range = range_at(map, place);

        if (range->reserved == reserved)
            continue;
        visit(context, range, &map->mappings[range->mapping]);
        range->reserved = reserved;
    }
    join(map, start, end);
    return true;
}

const struct ls_address_range *ls_address_map_at_or_after(const struct ls_address_map *map,
                                                          uintptr_t address)
{
    struct place place = find(map, address);

    return is_end(map, place) ? NULL : range_at(map, place);
}

void ls_address_map_for_each(const struct ls_address_map *map, ls_address_visit *visit,
                             void *context)
{
    for (uint32_t chunk = 0; chunk < map->order_count; chunk++) {
        for (uint32_t i = 0; i < map->order[chunk]->count; i++) {
            const struct ls_address_range *range = &map->order[chunk]->ranges[i];

            visit(context, range, &map->mappings[range->mapping]);
        }
    }
}
