#include "system/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/atomic.h"
#include "system/syscall.h"

/* The private jemalloc (cmake/private-jemalloc.sh). Declared here and nowhere else; the meaning of
 * each is in jemalloc(3). */
void *lsje_mallocx(size_t size, int flags);
size_t lsje_xallocx(void *block, size_t size, size_t extra, int flags);
void lsje_dallocx(void *block, int flags);
size_t lsje_sallocx(const void *block, int flags);
int lsje_mallctl(const char *name, void *old, size_t *old_length, void *new, size_t new_length);

extern const char *lsje_malloc_conf;
/* abort_conf:false and no output: jemalloc must not end or write to the host. One automatic arena:
 * only our own tables use it, and need no thread caches: those of the ranges are made by hand. */
const char *lsje_malloc_conf = "abort_conf:false,narenas:1,dss:disabled,background_thread:false,"
                               "dirty_decay_ms:1000,muzzy_decay_ms:0,tcache:false,tcache_max:32768";

#define ALIGN_FLAG(alignment) ((alignment) > 1 ? __builtin_ctzll(alignment) : 0)
#define ARENA_FLAG(arena)     ((int)(((arena) + 1) << 20))
#define TCACHE_NONE           ((int)((0 + 1) << 8))
#define TCACHE_FLAG(index)    ((int)(((index) + 2) << 8))
#define ZERO_FLAG             0x40
#define TCACHES_MAX           4094

/* Layout of extent_hooks_t, jemalloc(3). */
struct extent_hooks {
    void *(*alloc)(struct extent_hooks *, void *, size_t, size_t, bool *, bool *, unsigned);
    bool (*dalloc)(struct extent_hooks *, void *, size_t, bool, unsigned);
    void (*destroy)(struct extent_hooks *, void *, size_t, bool, unsigned);
    bool (*commit)(struct extent_hooks *, void *, size_t, size_t, size_t, unsigned);
    bool (*decommit)(struct extent_hooks *, void *, size_t, size_t, size_t, unsigned);
    bool (*purge_lazy)(struct extent_hooks *, void *, size_t, size_t, size_t, unsigned);
    bool (*purge_forced)(struct extent_hooks *, void *, size_t, size_t, size_t, unsigned);
    bool (*split)(struct extent_hooks *, void *, size_t, size_t, size_t, bool, unsigned);
    bool (*merge)(struct extent_hooks *, void *, size_t, void *, size_t, bool, unsigned);
};

/* An arena that lives in one reserved range. `hooks` comes first: jemalloc hands it back. */
struct range_arena {
    struct extent_hooks hooks;
    struct ls_memory_range *range;
    _Atomic size_t used;    /* bytes of the range handed to jemalloc so far; never shrinks, because
                               jemalloc keeps what it gives back and uses it again */
    _Atomic size_t allowed; /* no extent ends beyond it */
    unsigned index;
};

/* A base no address is above, so that a reader who sees the size before the base sees nothing
 * inside. */
struct ls_memory_range ls_memory_tracked_range = {.base = UINTPTR_MAX / 2 + 1};
struct ls_memory_range ls_memory_host_range = {.base = UINTPTR_MAX / 2 + 1};

static struct range_arena tracked_arena;
static struct range_arena host_arena;
static _Atomic size_t own_bytes;
static _Atomic size_t own_cap = SIZE_MAX;
static bool started;

/* Explicit thread caches, so that a thread's blocks of one arena need no lock. Stored plus one:
 * zero is "not asked yet". */
static LS_THREAD_LOCAL unsigned tracked_cache;
static LS_THREAD_LOCAL unsigned host_cache;
#define NO_CACHE UINT32_MAX

static void *take_extent(struct extent_hooks *hooks, void *wanted, size_t size, size_t alignment,
                         bool *zero, bool *commit, unsigned arena)
{
    struct range_arena *self = (struct range_arena *)(void *)hooks;
    size_t used = ls_load_relaxed(&self->used);
    uintptr_t start;
    size_t end;

    (void)arena;
    if (wanted != NULL)
        return NULL;
    do {
        start = (self->range->base + used + alignment - 1) & ~(uintptr_t)(alignment - 1);
        end = start - self->range->base + size;
        if (end > ls_load_relaxed(&self->allowed) || end < size)
            return NULL;
        /* Relaxed: the counter only hands out disjoint stretches, nothing is read through it. */
    } while (!ls_compare_exchange_relaxed(&self->used, &used, end));
    if (ls_sys_mprotect((void *)start, size, PROT_READ | PROT_WRITE) < 0)
        return NULL;
    *zero = true;
    *commit = true;
    return (void *)start;
}

static bool keep_extent(struct extent_hooks *hooks, void *address, size_t size, bool committed,
                        unsigned arena)
{
    (void)hooks, (void)address, (void)size, (void)committed, (void)arena;
    return true; /* refused: jemalloc retains it */
}

static bool already_committed(struct extent_hooks *hooks, void *address, size_t size, size_t offset,
                              size_t length, unsigned arena)
{
    (void)hooks, (void)address, (void)size, (void)offset, (void)length, (void)arena;
    return false;
}

static bool no_decommit(struct extent_hooks *hooks, void *address, size_t size, size_t offset,
                        size_t length, unsigned arena)
{
    (void)hooks, (void)address, (void)size, (void)offset, (void)length, (void)arena;
    return true;
}

static bool give_pages_back(struct extent_hooks *hooks, void *address, size_t size, size_t offset,
                            size_t length, unsigned arena)
{
    (void)hooks, (void)size, (void)arena;
    return ls_sys_madvise((char *)address + offset, length, MADV_DONTNEED) < 0;
}

static bool may_split(struct extent_hooks *hooks, void *address, size_t size, size_t first,
                      size_t second, bool committed, unsigned arena)
{
    (void)hooks, (void)address, (void)size, (void)first, (void)second, (void)committed, (void)arena;
    return false;
}

static bool may_merge(struct extent_hooks *hooks, void *first, size_t first_size, void *second,
                      size_t second_size, bool committed, unsigned arena)
{
    (void)hooks, (void)first, (void)first_size, (void)second, (void)second_size, (void)committed;
    (void)arena;
    return false;
}

static const struct extent_hooks range_hooks = {
    .alloc = take_extent,
    .dalloc = keep_extent,
    .commit = already_committed,
    .decommit = no_decommit,
    .purge_lazy = give_pages_back,
    .purge_forced = give_pages_back,
    .split = may_split,
    .merge = may_merge,
};

/* Under RLIMIT_AS reserved addresses count like used ones: then this share of what is allowed. */
#define LIMITED_SHARE 32
#define LARGEST_RANGE ((size_t)256 << 30)
#define LEAST_RANGE   ((size_t)8 << 20)

static int reserve_range(struct ls_memory_range *range)
{
    struct rlimit limit;
    size_t size = LARGEST_RANGE;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        while (size > LEAST_RANGE && size > limit.rlim_cur / LIMITED_SHARE)
            size >>= 1;
    }
    for (; size >= LEAST_RANGE; size >>= 1) {
        void *base =
            ls_sys_mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (!ls_sys_mmap_failed(base)) {
            range->base = (uintptr_t)base;
            ls_store_relaxed(&range->size, size);
            return 0;
        }
    }
    return -ENOMEM;
}

/* The part no extent has been taken from goes back. An extent that is being taken at this moment
 * may find its mprotect refused; jemalloc then has no memory, and the block is not tracked. */
static void shrink_range(struct range_arena *arena, uint64_t limit_bytes)
{
    size_t size = ls_load_relaxed(&arena->range->size);
    size_t kept = ls_load_relaxed(&arena->used) + limit_bytes / LIMITED_SHARE;

    kept = (kept + LEAST_RANGE - 1) & ~(LEAST_RANGE - 1);
    if (kept >= size)
        return;
    ls_store_relaxed(&arena->allowed, kept);
    /* First the size: what the kernel maps there next is the host's. */
    ls_store_relaxed(&arena->range->size, kept);
    ls_sys_munmap((void *)(arena->range->base + kept), size - kept);
}

/* The range stays as large as it is, but no more is used of it than now and a share of the rest. */
static void freeze_range(struct range_arena *arena, uint64_t spare_bytes)
{
    size_t allowed = ls_load_relaxed(&arena->used) + spare_bytes / LIMITED_SHARE;

    if (allowed < ls_load_relaxed(&arena->allowed))
        ls_store_relaxed(&arena->allowed, allowed);
}

/*
 * A limit below what the process has mapped was meant without our reservation: that goes back. One
 * above it was reckoned from a size that has it in, so to give it back would grant the host more
 * than it means to have: the reservation stays, and is not used to get round the limit.
 */
void ls_memory_limit_addresses(uint64_t limit_bytes, uint64_t mapped_bytes)
{
    void (*adapt)(struct range_arena *, uint64_t) =
        limit_bytes > mapped_bytes ? freeze_range : shrink_range;
    uint64_t bytes = limit_bytes > mapped_bytes ? limit_bytes - mapped_bytes : limit_bytes;

    if (!started)
        return;
    adapt(&tracked_arena, bytes);
    if (ls_load_relaxed(&ls_memory_host_range.size) != 0)
        adapt(&host_arena, bytes);
}

static int create_arena(struct range_arena *arena, struct ls_memory_range *range)
{
    struct extent_hooks *hooks = &arena->hooks;
    size_t length = sizeof(arena->index);
    struct ls_memory_range reserved = {0};
    int status = reserve_range(&reserved);
    void *block;

    if (status != 0)
        return status;
    arena->hooks = range_hooks;
    arena->range = range;
    range->base = reserved.base;
    ls_store_relaxed(&range->size, reserved.size);
    ls_store_relaxed(&arena->allowed, reserved.size);
    status = lsje_mallctl("arenas.create", &arena->index, &length, &hooks, sizeof(hooks));
    /* jemalloc maps the tables of a range, megabytes, with its first block: they must fit as well.
     */
    if (status == 0) {
        block = lsje_mallocx(1, ARENA_FLAG(arena->index) | TCACHE_NONE);
        if (block != NULL)
            lsje_dallocx(block, TCACHE_NONE);
        else
            status = ENOMEM;
    }
    if (status != 0) {
        ls_store_relaxed(&range->size, 0);
        ls_sys_munmap((void *)reserved.base, reserved.size);
        return -status;
    }
    return 0;
}

int ls_memory_start(bool serve_host)
{
    int status;

    if (started)
        return 0;
    status = create_arena(&tracked_arena, &ls_memory_tracked_range);
    if (status == 0 && serve_host)
        status = create_arena(&host_arena, &ls_memory_host_range);
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

static int block_flags(const struct range_arena *arena, unsigned *cache)
{
    return ARENA_FLAG(arena->index) | cache_flag(cache);
}

static bool is_inside(const struct ls_memory_range *range, const void *block)
{
    return (uintptr_t)block - range->base < ls_load_relaxed(&range->size);
}

/*
 * In a thread whose own data jemalloc has already torn down (another key's destructor allocates
 * late) it serves everything from its arena 0, whatever arena is asked for: tsd_data_init_nocleanup
 * and imalloc_body in its sources (https://github.com/jemalloc/jemalloc/blob/5.3.0/src/jemalloc.c).
 * Such a block lies outside the range and would not be known again.
 */
static void *allocate(const struct range_arena *arena, unsigned *cache, size_t size,
                      size_t alignment, bool zero)
{
    void *block;

    /* jemalloc calls a size of 0 and one over PTRDIFF_MAX undefined. */
    if (size > PTRDIFF_MAX)
        return NULL;
    block = lsje_mallocx(size == 0 ? 1 : size, block_flags(arena, cache) | ALIGN_FLAG(alignment) |
                                                   (zero ? ZERO_FLAG : 0));
    if (block != NULL && !is_inside(arena->range, block)) {
        lsje_dallocx(block, TCACHE_NONE);
        return NULL;
    }
    return block;
}

/* A block made smaller stays where it is unless that would waste more than half of it. */
static size_t largest_kept(size_t size)
{
    const size_t small = 256;

    return size < small ? small : size * 2;
}

/* Moved by hand and not by rallocx: the old block must still be whole when the new one turns out to
 * lie outside. */
static void *resize(const struct range_arena *arena, unsigned *cache, void *block, size_t size)
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
    lsje_dallocx(block, cache_flag(cache));
    return moved;
}

void *ls_memory_tracked_allocate(size_t size, size_t alignment, bool zero)
{
    return allocate(&tracked_arena, &tracked_cache, size, alignment, zero);
}

void ls_memory_tracked_free(void *block)
{
    lsje_dallocx(block, cache_flag(&tracked_cache));
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
    return allocate(&host_arena, &host_cache, size, alignment, zero);
}

void ls_memory_host_free(void *block)
{
    lsje_dallocx(block, cache_flag(&host_cache));
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
    block = lsje_mallocx(size, ZERO_FLAG | TCACHE_NONE);
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
    return pages;
}

void ls_memory_own_unmap(void *pages, size_t size, size_t charge)
{
    if (pages == NULL)
        return;
    ls_sys_munmap(pages, size);
    ls_memory_own_discharge(charge);
}
