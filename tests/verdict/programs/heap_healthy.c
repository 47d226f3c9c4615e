/* Healthy programs whose heap looks like a leak for a while. */
#include "service.h"

/* Work at a steady rate, in ticks, and some of it at once at the start: what is full then is full
 * by the same calls as later. */
enum { SLOTS_MAX = 100000 };

static char *slots[SLOTS_MAX];

/* Every block is made here, in a place that another one may have. */
SITE static void put_in_slot(unsigned slot, size_t bytes)
{
    free(slots[slot]);
    slots[slot] = filled(malloc(bytes), bytes);
}

SITE static void clear_slot(unsigned slot)
{
    free(slots[slot]);
    slots[slot] = NULL;
}

/* Blocks of many sizes come and go at random: 3 MB live, 10 MB a second. */
static void step_churn(void)
{
    put_in_slot(chance(400), 256 + chance(16000));
}

static void churn(void)
{
    serve_from(4000, 1250, step_churn);
}

/* Full from the start: each new entry replaces the oldest. */
static void step_lru(void)
{
    static unsigned at;

    put_in_slot(at++ % 4000, 512 + chance(1024));
}

static void lru(void)
{
    serve_from(4000, 800, step_lru);
}

/* Random keys of a bounded set: fills as 1 - exp(-t / 2.5 s). */
static void step_exponential(void)
{
    unsigned key = chance(2500);

    if (slots[key] == NULL || chance(50) == 0)
        put_in_slot(key, 1500);
}

static void exponential(void)
{
    serve(1000, step_exponential);
}

/* Fills evenly for five seconds and is then full. */
static void step_bounded(void)
{
    static unsigned at;

    put_in_slot(at++ % 2500, 1500);
}

static void bounded(void)
{
    serve(500, step_bounded);
}

/* A pool that a peak after seven seconds makes three times larger, once and for all. */
SITE static void grow_pool(void)
{
    for (unsigned i = 1000; i < 3000; i++)
        put_in_slot(i, 1024);
}

static void step_pool(void)
{
    static int grown;

    put_in_slot(chance(1000), 1024);
    if (!grown && seconds_running() > 7) {
        grown = 1;
        grow_pool();
    }
}

static void pool(void)
{
    serve_from(10000, 400, step_pool);
}

/* Tables are loaded in the first two seconds. */
static void startup(void)
{
    struct pace loading = {0};
    unsigned at = 0;

    for (;;) {
        double rate = seconds_running() < 2 ? 2000 : 0;

        for (unsigned left = due(&loading, rate); left > 0; left--)
            put_in_slot(at++, 1000);
        tick();
    }
}

/* Rows are gathered for two seconds, stored, and let go. */
static void step_batch(void)
{
    static unsigned rows;
    static double began;

    put_in_slot(rows++, 800);
    if (seconds_running() - began > 2) {
        while (rows > 0)
            clear_slot(--rows);
        began = seconds_running();
    }
}

static void batches(void)
{
    serve(1000, step_batch);
}

/* Work waits in a queue whose length wanders between nothing and 4,000. */
static void queue(void)
{
    struct pace arrivals = {0};
    struct pace served = {0};
    unsigned first = 0;
    unsigned waiting = 0;
    double busy = 1;
    double until = 0;

    for (;;) {
        if (seconds_running() > until) {
            busy = 0.4 + chance(120) / 100.0;
            until = seconds_running() + 0.2 + chance(40) / 100.0;
        }
        for (unsigned left = due(&arrivals, 1500 * busy); left > 0; left--) {
            if (waiting < 4000)
                put_in_slot((first + waiting++) % 4000, 700);
        }
        for (unsigned left = due(&served, 1500); left > 0 && waiting > 0; left--, waiting--)
            clear_slot(first++ % 4000);
        tick();
    }
}

/* Sessions live for half a second; their arrival follows days of ten seconds. */
static void day_and_night(void)
{
    static double born[4000];
    struct pace arrivals = {0};
    unsigned first = 0;
    unsigned next = 0;

    for (;;) {
        double phase = seconds_running() / 10 - (double)(unsigned)(seconds_running() / 10);
        double rate = phase < 0.5 ? 400 + 4000 * phase : 400 + 4000 * (1 - phase);

        for (unsigned left = due(&arrivals, rate); left > 0; left--) {
            born[next % 4000] = seconds_running();
            put_in_slot(next++ % 4000, 1200);
        }
        while (first < next && seconds_running() - born[first % 4000] > 0.5)
            clear_slot(first++ % 4000);
        tick();
    }
}

/* Five features are each used for the first time, a second and a half apart, and then stay. */
static void step_lazy(void)
{
    static unsigned features;

    put_in_slot(chance(500), 1000);
    if (features < 5 && seconds_running() > 1.5 * (features + 1)) {
        for (unsigned i = 0; i < 300; i++)
            put_in_slot(1000 + features * 300 + i, 1000);
        features++;
    }
}

static void lazy(void)
{
    serve_from(5000, 300, step_lazy);
}

/* 2 MB of blocks whose usual size grows: the holes that small ones leave do not fit the next. What
 * is resident grows with it, what is live does not. */
static void step_fragment(void)
{
    static size_t bytes[3000];
    static size_t live;
    unsigned slot = chance(3000);

    live -= bytes[slot];
    bytes[slot] = 64 + chance(64) * (32 + (unsigned)(seconds_running() * 8));
    live += bytes[slot];
    put_in_slot(slot, bytes[slot]);
    while (live > 2000000) {
        slot = chance(3000);
        live -= bytes[slot];
        bytes[slot] = 0;
        clear_slot(slot);
    }
}

static void fragment(void)
{
    serve_from(20000, 6000, step_fragment);
}

/* The last 2,000 lines of a log. */
SITE static void log_line(unsigned line)
{
    static char *ring[2000];

    free(ring[line % 2000]);
    CHECK(asprintf(&ring[line % 2000], "%u: %0*u", line, (int)(100 + chance(300)), line) > 0);
}

static void step_ring(void)
{
    static unsigned line;

    log_line(line++);
}

static void ring(void)
{
    serve_from(2000, 1500, step_ring);
}

/* Freed four seconds after it was made, whatever happens. */
static void returned_late(void)
{
    static double born[SLOTS_MAX];
    struct pace pace = {0};
    unsigned first = 0;
    unsigned next = 0;

    for (;;) {
        for (unsigned left = due(&pace, 500); left > 0; left--) {
            born[next % SLOTS_MAX] = seconds_running();
            put_in_slot(next++ % SLOTS_MAX, 1000);
        }
        while (first < next && seconds_running() - born[first % SLOTS_MAX] > 4)
            clear_slot(first++ % SLOTS_MAX);
        tick();
    }
}

/* Ten thousand orders at once after six seconds; the work takes five seconds more. */
static void burst(void)
{
    struct pace pace = {0};
    unsigned left_over = 0;
    int came = 0;

    for (;;) {
        if (!came && seconds_running() > 6) {
            came = 1;
            while (left_over < 10000)
                put_in_slot(left_over++, 700);
        }
        for (unsigned left = due(&pace, 2000); left > 0 && left_over > 0; left--)
            clear_slot(--left_over);
        tick();
    }
}

/* A hash table that doubles as it fills, until it holds the 65,536 keys there are. */
static char **table;
static size_t table_entries;

SITE static void double_table(void)
{
    size_t entries = table_entries == 0 ? 256 : 2 * table_entries;

    table = realloc(table, entries * sizeof(*table));
    CHECK(table != NULL);
    memset(table + table_entries, 0, (entries - table_entries) * sizeof(*table));
    table_entries = entries;
}

static void step_doubling(void)
{
    static size_t keys;

    if (keys == table_entries && keys < 65536)
        double_table();
    keys += keys < 65536;
    put_in_slot(chance(300), 500);
}

static void doubling(void)
{
    serve_from(3000, 6500, step_doubling);
}

/* Requests with arenas of their own, each given back whole. */
struct chunk {
    struct chunk *next;
    char bytes[8192 - 8];
};

SITE static struct chunk *add_chunk(struct chunk *next)
{
    struct chunk *chunk = filled(malloc(sizeof(*chunk)), sizeof(*chunk));

    chunk->next = next;
    return chunk;
}

static void step_arena(void)
{
    static struct chunk *arenas[100];
    unsigned at = chance(100);

    while (arenas[at] != NULL) {
        struct chunk *next = arenas[at]->next;

        free(arenas[at]);
        arenas[at] = next;
    }
    for (unsigned chunks = 1 + chance(6); chunks > 0; chunks--)
        arenas[at] = add_chunk(arenas[at]);
}

static void arenas(void)
{
    serve_from(1000, 300, step_arena);
}

/* Large blocks that are mapped one by one, each for a second. */
static void step_big(void)
{
    static unsigned at;

    put_in_slot(at++ % 8, 200 * 1024);
}

static void big_blocks(void)
{
    serve_from(8, 8, step_big);
}

/* Buffers that grow by realloc while a reply is put together, and are then freed. */
SITE static void append_reply(unsigned slot, size_t bytes)
{
    slots[slot] = realloc(slots[slot], bytes);
    CHECK(slots[slot] != NULL);
    memset(slots[slot], 0x5a, bytes);
}

static void step_reply(void)
{
    static size_t length[100];
    unsigned slot = chance(100);

    length[slot] += 2048;
    append_reply(slot, length[slot]);
    if (length[slot] >= 64 * 1024) {
        clear_slot(slot);
        length[slot] = 0;
    }
}

static void replies(void)
{
    serve_from(10000, 1500, step_reply);
}

static const struct service_case cases[] = {
    {"churn", churn},
    {"lru", lru},
    {"exponential", exponential},
    {"bounded", bounded},
    {"pool", pool},
    {"startup", startup},
    {"batches", batches},
    {"queue", queue},
    {"day_and_night", day_and_night},
    {"lazy", lazy},
    {"fragment", fragment},
    {"ring", ring},
    {"returned_late", returned_late},
    {"burst", burst},
    {"doubling", doubling},
    {"arenas", arenas},
    {"big_blocks", big_blocks},
    {"replies", replies},
};

int main(int argc, char **argv)
{
    return RUN_CASE(cases, argc, argv);
}
