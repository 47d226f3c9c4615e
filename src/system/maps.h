/*
 * What the kernel says is mapped: /proc/self/maps, and /proc/self/smaps with what is resident. By
 * raw system calls, entry by entry, without allocation. Any thread, one at a time for each call.
 */
#ifndef LS_SYSTEM_MAPS_H
#define LS_SYSTEM_MAPS_H

#include <stdbool.h>
#include <stdint.h>

struct ls_map_entry {
    uintptr_t start;
    uintptr_t end;
    bool is_reserved;        /* ---: neither readable, writable nor executable */
    bool is_file;            /* has an inode, or is the kernel's own code */
    const char *name;        /* "" for anonymous memory; cut to what fits; valid in the visit */
    uint64_t resident_bytes; /* 0 unless asked for */
};

typedef void ls_maps_visit(void *context, const struct ls_map_entry *entry);

/* Every entry in order of addresses. 0 or -errno; entries may have been visited by then. */
int ls_maps_read(bool with_resident, ls_maps_visit *visit, void *context);

#endif
