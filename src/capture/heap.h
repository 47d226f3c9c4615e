/*
 * Heap blocks: which are tracked, and where that is written down.
 *
 * A tracked block lies in the tracked range behind a tag of 16 bytes: its stack, its slot in the
 * live set and its size, with a check value. The host never sees a difference but in the address.
 *
 * All functions run inside hooks, on any thread. The functions that allocate return NULL when the
 * block is not to be tracked, for whatever reason: the caller then asks the real allocator.
 */
#ifndef LS_CAPTURE_HEAP_H
#define LS_CAPTURE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ls_heap_mode {
    LS_HEAP_WAITING, /* not started, or stopped for now: every call comes to the slow path */
    LS_HEAP_SAMPLED,
    LS_HEAP_EXACT,
    LS_HEAP_OFF, /* for good: threads leave the slow path as they come by */
};

void ls_heap_set_mode(enum ls_heap_mode mode);
enum ls_heap_mode ls_heap_current_mode(void);
/* Mean bytes between samples. Before the mode is set to LS_HEAP_SAMPLED. */
void ls_heap_set_sample_mean(size_t bytes);

/* False when the program's own malloc, or a library before us, answers for malloc: then our hooks
 * see no allocations. Makes one with what the host's calls are bound to. From the constructor. */
bool ls_heap_sees_malloc(void);

/* Called when the thread's countdown has run out. alignment 0: malloc's. */
void *ls_heap_allocate(size_t size, size_t alignment, bool zero);
/* Block must be in the tracked range, for these three. */
void ls_heap_free(void *block);
size_t ls_heap_usable_size(const void *block);
/* realloc to `size` > 0. Returns false if nothing was done because memory ran out (the block is as
 * it was); the result may lie in or out of the tracked range. */
bool ls_heap_resize(void *block, size_t size, void **resized);

/* Blocks whose tag had been overwritten, so that they could neither be accounted nor freed. */
uint64_t ls_heap_damaged_blocks(void);
/* Blocks not tracked because a hook was already running on the thread, or the range was full. */
uint64_t ls_heap_missed_blocks(void);

#endif
