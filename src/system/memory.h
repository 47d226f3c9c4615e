/*
 * The library's memory, and the memory of the blocks it tracks. The one place that knows jemalloc:
 * a private copy, linked statically with its symbols renamed, that the host never sees
 * (cmake/PrivateJemalloc.cmake).
 *
 *   own      tables and buffers of the library itself; counted and capped
 *   tracked  blocks handed to the host that carry a tag; they lie in one reserved address range, so
 *            that free() recognises them by one comparison
 *   host     with allocator=jemalloc, the untracked blocks; a second range
 *
 * Thread-safe. jemalloc takes its own short locks; none is held while calling out. After fork the
 * child may go on using all of it (jemalloc registers its own fork handlers).
 */
#ifndef LS_SYSTEM_MEMORY_H
#define LS_SYSTEM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

struct ls_memory_range {
    uintptr_t base;
    /* 0 until reserved: contains nothing. Shrinks when the host limits its address space. Relaxed
     * everywhere: a block's address reaches another thread only after the size that covers it. */
    _Atomic size_t size;
};

extern struct ls_memory_range ls_memory_tracked_range;
extern struct ls_memory_range ls_memory_host_range;

LS_INLINE bool ls_memory_range_has(const struct ls_memory_range *range, const void *block)
{
    return (uintptr_t)block - range->base < ls_load_relaxed(&range->size);
}

LS_INLINE bool ls_memory_is_tracked(const void *block)
{
    return ls_memory_range_has(&ls_memory_tracked_range, block);
}

LS_INLINE bool ls_memory_is_host(const void *block)
{
    return ls_memory_range_has(&ls_memory_host_range, block);
}

/* What blocks are to be served, and which of them most often: those are served fastest. */
enum ls_memory_use {
    LS_MEMORY_TRACKED_ONLY,
    LS_MEMORY_TRACKED_MOSTLY, /* and the host's untracked blocks too */
    LS_MEMORY_HOST_MOSTLY,
};

/* Reserves the ranges (address space only) and creates the arenas. Call once, before threads. 0 or
 * -errno; after an error nothing is tracked and ls_memory_own_* return NULL. */
int ls_memory_start(enum ls_memory_use use);

/* The host is about to limit its address space (RLIMIT_AS) while it has `mapped_bytes` mapped, our
 * reservation included: sees to it that the limit means to the host what it would without us. */
void ls_memory_limit_addresses(uint64_t limit_bytes, uint64_t mapped_bytes);

/* Own memory: zeroed; NULL when the cap is reached or the machine is out of memory. */
void *ls_memory_own_allocate(size_t size);
void ls_memory_own_free(void *block, size_t size);
/* Pages of our own straight from the kernel, zeroed, for tables that grow in chunks or are
 * reserved large and touched little. Counted by `charge` bytes against the cap. */
void *ls_memory_own_map(size_t size, size_t charge);
void ls_memory_own_unmap(void *pages, size_t size, size_t charge);
/* For reserved maps that charge as they are touched. False when over the cap. */
bool ls_memory_own_charge(size_t size);
void ls_memory_own_discharge(size_t size);
void ls_memory_own_set_cap(size_t bytes);
/* Bytes in use by the library itself. */
size_t ls_memory_own_bytes(void);

/* Blocks for the host. alignment 0 means malloc's. NULL when the range is full. */
void *ls_memory_tracked_allocate(size_t size, size_t alignment, bool zero);
void ls_memory_tracked_free(void *block);
/* The same where the size is known that was given to ls_memory_tracked_allocate, without alignment:
 * quicker. */
void ls_memory_tracked_free_sized(void *block, size_t size);
/* In place if it can be, else moved; NULL leaves the old block as it was. */
void *ls_memory_tracked_resize(void *block, size_t size);
/* Bytes that may be used, at least what was asked for. */
size_t ls_memory_tracked_usable(const void *block);

void *ls_memory_host_allocate(size_t size, size_t alignment, bool zero);
/* The same without alignment or zeros: quicker. */
void *ls_memory_host_malloc(size_t size);
void ls_memory_host_free(void *block);
void *ls_memory_host_resize(void *block, size_t size);
size_t ls_memory_host_usable(const void *block);

/* Called as a thread ends: gives back the caches made by hand. */
void ls_memory_thread_end(void);
/* jemalloc takes its own caches down when it sees fit: what is to be called around that, on the
 * thread that ends. Before threads. */
void ls_memory_around_thread_end(void (*before)(void), void (*after)(void));

#endif
