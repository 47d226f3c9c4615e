#include "capture/descriptors.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "ledger/ledger.h"
#include "system/memory.h"
#include "system/syscall.h"

#define CHUNK_ENTRIES 1024
#define CHUNKS_MAX    (LS_DESCRIPTORS_MAX / CHUNK_ENTRIES)

/* An entry's word: the slot in the low half, 0 when the resource has none; and these. All zero:
 * no open descriptor that is known of. */
#define KNOWN     (UINT64_C(1) << 32) /* a hook or a check has seen the descriptor */
#define IS_SOCKET (UINT64_C(1) << 33)
#define SIGHTED   (UINT64_C(1) << 34) /* not KNOWN, but listed by the kernel once */
#define UNLISTED  (UINT64_C(1) << 35) /* since the check began, not listed yet */

struct entry {
    _Atomic uint64_t word;
    struct ls_connection connection;
};

struct chunk {
    struct entry entries[CHUNK_ENTRIES];
};

static _Atomic(struct chunk *) chunks[CHUNKS_MAX];
static _Atomic uint32_t chunks_end; /* one past the highest chunk there is */

static struct chunk *chunk_at(uint32_t index)
{
    return ls_load_acquire(&chunks[index]); /* D3 pairs with D4 */
}

/* NULL for a number no chunk holds. */
static struct entry *find(int fd)
{
    struct chunk *chunk;

    if (fd < 0 || fd >= LS_DESCRIPTORS_MAX)
        return NULL;
    chunk = chunk_at((uint32_t)fd / CHUNK_ENTRIES);
    return chunk == NULL ? NULL : &chunk->entries[(uint32_t)fd % CHUNK_ENTRIES];
}

static LS_COLD struct chunk *add_chunk(uint32_t index)
{
    struct chunk *chunk = ls_memory_own_map(sizeof(*chunk), sizeof(*chunk));
    struct chunk *other = NULL;
    uint32_t end = ls_load_relaxed(&chunks_end);

    if (chunk == NULL)
        return NULL;
    if (!ls_compare_exchange_acquire_release(&chunks[index], &other,
                                             chunk)) { /* D4 pairs with D3 */
        ls_memory_own_unmap(chunk, sizeof(*chunk), sizeof(*chunk));
        return other;
    }
    /* Relaxed: how far a walk goes; who walks does not mind to miss what has just been opened. */
    while (end < index + 1 && !ls_compare_exchange_relaxed(&chunks_end, &end, index + 1))
        continue;
    return chunk;
}

static struct entry *obtain(int fd)
{
    struct entry *entry = find(fd);
    struct chunk *chunk;

    if (entry != NULL || fd < 0 || fd >= LS_DESCRIPTORS_MAX)
        return entry;
    chunk = add_chunk((uint32_t)fd / CHUNK_ENTRIES);
    return chunk == NULL ? NULL : &chunk->entries[(uint32_t)fd % CHUNK_ENTRIES];
}

static bool is_tracked(void)
{
    return ls_resource_is_tracked(LS_RESOURCE_SOCKET) || ls_resource_is_tracked(LS_RESOURCE_FILE);
}

static uint64_t known(enum ls_resource kind, uint32_t slot)
{
    return slot | KNOWN | (kind == LS_RESOURCE_SOCKET ? IS_SOCKET : 0);
}

static enum ls_resource kind_of(uint64_t word)
{
    return (word & IS_SOCKET) != 0 ? LS_RESOURCE_SOCKET : LS_RESOURCE_FILE;
}

/* Whoever takes a word out of the table releases what it holds. D5 pairs with itself: the slot was
 * filled before its number was put here. */
static void put(struct entry *entry, uint64_t word)
{
    ls_connection_drop(&entry->connection);
    ls_resource_release((uint32_t)ls_exchange_acquire_release(&entry->word, word)); /* D5 */
}

static enum ls_resource kind_by_kernel(int fd)
{
    struct stat status;

    return ls_sys_fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? LS_RESOURCE_SOCKET
                                                                      : LS_RESOURCE_FILE;
}

void ls_descriptor_opened(int fd, enum ls_resource kind)
{
    struct entry *entry;

    if (fd < 0 || !is_tracked())
        return;
    entry = obtain(fd);
    if (entry == NULL)
        ls_resource_miss();
    else
        put(entry, known(kind, ls_resource_acquire(kind, 0)));
}

void ls_descriptor_received(int fd)
{
    if (fd >= 0 && is_tracked())
        ls_descriptor_opened(fd, kind_by_kernel(fd));
}

void ls_descriptor_copied(int fd, int copy)
{
    struct entry *entry = find(fd);
    uint64_t word = entry == NULL ? 0 : ls_load_acquire(&entry->word); /* D5 */

    if (fd == copy)
        return;
    if ((word & KNOWN) != 0)
        ls_descriptor_opened(copy, kind_of(word));
    else
        ls_descriptor_received(copy);
}

void ls_descriptor_closing(int fd)
{
    struct entry *entry = find(fd);

    /* Relaxed: a thread that may close the number got it from the thread that opened it, in whose
     * hook the word was written before. */
    if (entry == NULL || ls_load_relaxed(&entry->word) == 0 || !ls_resource_is_own_process())
        return;
    ls_connection_closing(fd, &entry->connection);
    put(entry, 0);
}

struct ls_connection *ls_descriptor_connection(int fd, uint32_t *stack)
{
    struct entry *entry = find(fd);
    uint64_t word = entry == NULL ? 0 : ls_load_acquire(&entry->word); /* D5 */

    if ((uint32_t)word == 0 || (word & IS_SOCKET) == 0 || !ls_resource_is_own_process())
        return NULL;
    *stack = ls_live_set_stack(&ls_ledger.live, (uint32_t)word);
    return &entry->connection;
}

void ls_descriptors_closing_range(unsigned first, unsigned last)
{
    uint64_t end = (uint64_t)ls_load_relaxed(&chunks_end) * CHUNK_ENTRIES;

    for (uint64_t fd = first; fd < end && fd <= last; fd++) {
        if (chunk_at((uint32_t)(fd / CHUNK_ENTRIES)) == NULL)
            fd |= CHUNK_ENTRIES - 1;
        else
            ls_descriptor_closing((int)fd);
    }
}

struct ls_connection *ls_descriptor_connection_at(int fd)
{
    struct entry *entry = find(fd);

    return entry == NULL ? NULL : &entry->connection;
}

uint32_t ls_descriptors_end(void)
{
    return ls_load_relaxed(&chunks_end) * CHUNK_ENTRIES;
}

typedef void visit_entry(struct entry *entry);

static void for_each(visit_entry *visit)
{
    uint32_t end = ls_load_relaxed(&chunks_end);

    for (uint32_t i = 0; i < end; i++) {
        struct chunk *chunk = chunk_at(i);

        for (uint32_t j = 0; chunk != NULL && j < CHUNK_ENTRIES; j++)
            visit(&chunk->entries[j]);
    }
}

/* Changes that fail here were overtaken by a hook, which knows better. */
static void change(struct entry *entry, uint64_t word, uint64_t changed)
{
    ls_compare_exchange_acquire_release(&entry->word, &word, changed); /* D5 */
}

static void mark_unlisted(struct entry *entry)
{
    uint64_t word = ls_load_relaxed(&entry->word);

    if (word != 0)
        change(entry, word, word | UNLISTED);
}

void ls_descriptors_begin_check(void)
{
    for_each(mark_unlisted);
}

bool ls_descriptor_is_known(int fd)
{
    struct entry *entry = find(fd);
    uint64_t word = entry == NULL ? 0 : ls_load_relaxed(&entry->word);

    if ((word & UNLISTED) != 0)
        change(entry, word, word & ~UNLISTED);
    return (word & KNOWN) != 0;
}

void ls_descriptor_unseen(int fd, enum ls_resource kind, enum ls_resource_origin origin, bool now)
{
    struct entry *entry = obtain(fd);
    uint64_t word = entry == NULL ? KNOWN : ls_load_relaxed(&entry->word);
    uint32_t slot;

    if ((word & KNOWN) != 0)
        return;
    if (!now && (word & SIGHTED) == 0) {
        change(entry, word, SIGHTED);
        return;
    }
    slot = ls_resource_adopt(kind, origin);
    if (!ls_compare_exchange_acquire_release(&entry->word, &word, known(kind, slot))) /* D5 */
        ls_resource_release(slot);
}

static void drop_unlisted(struct entry *entry)
{
    uint64_t word = ls_load_relaxed(&entry->word);

    if ((word & UNLISTED) != 0 &&
        ls_compare_exchange_acquire_release(&entry->word, &word, 0)) { /* D5 */
        ls_connection_drop(&entry->connection);
        ls_resource_release((uint32_t)word);
    }
}

void ls_descriptors_end_check(void)
{
    for_each(drop_unlisted);
}

static void forget_attempt(struct entry *entry)
{
    ls_connection_child_after_fork(&entry->connection);
}

void ls_descriptors_child_after_fork(void)
{
    for_each(forget_attempt);
}
