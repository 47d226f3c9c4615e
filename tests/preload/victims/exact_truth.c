/*
 * Knows to the byte what each of its functions has taken, given back and still holds, and says so
 * at the end: one JSON object a line and function. Blocks are made in one set of threads, and freed
 * or resized in another. A realloc gives back the old block and takes a new one where it is called;
 * one that fails changes nothing.
 *
 *     victim_exact_truth [fork] BLOCKS BYTES LINGER_MS
 *
 * With "fork" a child goes on with what it inherits. Its line says "inherited" for functions that
 * were called before the fork: there, what is live is defined, and how it is counted is not.
 */
#include <pthread.h>

#include "victim.h"

enum source {
    KEPT,
    PASSED,
    ZEROED,
    ALIGNED,
    EMPTY,
    SOURCE,
    GROWN,
    SHRUNK,
    REFUSED,
    CHILD,
    SOURCES
};

static struct {
    const char *name;
    long live_bytes, live_count, acquired_count, acquired_bytes, released_count;
    int inherited;
} truths[SOURCES] = {
    [KEPT] = {.name = "truth_kept"},       [PASSED] = {.name = "truth_passed"},
    [ZEROED] = {.name = "truth_zeroed"},   [ALIGNED] = {.name = "truth_aligned"},
    [EMPTY] = {.name = "truth_empty"},     [SOURCE] = {.name = "truth_source"},
    [GROWN] = {.name = "truth_grown"},     [SHRUNK] = {.name = "truth_shrunk"},
    [REFUSED] = {.name = "truth_refused"}, [CHILD] = {.name = "truth_child"},
};

struct owned {
    void *block;
    size_t size;
    enum source source;
};

enum { THREADS = 4, PER_ROUND = 8 };

static struct owned *held;
static size_t rounds, bytes;

static void add(long *to, long amount)
{
    __atomic_fetch_add(to, amount, __ATOMIC_RELAXED);
}

static struct owned taken(enum source source, void *block, size_t size)
{
    CHECK(block != NULL);
    memset(block, 1, size);
    add(&truths[source].live_bytes, (long)size);
    add(&truths[source].live_count, 1);
    add(&truths[source].acquired_count, 1);
    add(&truths[source].acquired_bytes, (long)size);
    return (struct owned){block, size, source};
}

static void given(const struct owned *owned)
{
    add(&truths[owned->source].live_bytes, -(long)owned->size);
    add(&truths[owned->source].live_count, -1);
    add(&truths[owned->source].released_count, 1);
}

static void give(struct owned *owned)
{
    given(owned);
    free(owned->block);
    owned->block = NULL;
}

#define TAKES(name, source, call)                                                                  \
    VICTIM_FUNCTION static struct owned name(size_t size)                                          \
    {                                                                                              \
        void *block = call;                                                                        \
        KEEP(block);                                                                               \
        return taken(source, block, size);                                                         \
    }

TAKES(truth_kept, KEPT, malloc(size))
TAKES(truth_passed, PASSED, malloc(size))
TAKES(truth_zeroed, ZEROED, calloc(1, size))
TAKES(truth_source, SOURCE, malloc(size))
TAKES(truth_refused, REFUSED, malloc(size))
TAKES(truth_child, CHILD, malloc(size))

VICTIM_FUNCTION static struct owned truth_aligned(size_t size)
{
    void *block = NULL;
    CHECK(posix_memalign(&block, 256, size) == 0);
    return taken(ALIGNED, block, size);
}

VICTIM_FUNCTION static struct owned truth_empty(void)
{
    volatile size_t none = 0;
    void *block = malloc(none);
    KEEP(block);
    return taken(EMPTY, block, 0);
}

VICTIM_FUNCTION static void truth_grown(struct owned *owned)
{
    size_t size = owned->size * 2 + 1;
    void *block = realloc(owned->block, size);
    given(owned);
    *owned = taken(GROWN, block, size);
}

VICTIM_FUNCTION static void truth_shrunk(struct owned *owned)
{
    size_t size = owned->size / 2 + 1;
    void *block = realloc(owned->block, size);
    given(owned);
    *owned = taken(SHRUNK, block, size);
}

VICTIM_FUNCTION static void refuse(struct owned *owned)
{
    volatile size_t too_large = (size_t)PTRDIFF_MAX + 1;
    CHECK(realloc(owned->block, too_large) == NULL && errno == ENOMEM);
}

static void *make(void *argument)
{
    size_t thread = (size_t)(uintptr_t)argument;
    for (size_t round = 0; round < rounds; round++) {
        struct owned *own = &held[(thread * rounds + round) * PER_ROUND];
        size_t size = bytes + (round + thread) % 50;
        own[0] = truth_kept(size);
        own[1] = truth_passed(size);
        own[2] = truth_zeroed(size);
        own[3] = truth_aligned(size);
        own[4] = truth_empty();
        own[5] = truth_source(size);
        own[6] = truth_source(size);
        own[7] = truth_refused(size);
        if (round % 4 == 0) {
            struct owned passing = truth_passed(size);
            give(&passing);
        }
    }
    return NULL;
}

static void *change(void *argument)
{
    size_t thread = ((size_t)(uintptr_t)argument + 1) % THREADS; /* another one's blocks */
    for (size_t round = 0; round < rounds; round++) {
        struct owned *own = &held[(thread * rounds + round) * PER_ROUND];
        give(&own[1]);
        if (round % 2 == 0)
            give(&own[2]);
        if (round % 3 == 0)
            give(&own[3]);
        if (round % 5 == 0)
            give(&own[4]);
        truth_grown(&own[5]);
        truth_grown(&own[5]);
        if (round % 2 == 0)
            truth_shrunk(&own[6]);
        refuse(&own[7]);
        if (round % 7 == 0)
            give(&own[7]);
    }
    return NULL;
}

static void run_threads(void *(*body)(void *))
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i) == 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void tell(void)
{
    for (int i = 0; i < SOURCES; i++)
        SAY("{\"pid\": %d, \"function\": \"%s\", \"inherited\": %d, \"live_bytes\": %ld, "
            "\"live_count\": %ld, \"acquired_count\": %ld, \"acquired_bytes\": %ld, "
            "\"released_count\": %ld}\n",
            (int)getpid(), truths[i].name, truths[i].inherited, truths[i].live_bytes,
            truths[i].live_count, truths[i].acquired_count, truths[i].acquired_bytes,
            truths[i].released_count);
}

static void go_on_as_child(void)
{
    for (int i = 0; i < SOURCES; i++)
        truths[i].inherited = truths[i].acquired_count > 0;
    for (size_t i = 0; i < rounds; i++) {
        struct owned own = truth_child(bytes + i);
        if (i % 3 == 0)
            give(&own);
    }
    run_threads(change);
}

int main(int argc, char **argv)
{
    int forks = argc > 1 && strcmp(argv[1], "fork") == 0;
    if (argc - forks != 4)
        return 2;
    rounds = (size_t)atol(argv[forks + 1]) / THREADS;
    bytes = (size_t)atol(argv[forks + 2]);
    held = calloc(THREADS * rounds * PER_ROUND, sizeof *held);
    run_threads(make);
    if (forks) {
        pid_t child = fork();
        if (child == 0) {
            go_on_as_child();
            tell();
            exit(victim_failures != 0);
        }
        CHECK(victim_wait(child) == 0);
    }
    run_threads(change);
    victim_sleep_ms(atol(argv[forks + 3]));
    tell();
    return victim_failures != 0;
}
