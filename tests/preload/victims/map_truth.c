/*
 * Maps, unmaps, protects, replaces and moves at random in several threads, and knows what it has of
 * each page. At the end it compares with /proc/self/maps, and tells on stdout what each of its
 * functions holds.
 *
 *     map_truth THREADS OPERATIONS MILLISECONDS
 *
 * The last is how long it stays after that.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "victim.h"

enum { PAGE = 4096, SITES = 4, MAPPINGS = 64, PAGES_MAX = 96, THREADS_MAX = 16 };

struct page {
    unsigned char site; /* plus one; 0: not mapped */
    unsigned char reserved;
};

struct mapping {
    char *address; /* NULL: none */
    unsigned count;
    struct page pages[PAGES_MAX];
};

struct worker {
    pthread_t thread;
    uint64_t random;
    unsigned operations;
    struct mapping mappings[MAPPINGS];
};

static struct worker workers[THREADS_MAX];
static const char *const site_names[SITES] = {"map_first", "map_second", "map_third", "map_moved"};

#define FLAGS (MAP_PRIVATE | MAP_ANONYMOUS)

VICTIM_FUNCTION static void *map_first(void *address, size_t length, int protection, int flags)
{
    void *mapped = mmap(address, length, protection, FLAGS | flags, -1, 0);

    KEEP(mapped);
    return mapped;
}

VICTIM_FUNCTION static void *map_second(void *address, size_t length, int protection, int flags)
{
    void *mapped = mmap64(address, length, protection, FLAGS | flags, -1, 0);

    KEEP(mapped);
    return mapped;
}

VICTIM_FUNCTION static void *map_third(void *address, size_t length, int protection, int flags)
{
    void *mapped = mmap(address, length, PROT_NONE, FLAGS | flags, -1, 0);

    if (mapped != MAP_FAILED && protection != PROT_NONE)
        CHECK(mprotect(mapped, length, protection) == 0);
    KEEP(mapped);
    return mapped;
}

VICTIM_FUNCTION static void *map_moved(void *address, size_t old_length, size_t length, int flags)
{
    void *moved = mremap(address, old_length, length, flags);

    KEEP(moved);
    return moved;
}

static void *map_at(unsigned site, void *address, size_t length, int protection, int flags)
{
    switch (site) {
    case 0:
        return map_first(address, length, protection, flags);
    case 1:
        return map_second(address, length, protection, flags);
    default:
        return map_third(address, length, protection, flags);
    }
}

static unsigned pick(struct worker *worker, unsigned below)
{
    return (unsigned)(victim_random(&worker->random) >> 33) % below;
}

static void set_pages(struct mapping *mapping, unsigned first, unsigned count, unsigned site,
                      int reserved)
{
    for (unsigned i = first; i < first + count; i++)
        mapping->pages[i] = (struct page){(unsigned char)site, (unsigned char)reserved};
}

static void forget_if_empty(struct mapping *mapping)
{
    for (unsigned i = 0; i < mapping->count; i++) {
        if (mapping->pages[i].site != 0)
            return;
    }
    mapping->address = NULL;
}

static void map_new(struct worker *worker, struct mapping *mapping)
{
    unsigned count = 1 + pick(worker, 40);
    unsigned site = pick(worker, 3);
    int reserved = pick(worker, 4) == 0;
    void *address =
        map_at(site, NULL, (size_t)count * PAGE, reserved ? PROT_NONE : PROT_READ | PROT_WRITE, 0);

    CHECK(address != MAP_FAILED);
    if (address == MAP_FAILED)
        return;
    mapping->address = address;
    mapping->count = count;
    set_pages(mapping, 0, count, site + 1, reserved);
}

/* A stretch of pages that are all mapped: what is not may belong to another thread by now. */
static int stretch(struct worker *worker, const struct mapping *mapping, unsigned *first,
                   unsigned *count)
{
    unsigned most;

    *first = pick(worker, mapping->count);
    for (most = 0; *first + most < mapping->count && mapping->pages[*first + most].site != 0;)
        most++;
    if (most == 0)
        return 0;
    *count = 1 + pick(worker, most);
    return 1;
}

static void move(struct worker *worker, struct mapping *mapping, unsigned first, unsigned count)
{
    int reserved = mapping->pages[first].reserved;
    unsigned wanted = 1 + pick(worker, PAGES_MAX);
    int flags = pick(worker, 2) ? MREMAP_MAYMOVE : 0;
    struct mapping *place;
    char *moved;

    for (unsigned i = first; i < first + count; i++) {
        if (mapping->pages[i].reserved != reserved)
            return;
    }
    /* Refused when the stretch is not one area of the kernel's, or has no room. */
    moved = map_moved(mapping->address + (size_t)first * PAGE, (size_t)count * PAGE,
                      (size_t)wanted * PAGE, flags);
    if (moved == MAP_FAILED || wanted == count)
        return;
    if (wanted < count) {
        set_pages(mapping, first + wanted, count - wanted, 0, 0);
        return;
    }
    set_pages(mapping, first, count, 0, 0);
    forget_if_empty(mapping);
    for (place = worker->mappings; place->address != NULL; place++)
        continue;
    place->address = moved;
    place->count = wanted;
    set_pages(place, 0, wanted, SITES, reserved);
}

static unsigned used_mappings(const struct worker *worker)
{
    unsigned used = 0;

    for (unsigned i = 0; i < MAPPINGS; i++)
        used += worker->mappings[i].address != NULL;
    return used;
}

static void change(struct worker *worker, struct mapping *mapping)
{
    unsigned first;
    unsigned count;
    unsigned site = pick(worker, 3);
    int reserved = pick(worker, 3) == 0;
    int protection = reserved ? PROT_NONE : PROT_READ | PROT_WRITE;
    char *address;

    if (!stretch(worker, mapping, &first, &count))
        return;
    address = mapping->address + (size_t)first * PAGE;
    switch (pick(worker, 5)) {
    case 0:
        CHECK(munmap(address, (size_t)count * PAGE) == 0);
        set_pages(mapping, first, count, 0, 0);
        break;
    case 1:
        CHECK(mprotect(address, (size_t)count * PAGE, protection) == 0);
        for (unsigned i = first; i < first + count; i++)
            mapping->pages[i].reserved = (unsigned char)reserved;
        break;
    case 2:
        CHECK(map_at(site, address, (size_t)count * PAGE, protection, MAP_FIXED) == address);
        set_pages(mapping, first, count, site + 1, reserved);
        break;
    case 3: /* refused: nothing may come of it */
        CHECK(munmap(address + 1, PAGE) == -1);
        CHECK(mremap(address, (size_t)count * PAGE, (size_t)1 << 60, MREMAP_MAYMOVE) == MAP_FAILED);
        break;
    default:
        if (used_mappings(worker) < MAPPINGS)
            move(worker, mapping, first, count);
    }
    if (mapping->address != NULL)
        forget_if_empty(mapping);
}

static void *work(void *context)
{
    struct worker *worker = context;

    for (unsigned i = 0; i < worker->operations; i++) {
        struct mapping *mapping = &worker->mappings[pick(worker, MAPPINGS)];

        if (mapping->address == NULL)
            map_new(worker, mapping);
        else
            change(worker, mapping);
    }
    return NULL;
}

/* Whether the kernel has the page at all, and as what. */
static int kernel_says(FILE *maps, uintptr_t address, int *reserved)
{
    char line[512];
    unsigned long start;
    unsigned long end;
    char permissions[8];

    rewind(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%lx-%lx %7s", &start, &end, permissions) == 3 && address >= start &&
            address < end) {
            *reserved = strncmp(permissions, "---", 3) == 0;
            return 1;
        }
    }
    return 0;
}

static void compare_with_kernel(const struct mapping *mapping, FILE *maps)
{
    for (unsigned i = 0; i < mapping->count; i += 7) {
        int reserved = 0;

        if (mapping->pages[i].site == 0)
            continue;
        CHECK(kernel_says(maps, (uintptr_t)mapping->address + (uintptr_t)i * PAGE, &reserved));
        CHECK(reserved == mapping->pages[i].reserved);
    }
}

static void tell(unsigned threads)
{
    uint64_t bytes[SITES][2] = {0};
    FILE *maps = fopen("/proc/self/maps", "r");

    for (unsigned i = 0; i < threads * MAPPINGS; i++) {
        const struct mapping *mapping = &workers[i / MAPPINGS].mappings[i % MAPPINGS];

        for (unsigned page = 0; mapping->address != NULL && page < mapping->count; page++) {
            if (mapping->pages[page].site != 0)
                bytes[mapping->pages[page].site - 1][mapping->pages[page].reserved] += PAGE;
        }
        if (mapping->address != NULL && maps != NULL)
            compare_with_kernel(mapping, maps);
    }
    if (maps != NULL)
        fclose(maps);
    for (unsigned site = 0; site < SITES; site++)
        SAY("{\"function\": \"%s\", \"live_bytes\": %llu, \"reserved_bytes\": %llu}\n",
            site_names[site], (unsigned long long)bytes[site][0],
            (unsigned long long)bytes[site][1]);
}

int main(int count, char **arguments)
{
    unsigned threads = count > 1 ? (unsigned)atoi(arguments[1]) : 2;
    unsigned operations = count > 2 ? (unsigned)atoi(arguments[2]) : 2000;

    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    for (unsigned i = 0; i < threads; i++) {
        workers[i].random = 0x9e3779b97f4a7c15u * (i + 1);
        workers[i].operations = operations;
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (unsigned i = 0; i < threads; i++)
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
    if (count > 3) {
        tell(threads);
        victim_sleep_ms(atol(arguments[3]));
    }
    return victim_end();
}
