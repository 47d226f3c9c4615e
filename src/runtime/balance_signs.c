#include "runtime/balance_signs.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/atomic.h"
#include "capture/host_threads.h"
#include "capture/mappings.h"
#include "ledger/ledger.h"
#include "system/memory.h"
#include "system/own_pages.h"
#include "system/syscall.h"

#define PAGE_BYTES ((uintptr_t)4096)
#define CLAIMS_MAX 4096
/* Headers looked at for one summary. */
#define PROBES_MAX 8192

/* Heaps of glibc's arenas other than the first begin at multiples of this, and blocks over the
 * threshold have a mapping each whose size says so in its second bit:
 * https://sourceware.org/git/?p=glibc.git;a=blob;f=malloc/arena.c;hb=glibc-2.36 (struct heap_info)
 * https://sourceware.org/git/?p=glibc.git;a=blob;f=malloc/malloc.c;hb=glibc-2.36 (IS_MMAPPED) */
#define ARENA_HEAP_BYTES ((uintptr_t)64 << 20)
#define CHUNK_FLAGS      7u
#define CHUNK_IS_MMAPPED 2u
#define ARENA_OFFSET_MAX 4096

/* A stretch that is known whatever lies in it. */
struct claim {
    uintptr_t start;
    uintptr_t end;
    enum ls_balance_part part;
};

static struct claim *claims; /* by address */
static uint32_t claim_count;
static unsigned probes;

static void claim(uintptr_t start, uintptr_t end, enum ls_balance_part part)
{
    if (start < end && claim_count < CLAIMS_MAX)
        claims[claim_count++] = (struct claim){start, end, part};
}

static void claim_own(void *context, uintptr_t start, uintptr_t end)
{
    (void)context;
    claim(start, end, LS_BALANCE_OWN);
}

static void claim_stack(void *context, const struct ls_host_thread_view *thread)
{
    (void)context;
    if (thread->stack_address != 0)
        claim(thread->stack_end - thread->stack_bytes, thread->stack_end, LS_BALANCE_STACK);
}

/* Of these only the anonymous part is asked for: zeroed data. */
static void claim_modules(void)
{
    uint32_t count = ls_load_acquire(&ls_ledger.modules.count); /* M2 in ledger/modules.c */

    for (uint32_t i = 0; i < count; i++) {
        const struct ls_module *module = ls_ledger.modules.entries[i];

        if (ls_load_relaxed(&module->unloaded_ns) == UINT64_MAX)
            claim(module->text_start, (module->image_end + PAGE_BYTES - 1) & -PAGE_BYTES,
                  LS_BALANCE_FILE);
    }
}

static void claim_own_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t end = ls_host_thread_stack_end(pthread_self());
    uint64_t bytes = ls_host_thread_usual_stack_bytes();

    if (here < end && end - here < bytes)
        claim(end - bytes, end, LS_BALANCE_OWN);
}

/* Shell's, with the gaps of Ciura (https://oeis.org/A102549). */
static void sort_claims(void)
{
    static const uint32_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};

    for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        for (uint32_t i = gaps[g]; i < claim_count; i++) {
            struct claim moved = claims[i];
            uint32_t to = i;

            for (; to >= gaps[g] && claims[to - gaps[g]].start > moved.start; to -= gaps[g])
                claims[to] = claims[to - gaps[g]];
            claims[to] = moved;
        }
    }
}

void ls_balance_signs_gather(void)
{
    const size_t bytes = CLAIMS_MAX * sizeof(*claims);

    if (claims == NULL)
        claims = ls_memory_own_map(bytes, bytes / 8);
    claim_count = 0;
    probes = 0;
    if (claims == NULL)
        return;
    claim_modules();
    ls_own_pages_for_each(claim_own, NULL);
    ls_host_threads_for_each(claim_stack, NULL);
    claim_own_stack();
    sort_claims();
}

/* The first claim that ends behind the address; NULL when there is none. */
static const struct claim *find_claim(uintptr_t address)
{
    uint32_t low = 0;
    uint32_t high = claim_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (claims[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < claim_count ? &claims[low] : NULL;
}

/* The first words of a page, through the kernel: the host may unmap it at any moment. */
static bool read_words(uintptr_t address, uint64_t *words, size_t count)
{
    struct iovec to = {words, count * sizeof(*words)};
    struct iovec from = {(void *)address, count * sizeof(*words)};

    return probes++ < PROBES_MAX &&
           ls_sys_call6(SYS_process_vm_readv, ls_sys_getpid(), (long)&to, 1, (long)&from, 1, 0) ==
               (long)(count * sizeof(*words));
}

/* The arena a heap belongs to lies behind the header of its first heap. */
static uintptr_t arena_heap_bytes(uintptr_t address, const uint64_t *words)
{
    uintptr_t offset = words[0] & (ARENA_HEAP_BYTES - 1);
    uint64_t size = words[2];

    if ((address & (ARENA_HEAP_BYTES - 1)) != 0 || words[0] < ARENA_HEAP_BYTES || offset == 0 ||
        offset > ARENA_OFFSET_MAX || size == 0 || size > ARENA_HEAP_BYTES ||
        (size & (PAGE_BYTES - 1)) != 0)
        return 0;
    return ARENA_HEAP_BYTES;
}

static uintptr_t mapped_chunk_bytes(const uint64_t *words)
{
    uint64_t size = words[1] & ~(uint64_t)CHUNK_FLAGS;

    return (words[1] & CHUNK_FLAGS) == CHUNK_IS_MMAPPED && words[0] < size &&
                   ((words[0] + size) & (PAGE_BYTES - 1)) == 0
               ? words[0] + size
               : 0;
}

static struct ls_balance_sign allocator_sign(uintptr_t address, uintptr_t end)
{
    uintptr_t boundary = (address | (ARENA_HEAP_BYTES - 1)) + 1;
    uint64_t words[3];
    uintptr_t bytes = 0;

    if (boundary > end)
        boundary = end;
    if (read_words(address, words, 3)) {
        bytes = arena_heap_bytes(address, words);
        if (bytes == 0)
            bytes = mapped_chunk_bytes(words);
    }
    if (bytes == 0)
        return (struct ls_balance_sign){boundary, LS_BALANCE_UNKNOWN};
    return (struct ls_balance_sign){bytes < end - address ? address + bytes : end,
                                    LS_BALANCE_ALLOCATOR};
}

static bool is_ours_to_serve(uintptr_t address)
{
    return ls_memory_is_tracked((const void *)address) || ls_memory_is_host((const void *)address);
}

static enum ls_balance_part part_of(enum ls_mapping_class owner)
{
    switch (owner) {
    case LS_MAPPING_V8:
        return LS_BALANCE_V8;
    case LS_MAPPING_ALLOCATOR:
        return LS_BALANCE_ALLOCATOR;
    default:
        return LS_BALANCE_MAPPING;
    }
}

struct ls_balance_sign ls_balance_sign_at(uintptr_t address, uintptr_t end)
{
    const struct claim *claimed = find_claim(address);
    struct ls_mapping_stretch stretch;

    if (is_ours_to_serve(address))
        return (struct ls_balance_sign){end, LS_BALANCE_ALLOCATOR};
    stretch = ls_mappings_look_up(address, end);
    if (stretch.known)
        return (struct ls_balance_sign){stretch.end, part_of(stretch.owner)};
    end = stretch.end;
    if (claimed != NULL && claimed->start <= address)
        return (struct ls_balance_sign){claimed->end < end ? claimed->end : end, claimed->part};
    if (claimed != NULL && claimed->start < end)
        end = claimed->start;
    return allocator_sign(address, end);
}
