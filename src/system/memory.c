#include "system/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "system/own_pages.h"
#include "system/range.h"
#include "system/syscall.h"

/* The private jemalloc (cmake/private-jemalloc.sh). Declared here and nowhere else; the meaning of
 * each is in jemalloc(3). */
void *lsje_malloc(size_t size);
void *lsje_calloc(size_t count, size_t size);
void lsje_free(void *block);
void *lsje_mallocx(size_t size, int flags);
size_t lsje_xallocx(void *block, size_t size, size_t extra, int flags);
void lsje_dallocx(void *block, int flags);
void lsje_sdallocx(void *block, size_t size, int flags);
size_t lsje_sallocx(const void *block, int flags);
int lsje_mallctl(const char *name, void *old, size_t *old_length, void *new, size_t new_length);

extern const char *lsje_malloc_conf;
/* abort_conf:false and no output: jemalloc must not end or write to the host. Nothing must leave
 * the arena it was asked of for another by its size (oversize_threshold). */
const char *lsje_malloc_conf = "abort_conf:false,narenas:1,oversize_threshold:0,dss:disabled,"
                               "background_thread:false,dirty_decay_ms:1000,muzzy_decay_ms:0,"
                               "tcache_max:32768";

#define ALIGN_FLAG(alignment) ((alignment) > 1 ? __builtin_ctzll(alignment) : 0)
#define ARENA_FLAG(arena)     ((int)(((arena) + 1) << 20))
#define TCACHE_NONE           ((int)((0 + 1) << 8))
#define TCACHE_FLAG(index)    ((int)(((index) + 2) << 8))
#define ZERO_FLAG             0x40
#define TCACHES_MAX           4094
#define MALLOC_ALIGNMENT      16
#define OWN_ARENA             0 /* jemalloc's first: no thread is left to it */

/* A base no address is above, so that a reader who sees the size before the base sees nothing
 * inside. */
struct ls_memory_range ls_memory_tracked_range = {.base = UINTPTR_MAX / 2 + 1};
struct ls_memory_range ls_memory_host_range = {.base = UINTPTR_MAX / 2 + 1};

struct block_arena {
    struct ls_range_arena extents;
    /* Every thread is bound to it, and takes from it without flags by its automatic cache: jemalloc
     * is fastest where it is left to itself. */
    bool automatic;
};

static struct block_arena tracked_arena;
static struct block_arena host_arena;
static _Atomic size_t own_bytes;
static _Atomic size_t own_cap = SIZE_MAX;
static bool started;

/* Explicit thread caches for the arena that is not automatic, so that a thread's blocks need no
 * lock. Stored plus one: zero is "not asked yet". */
static LS_THREAD_LOCAL unsigned tracked_cache;
static LS_THREAD_LOCAL unsigned host_cache;
static LS_THREAD_LOCAL bool is_bound; /* this thread, to the automatic arena */
#define NO_CACHE UINT32_MAX

void ls_memory_limit_addresses(uint64_t limit_bytes, uint64_t mapped_bytes)
{
    if (!started)
        return;
    ls_range_limit(&tracked_arena.extents, limit_bytes, mapped_bytes);
    if (ls_load_relaxed(&ls_memory_host_range.size) != 0)
        ls_range_limit(&host_arena.extents, limit_bytes, mapped_bytes);
}

static int start_arena(struct block_arena *arena, struct ls_memory_range *range, bool automatic)
{
    struct ls_range_arena *extents = &arena->extents;
    struct ls_extent_hooks *hooks = &extents->hooks;
    size_t length = sizeof(extents->index);
    int status = ls_range_reserve(extents, range);
    void *block;

    if (status != 0)
        return status;
    arena->automatic = automatic;
    status = lsje_mallctl("arenas.create", &extents->index, &length, &hooks, sizeof(hooks));
    /* jemalloc maps the tables of a range, megabytes, with its first block: they must fit as well.
     */
    if (status == 0) {
        block = lsje_mallocx(1, ARENA_FLAG(extents->index) | TCACHE_NONE);
        if (block != NULL)
            lsje_dallocx(block, TCACHE_NONE);
        else
            status = ENOMEM;
    }
    if (status != 0)
        ls_range_release(extents);
    return -status;
}

int ls_memory_start(enum ls_memory_use use)
{
    bool serves_host = use != LS_MEMORY_TRACKED_ONLY;
    int status;

    if (started)
        return 0;
    status = start_arena(&tracked_arena, &ls_memory_tracked_range, use != LS_MEMORY_HOST_MOSTLY);
    if (status == 0 && serves_host)
        status = start_arena(&host_arena, &ls_memory_host_range, use == LS_MEMORY_HOST_MOSTLY);
    started = status == 0;
    return status;
}

static int cache_flag(unsigned *cache)
{
    unsigned index = 0;
    size_t length = sizeof(index);

    if (LS_LIKELY(*cache != 0 && *cache != NO_CACHE))
        return TCACHE_FLAG(*cache - 1);
    if (*cache == NO_CACHE)
        return TCACHE_NONE;
    if (lsje_mallctl("tcache.create", &index, &length, NULL, 0) != 0 || index >= TCACHES_MAX) {
        *cache = NO_CACHE;
        return TCACHE_NONE;
    }
    *cache = index + 1;
    return TCACHE_FLAG(index);
}

static void drop_cache(unsigned *cache)
{
    unsigned index = *cache - 1;

    if (*cache != 0 && *cache != NO_CACHE)
        lsje_mallctl("tcache.destroy", NULL, NULL, &index, sizeof(index));
    *cache = NO_CACHE;
}

static int block_flags(const struct block_arena *arena, unsigned *cache)
{
    return arena->automatic ? 0 : ARENA_FLAG(arena->extents.index) | cache_flag(cache);
}

static LS_COLD void bind_thread(const struct block_arena *arena)
{
    unsigned index = arena->extents.index;

    is_bound = lsje_mallctl("thread.arena", NULL, NULL, &index, sizeof(index)) == 0;
}

/*
 * In a thread whose own data jemalloc has already torn down (another key's destructor allocates
 * late) it serves everything from its arena 0, whatever arena is asked for: tsd_data_init_nocleanup
 * and imalloc_body in its sources (https://github.com/jemalloc/jemalloc/blob/5.3.0/src/jemalloc.c).
 * Such a block lies outside the range and would not be known again.
 */
static LS_COLD void *refuse(void *block)
{
    if (block != NULL)
        lsje_dallocx(block, TCACHE_NONE);
    return NULL;
}

static LS_COLD void *allocate_slowly(const struct block_arena *arena, unsigned *cache, size_t size,
                                     size_t alignment, bool zero)
{
    void *block;

    /* jemalloc calls a size of 0 and one over PTRDIFF_MAX undefined. */
    if (size > PTRDIFF_MAX)
        return NULL;
    if (size == 0)
        size = 1;
    if (arena->automatic && !is_bound)
        bind_thread(arena);
    if (arena->automatic && alignment <= MALLOC_ALIGNMENT)
        block = zero ? lsje_calloc(1, size) : lsje_malloc(size);
    else
        block = lsje_mallocx(size, block_flags(arena, cache) | ALIGN_FLAG(alignment) |
                                       (zero ? ZERO_FLAG : 0));
    return ls_memory_range_has(arena->extents.range, block) ? block : refuse(block);
}

LS_INLINE void *allocate(const struct block_arena *arena, unsigned *cache, size_t size,
                         size_t alignment, bool zero)
{
    void *block;

    if (LS_UNLIKELY(!arena->automatic || !is_bound || zero || alignment > MALLOC_ALIGNMENT))
        return allocate_slowly(arena, cache, size, alignment, zero);
    block = lsje_malloc(size);
    return LS_LIKELY(ls_memory_range_has(arena->extents.range, block)) ? block : refuse(block);
}

static LS_COLD void release_explicitly(unsigned *cache, void *block)
{
    lsje_dallocx(block, cache_flag(cache));
}

LS_INLINE void release(const struct block_arena *arena, unsigned *cache, void *block)
{
    if (LS_LIKELY(arena->automatic))
        lsje_free(block);
    else
        release_explicitly(cache, block);
}

/* A block made smaller stays where it is unless that would waste more than half of it. */
static size_t largest_kept(size_t size)
{
    const size_t small = 256;

    return size < small ? small : size * 2;
}

/* Moved by hand and not by rallocx: the old block must still be whole when the new one turns out to
 * lie outside. */
static void *resize(const struct block_arena *arena, unsigned *cache, void *block, size_t size)
{
    size_t old_usable = lsje_sallocx(block, 0);
    void *moved;

    if (size > PTRDIFF_MAX)
        return NULL;
    if (size == 0)
        size = 1;
    if (old_usable <= largest_kept(size) && lsje_xallocx(block, size, 0, 0) >= size)
        return block;
    moved = allocate(arena, cache, size, 0, false);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, old_usable < size ? old_usable : size);
    release(arena, cache, block);
    return moved;
}

void *ls_memory_tracked_allocate(size_t size, size_t alignment, bool zero)
{
    return allocate(&tracked_arena, &tracked_cache, size, alignment, zero);
}

void ls_memory_tracked_free(void *block)
{
    release(&tracked_arena, &tracked_cache, block);
}

void ls_memory_tracked_free_sized(void *block, size_t size)
{
    if (LS_LIKELY(tracked_arena.automatic))
        lsje_sdallocx(block, size, 0);
    else
        release_explicitly(&tracked_cache, block);
}

void *ls_memory_tracked_resize(void *block, size_t size)
{
    return resize(&tracked_arena, &tracked_cache, block, size);
}

size_t ls_memory_tracked_usable(const void *block)
{
    return lsje_sallocx(block, 0);
}

void *ls_memory_host_allocate(size_t size, size_t alignment, bool zero)
{
    return allocate_slowly(&host_arena, &host_cache, size, alignment, zero);
}

void *ls_memory_host_malloc(size_t size)
{
    return allocate(&host_arena, &host_cache, size, 0, false);
}

void ls_memory_host_free(void *block)
{
    release(&host_arena, &host_cache, block);
}

void *ls_memory_host_resize(void *block, size_t size)
{
    return resize(&host_arena, &host_cache, block, size);
}

size_t ls_memory_host_usable(const void *block)
{
    return lsje_sallocx(block, 0);
}

void ls_memory_thread_end(void)
{
    drop_cache(&tracked_cache);
    drop_cache(&host_cache);
}

bool ls_memory_own_charge(size_t size)
{
    /* Relaxed: a statistic with a bound; two threads may overshoot it by one request each. */
    if (ls_load_relaxed(&own_bytes) + size > ls_load_relaxed(&own_cap))
        return false;
    ls_add_relaxed(&own_bytes, size);
    return true;
}

void ls_memory_own_discharge(size_t size)
{
    atomic_fetch_sub_explicit(&own_bytes, size, memory_order_relaxed);
}

void ls_memory_own_set_cap(size_t bytes)
{
    ls_store_relaxed(&own_cap, bytes);
}

size_t ls_memory_own_bytes(void)
{
    return ls_load_relaxed(&own_bytes);
}

void *ls_memory_own_allocate(size_t size)
{
    void *block;

    if (!started || size == 0 || size > PTRDIFF_MAX || !ls_memory_own_charge(size))
        return NULL;
    block = lsje_mallocx(size, ARENA_FLAG(OWN_ARENA) | ZERO_FLAG | TCACHE_NONE);
    if (block == NULL)
        ls_memory_own_discharge(size);
    return block;
}

void ls_memory_own_free(void *block, size_t size)
{
    if (block == NULL)
        return;
    lsje_dallocx(block, TCACHE_NONE);
    ls_memory_own_discharge(size);
}

void *ls_memory_own_map(size_t size, size_t charge)
{
    void *pages;

    if (!ls_memory_own_charge(charge))
        return NULL;
    pages = ls_sys_mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ls_sys_mmap_failed(pages)) {
        ls_memory_own_discharge(charge);
        return NULL;
    }
    ls_own_pages_add(pages, size);
    return pages;
}

void ls_memory_own_unmap(void *pages, size_t size, size_t charge)
{
    if (pages == NULL)
        return;
    ls_own_pages_remove(pages, size);
    ls_sys_munmap(pages, size);
    ls_memory_own_discharge(charge);
}
