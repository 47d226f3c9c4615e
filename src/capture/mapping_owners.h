/*
 * What the mappings made at one stack add up to, and whose they are. The collector's, under its
 * lock. Bounded: stacks beyond the table's capacity are one owner, that of LS_STACK_OVERFLOW.
 */
#ifndef LS_CAPTURE_MAPPING_OWNERS_H
#define LS_CAPTURE_MAPPING_OWNERS_H

#include <stdint.h>

#include "capture/mappings.h"
#include "ledger/stack_table.h"

#define LS_MAPPING_OWNERS_MAX 4096
/* Stands for the stack of what the host's allocator maps, which is not looked at. */
#define LS_MAPPING_STACK_ALLOCATOR (LS_STACK_UNKNOWN - 1)

struct ls_mapping_owner {
    uint64_t acquired_count; /* mappings */
    uint64_t acquired_bytes; /* committed, at the mapping or later */
    uint64_t released_count; /* mappings of which no piece is left */
    uint64_t committed_bytes;
    uint64_t reserved_bytes;
    uint64_t pieces;
    uint32_t stack;
    enum ls_mapping_class class;
};

int ls_mapping_owners_start(void);
/* Finds or adds. */
uint32_t ls_mapping_owner_of(uint32_t stack);
struct ls_mapping_owner *ls_mapping_owner_at(uint32_t index);
/* Asks for the class of those that have none, and sets the ledger's tallies of the program's. */
void ls_mapping_owners_settle(uint32_t stacks_known, ls_mapping_classify *classify);

#endif
