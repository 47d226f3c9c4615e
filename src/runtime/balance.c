#include "runtime/balance.h"

#include <string.h>
#include <sys/syscall.h>

#include "capture/mappings.h"
#include "runtime/balance_signs.h"
#include "system/clock.h"
#include "system/maps.h"
#include "system/memory.h"
#include "system/syscall.h"

#define ENTRIES_MAX     8192
#define ENTRIES_AT_ONCE 1024
#define PIECES_MAX      512
#define PAGE_BYTES      UINT64_C(4096)
#define CPU_SHARE       100 /* one in so many */

enum kind {
    KIND_FILE,
    KIND_BREAK,
    KIND_STACK,
    KIND_ANONYMOUS,
};

/* A mapping of which something is resident. */
struct entry {
    uintptr_t start;
    uintptr_t end;
    uint64_t resident_bytes;
    enum kind kind;
};

struct piece {
    uintptr_t start;
    uintptr_t end;
    enum ls_balance_part part;
};

static struct entry *entries;
static uint32_t entry_count;
static uint32_t entries_charged;
static bool is_fresh; /* read and not settled */
static uint64_t next_reading_ns;
static struct ls_balance balance;
static struct piece pieces[PIECES_MAX];
static uint32_t piece_count;

static bool has_room(void)
{
    const size_t bytes = ENTRIES_AT_ONCE * sizeof(*entries);

    if (entry_count < entries_charged)
        return true;
    if (entries_charged + ENTRIES_AT_ONCE > ENTRIES_MAX || !ls_memory_own_charge(bytes))
        return false;
    entries_charged += ENTRIES_AT_ONCE;
    return true;
}

static enum kind kind_of(const struct ls_map_entry *entry)
{
    if (entry->is_file)
        return KIND_FILE;
    if (strcmp(entry->name, "[heap]") == 0)
        return KIND_BREAK;
    if (strncmp(entry->name, "[stack", strlen("[stack")) == 0)
        return KIND_STACK;
    return KIND_ANONYMOUS;
}

static void keep(void *context, const struct ls_map_entry *entry)
{
    enum kind kind = kind_of(entry);

    (void)context;
    if (entry->resident_bytes == 0)
        return;
    if (kind == KIND_FILE) /* nothing more is to be known of it */
        balance.bytes[LS_BALANCE_FILE] += (double)entry->resident_bytes;
    else if (!has_room())
        balance.bytes[LS_BALANCE_UNKNOWN] += (double)entry->resident_bytes;
    else
        entries[entry_count++] =
            (struct entry){entry->start, entry->end, entry->resident_bytes, kind};
}

void ls_balance_read(uint64_t now_ns)
{
    uint64_t began_ns = ls_clock_ns(CLOCK_THREAD_CPUTIME_ID);

    if (now_ns < next_reading_ns)
        return;
    if (entries == NULL)
        entries = ls_memory_own_map(ENTRIES_MAX * sizeof(*entries), 0);
    if (entries == NULL)
        return;
    entry_count = 0;
    balance = (struct ls_balance){.known = true, .read_ns = now_ns};
    if (ls_maps_read(true, keep, NULL) != 0)
        balance.known = false;
    is_fresh = balance.known;
    next_reading_ns = now_ns + CPU_SHARE * (ls_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns);
}

static void add_piece(uintptr_t start, uintptr_t end, enum ls_balance_part part)
{
    struct piece *before = piece_count > 0 ? &pieces[piece_count - 1] : NULL;

    if (before != NULL && (before->part == part || piece_count == PIECES_MAX))
        before->end = end;
    else
        pieces[piece_count++] = (struct piece){start, end, part};
}

static void cut(const struct entry *entry)
{
    piece_count = 0;
    for (uintptr_t at = entry->start; at < entry->end;) {
        struct ls_balance_sign sign = ls_balance_sign_at(at, entry->end);

        if (sign.part == LS_BALANCE_UNKNOWN && entry->kind == KIND_BREAK)
            sign.part = LS_BALANCE_ALLOCATOR;
        add_piece(at, sign.end, sign.part);
        at = sign.end;
    }
}

static uint64_t resident_in(const struct piece *piece)
{
    unsigned char vector[4096];
    uint64_t resident = 0;

    for (uintptr_t at = piece->start; at < piece->end;) {
        size_t length = piece->end - at;

        if (length > sizeof(vector) * PAGE_BYTES)
            length = sizeof(vector) * PAGE_BYTES;
        if (ls_sys_call6(SYS_mincore, (long)at, (long)length, (long)vector, 0, 0, 0) == 0) {
            for (size_t i = 0; i < length / PAGE_BYTES; i++)
                resident += (vector[i] & 1) * PAGE_BYTES;
        }
        at += length;
    }
    return resident;
}

/* Shares the entry's resident bytes out among its pieces, by what of each is resident. */
static void share_out(const struct entry *entry)
{
    bool is_full = entry->resident_bytes == entry->end - entry->start;
    double parts[LS_BALANCE_PART_COUNT] = {0};
    double all = 0;

    if (piece_count == 1) {
        balance.bytes[pieces[0].part] += (double)entry->resident_bytes;
        return;
    }
    for (uint32_t i = 0; i < piece_count; i++) {
        double bytes =
            is_full ? (double)(pieces[i].end - pieces[i].start) : (double)resident_in(&pieces[i]);

        parts[pieces[i].part] += bytes;
        all += bytes;
    }
    if (all == 0) /* mincore is refused, or they went meanwhile */
        parts[LS_BALANCE_UNKNOWN] = all = 1;
    for (int part = 0; part < LS_BALANCE_PART_COUNT; part++)
        balance.bytes[part] += (double)entry->resident_bytes * parts[part] / all;
}

static void sum_mapped(void)
{
    struct ls_snapshot_mapped *mapped = &balance.mapped;

    for (int class = 0; class < LS_MAPPING_CLASS_COUNT; class ++) {
        struct ls_mapping_totals totals;

        ls_mappings_totals((enum ls_mapping_class) class, &totals);
        mapped->committed_bytes += (double)totals.committed_bytes;
        mapped->reserved_bytes += (double)totals.reserved_bytes;
    }
    mapped->differing_bytes = ls_mappings_disagreement();
}

void ls_balance_settle(void)
{
    if (!is_fresh)
        return;
    is_fresh = false;
    ls_balance_signs_gather();
    sum_mapped();
    for (uint32_t i = 0; i < entry_count; i++) {
        if (entries[i].kind == KIND_STACK) {
            balance.bytes[LS_BALANCE_STACK] += (double)entries[i].resident_bytes;
            continue;
        }
        cut(&entries[i]);
        share_out(&entries[i]);
    }
}

const struct ls_balance *ls_balance_last(void)
{
    return &balance;
}
