/* Heap leaks of a single thread; the function that leaks is named in truth.py. */
#include "service.h"

#include "notices.h"

/* A request's own scratch memory, given back: every service does this beside its leak. */
SITE static void serve_request(void)
{
    char *body = filled(malloc(4096), 4096);
    char *reply = filled(malloc(1024 + chance(2048)), 1024);

    free(body);
    free(reply);
}

/* Requests at a steady rate, each followed by the case's own step. */
static void serve_requests(double rate, void (*step)(void))
{
    struct pace pace = {0};

    for (;;) {
        for (unsigned left = due(&pace, rate); left > 0; left--) {
            serve_request();
            step();
        }
        tick();
    }
}

/* A list of events that is only ever appended to. */
struct event {
    struct event *older;
    char text[248];
};

static struct event *events;

SITE static void remember_event(void)
{
    struct event *event = filled(malloc(sizeof(*event)), sizeof(*event));

    event->older = events;
    events = event;
}

static void list(void)
{
    serve_requests(1000, remember_event);
}

/* A cache by key, without a bound, whose keys never come again. */
struct entry {
    struct entry *next;
    char *key;
    char value[480];
};

static struct entry *buckets[1024];
static unsigned keys;

SITE static void cache_put(void)
{
    struct entry *entry = filled(malloc(sizeof(*entry)), sizeof(*entry));
    char key[64];

    snprintf(key, sizeof(key), "/reports/%08u?session=%u", keys++, chance(1000000));
    entry->key = malloc(strlen(key) + 1);
    CHECK(entry->key != NULL);
    strcpy(entry->key, key);
    entry->next = buckets[keys % 1024];
    buckets[keys % 1024] = entry;
}

static void cache(void)
{
    serve_requests(500, cache_put);
}

/* One request in sixteen is refused, and its buffer forgotten. */
SITE static int parse_request(void)
{
    char *buffer = filled(malloc(2048), 2048);

    if (chance(16) == 0)
        return -1;
    free(buffer);
    return 0;
}

static void step_parse(void)
{
    (void)parse_request();
}

static void error_path(void)
{
    serve_requests(1600, step_parse);
}

/* Sessions whose transcripts grow by realloc for as long as they are open, which is for ever. */
enum { SESSIONS = 200 };

static char *transcripts[SESSIONS];
static size_t transcript_bytes[SESSIONS];

SITE static void append_transcript(void)
{
    unsigned at = chance(SESSIONS);
    size_t bytes = transcript_bytes[at] + 512;
    char *longer = realloc(transcripts[at], bytes);

    CHECK(longer != NULL);
    memset(longer + transcript_bytes[at], 0x5a, 512);
    transcripts[at] = longer;
    transcript_bytes[at] = bytes;
}

static void realloc_many(void)
{
    serve_requests(500, append_transcript);
}

/* One array, made larger by a fixed step each time. */
static char *journal;
static size_t journal_bytes;

SITE static void append_journal(void)
{
    journal = realloc(journal, journal_bytes + 4096);
    CHECK(journal != NULL);
    memset(journal + journal_bytes, 0x5a, 4096);
    journal_bytes += 4096;
}

static void realloc_one(void)
{
    serve_requests(75, append_journal);
}

/* Messages live for about a second; one in twenty is never taken out of the queue. */
enum { QUEUE = 2048 };

static char *queue[QUEUE];
static unsigned queued;

SITE static char *make_message(void)
{
    return filled(malloc(1024), 1024);
}

static void step_message(void)
{
    char *message = make_message();
    unsigned at = queued++ % QUEUE;

    if (chance(20) == 0)
        return;
    free(queue[at]);
    queue[at] = message;
}

static void hidden(void)
{
    serve_requests(4000, step_message);
}

/* Pages are rendered at 20 MB a second, 4 MB of them live; visitors leak at 100 kB a second. */
enum { PAGES = 256 };

static char *pages[PAGES];

SITE static void render_page(void)
{
    unsigned at = chance(PAGES);
    size_t bytes = 8192 + chance(16384);

    free(pages[at]);
    pages[at] = filled(malloc(bytes), bytes);
}

SITE static void track_visitor(void)
{
    (void)filled(malloc(100), 100);
}

static void step_visitor(void)
{
    render_page();
    track_visitor();
}

static void slow(void)
{
    serve_requests(1000, step_visitor);
}

/* A library that keeps what it is told. */
static void step_notice(void)
{
    notices_post("nothing in particular");
}

static void library(void)
{
    serve_requests(800, step_notice);
}

/* A header's value is copied and the copy never freed. */
SITE static size_t parse_header(const char *line)
{
    const char *colon = strchr(line, ':');
    char *value = strdup(colon + 1);

    CHECK(value != NULL);
    return strlen(value);
}

static void step_header(void)
{
    (void)parse_header(
        "user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like "
        "Gecko) Chrome/126.0.0.0 Safari/537.36 and more of the same for some length");
}

static void strdup_parser(void)
{
    serve_requests(1500, step_header);
}

/* Requests have arenas of their own, of which the chunks after the first are not given back. */
struct chunk {
    struct chunk *next;
    size_t used;
    char bytes[16384 - 16];
};

SITE static struct chunk *arena_grow(struct chunk *next)
{
    struct chunk *chunk = filled(malloc(sizeof(*chunk)), sizeof(*chunk));

    chunk->next = next;
    chunk->used = 0;
    return chunk;
}

static void step_arena(void)
{
    struct chunk *arena = arena_grow(NULL);

    if (chance(8) == 0) {
        struct chunk *second = arena_grow(arena);

        second->used = 100;
    }
    free(arena);
}

static void arena(void)
{
    serve_requests(200, step_arena);
}

/* Each beyond the size from which glibc maps blocks one by one. */
SITE static void load_image(void)
{
    (void)filled(malloc(200 * 1024), 200 * 1024);
}

static void big_blocks(void)
{
    serve_requests(5, load_image);
}

/* Nothing for a second and a half, then an import of which nothing is freed. */
SITE static void import_row(void)
{
    (void)filled(malloc(1000), 1000);
}

static void bursty(void)
{
    struct pace requests = {0};
    struct pace imports = {0};

    for (;;) {
        for (unsigned left = due(&requests, 500); left > 0; left--)
            serve_request();
        if (due(&imports, 1 / 1.5) > 0) {
            for (int row = 0; row < 500; row++)
                import_row();
        }
        tick();
    }
}

/* Healthy for eight seconds. */
SITE static void audit(void)
{
    (void)filled(malloc(512), 512);
}

static void step_audit(void)
{
    if (seconds_running() > 8)
        audit();
}

static void late(void)
{
    serve_requests(600, step_audit);
}

/* The load falls to a quarter while requests go on leaking. */
SITE static void log_request(void)
{
    (void)filled(malloc(700), 700);
}

static void falling_load(void)
{
    struct pace pace = {0};

    for (;;) {
        double rate = 800 * (1 - seconds_running() / 28);

        for (unsigned left = due(&pace, rate > 200 ? rate : 200); left > 0; left--) {
            serve_request();
            log_request();
        }
        tick();
    }
}

/* What vasprintf returns is the caller's to free. */
SITE static void format_line(void)
{
    char *line;

    CHECK(asprintf(&line, "%0200u", chance(1000)) == 200);
}

static void formatted(void)
{
    serve_requests(1000, format_line);
}

static const struct service_case cases[] = {
    {"list", list},
    {"cache", cache},
    {"error_path", error_path},
    {"realloc_many", realloc_many},
    {"realloc_one", realloc_one},
    {"hidden", hidden},
    {"slow", slow},
    {"library", library},
    {"strdup", strdup_parser},
    {"arena", arena},
    {"big_blocks", big_blocks},
    {"bursty", bursty},
    {"late", late},
    {"falling_load", falling_load},
    {"formatted", formatted},
};

int main(int argc, char **argv)
{
    return RUN_CASE(cases, argc, argv);
}
