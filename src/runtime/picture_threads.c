#include "runtime/picture_threads.h"

#include <string.h>

#include "base/text.h"
#include "capture/host_threads.h"
#include "ledger/ledger.h"
#include "system/syscall.h"

/* Names that are read anew for one summary. */
#define NAMES_READ_MAX 256
/* Kept of a site while it is counted; the most frequent are told. */
#define NAMES_KEPT 16

struct counted {
    const struct ls_site *site;
    struct ls_snapshot_threads *threads;
    struct ls_snapshot_thread_name names[NAMES_KEPT];
    size_t name_count;
};

struct counting {
    struct counted *sites;
    size_t count;
    unsigned names_read;
};

static struct counted *find(const struct counting *counting, const struct ls_site *site)
{
    for (size_t i = 0; site != NULL && i < counting->count; i++) {
        if (counting->sites[i].site == site)
            return &counting->sites[i];
    }
    return NULL;
}

static void read_name(int id, char *name)
{
    char path[64];
    struct ls_text text;
    long length;

    ls_text_init(&text, path, sizeof(path));
    ls_text_string(&text, "/proc/self/task/");
    ls_text_unsigned(&text, (uint64_t)id);
    ls_text_string(&text, "/comm");
    length = ls_sys_read_file(path, name, LS_HOST_THREAD_NAME_BYTES + 1);
    if (length <= 0)
        name[0] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

static void count_name(struct counted *counted, const char *name)
{
    size_t i = 0;

    while (i < counted->name_count && strcmp(counted->names[i].name, name) != 0)
        i++;
    if (name[0] == '\0' || i == NAMES_KEPT)
        return;
    if (i == counted->name_count) {
        memcpy(counted->names[i].name, name, strlen(name) + 1);
        counted->name_count++;
    }
    counted->names[i].count++;
}

static void count_thread(void *context, const struct ls_host_thread_view *view)
{
    struct counting *counting = context;
    const struct ls_live_slot *slot = ls_live_set_at(&ls_ledger.live, view->slot);
    char name[LS_HOST_THREAD_NAME_BYTES + 1] = "";
    struct counted *counted;

    /* The slot may be another resource's by now: it then is no thread's, or that one is visited as
     * well. */
    if (slot == NULL || slot->resource != LS_RESOURCE_THREAD ||
        ls_live_slot_state(slot) != LS_LIVE_LIVE)
        return;
    counted = find(counting, ls_ledger_slot_site(slot));
    if (counted == NULL)
        return;
    counted->threads->running += !view->finished;
    counted->threads->finished += view->finished;
    counted->threads->detached += view->detached;
    counted->threads->cancelled += view->cancelled;
    counted->threads->stack_bytes += (double)view->stack_bytes;
    if (view->finished)
        memcpy(name, view->last_name, LS_HOST_THREAD_NAME_BYTES);
    else if (view->id != 0 && counting->names_read++ < NAMES_READ_MAX)
        read_name(view->id, name);
    count_name(counted, name);
}

/* The most frequent first. */
static void tell_names(struct counted *counted)
{
    for (size_t told = 0; told < LS_SNAPSHOT_THREAD_NAMES && told < counted->name_count; told++) {
        size_t most = 0;

        for (size_t i = 1; i < counted->name_count; i++) {
            if (counted->names[i].count > counted->names[most].count)
                most = i;
        }
        counted->threads->names[counted->threads->name_count++] = counted->names[most];
        counted->names[most].count = 0;
    }
}

void ls_picture_threads(struct ls_arena *arena, const struct ls_site *const *sites,
                        struct ls_snapshot_site *views, size_t count)
{
    struct counting counting = {0};
    size_t wanted = 0;

    for (size_t i = 0; i < count; i++)
        wanted += sites[i]->resource == LS_RESOURCE_THREAD;
    if (wanted == 0)
        return;
    counting.sites = ls_arena_take(arena, wanted * sizeof(*counting.sites));
    for (size_t i = 0; counting.sites != NULL && i < count; i++) {
        struct ls_snapshot_threads *threads;

        if (sites[i]->resource != LS_RESOURCE_THREAD)
            continue;
        threads = ls_arena_take(arena, sizeof(*threads));
        if (threads == NULL)
            break;
        views[i].threads = threads;
        counting.sites[counting.count++] = (struct counted){.site = sites[i], .threads = threads};
    }
    ls_host_threads_for_each(count_thread, &counting);
    for (size_t i = 0; i < counting.count; i++)
        tell_names(&counting.sites[i]);
}
