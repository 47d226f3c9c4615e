#include "v8/symbols.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "base/compiler.h"

/* V8 major versions whose profile and statistics layouts were compared header by header and tried:
 * 10 (Node 18), 11 (Node 20), 12 (Node 22), 13 (Node 24). */
#define OLDEST_MAJOR 10
#define NEWEST_MAJOR 13

struct wanted {
    const char *name;
    size_t offset;
    bool optional;
};

#define WANTED(member, name)                                                                       \
    {                                                                                              \
        name, offsetof(struct ls_v8_symbols, member), false                                        \
    }
#define OPTIONAL(member, name)                                                                     \
    {                                                                                              \
        name, offsetof(struct ls_v8_symbols, member), true                                         \
    }

static const struct wanted wanted_symbols[] = {
    WANTED(get_version, "_ZN2v82V810GetVersionEv"),
    WANTED(isolate_current, "_ZN2v87Isolate10GetCurrentEv"),
    WANTED(isolate_in_context, "_ZN2v87Isolate9InContextEv"),
    WANTED(isolate_current_context, "_ZN2v87Isolate17GetCurrentContextEv"),
    WANTED(isolate_heap_profiler, "_ZN2v87Isolate15GetHeapProfilerEv"),
    WANTED(isolate_heap_statistics, "_ZN2v87Isolate17GetHeapStatisticsEPNS_14HeapStatisticsE"),
    WANTED(add_gc_epilogue, "_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_"
                            "15GCCallbackFlagsEPvES4_S2_"),
    WANTED(remove_gc_epilogue, "_ZN2v87Isolate24RemoveGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_"
                               "15GCCallbackFlagsEPvES4_"),
    WANTED(request_interrupt, "_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_"),
    WANTED(heap_statistics_init, "_ZN2v814HeapStatisticsC1Ev"),
    WANTED(handle_scope_open, "_ZN2v811HandleScopeC1EPNS_7IsolateE"),
    WANTED(handle_scope_close, "_ZN2v811HandleScopeD1Ev"),
    WANTED(sampling_start,
           "_ZN2v812HeapProfiler25StartSamplingHeapProfilerEmiNS0_13SamplingFlagsE"),
    WANTED(sampling_stop, "_ZN2v812HeapProfiler24StopSamplingHeapProfilerEv"),
    WANTED(sampling_profile, "_ZN2v812HeapProfiler20GetAllocationProfileEv"),
    WANTED(node_environment, "_ZN4node21GetCurrentEnvironmentEN2v85LocalINS0_7ContextEEE"),
    WANTED(node_add_cleanup_hook, "_ZN4node25AddEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_"),
    WANTED(node_event_loop, "_ZN4node19GetCurrentEventLoopEPN2v87IsolateE"),
    WANTED(loop_descriptor, "uv_backend_fd"),
    OPTIONAL(write_utf8, "_ZNK2v86String9WriteUtf8EPNS_7IsolateEPciPii"),
    OPTIONAL(write_utf8_v2, "_ZNK2v86String11WriteUtf8V2EPNS_7IsolateEPcmiPm"),
};

/* The handle that resolves V8's names: the global scope, or a libnode.so that was loaded locally.
 */
struct library_search {
    void *handle;
};

static int find_libnode(struct dl_phdr_info *info, size_t size, void *data)
{
    struct library_search *search = data;
    const char *base = strrchr(info->dlpi_name, '/');

    (void)size;
    base = base ? base + 1 : info->dlpi_name;
    if (strncmp(base, "libnode.so", strlen("libnode.so")) != 0)
        return 0;
    /* Already loaded: only its handle is wanted, and a failure leaves it NULL. */
    search->handle = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    return 1;
}

struct image_search {
    uintptr_t address;
    struct ls_v8_symbols *symbols;
};

static int find_image(struct dl_phdr_info *info, size_t size, void *data)
{
    struct image_search *search = data;
    struct ls_v8_symbols *symbols = search->symbols;
    uintptr_t lowest = UINTPTR_MAX;
    uintptr_t highest = 0;
    bool holds = false;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        uintptr_t end = start + header->p_memsz;

        if (header->p_type != PT_LOAD)
            continue;
        lowest = start < lowest ? start : lowest;
        highest = end > highest ? end : highest;
        if ((header->p_flags & PF_X) && search->address >= start && search->address < end) {
            symbols->code_start = start;
            symbols->code_end = end;
            holds = true;
        }
    }
    if (!holds)
        return 0;
    symbols->image_start = lowest;
    symbols->image_end = highest;
    return 1;
}

bool ls_v8_version_known(const char *version)
{
    unsigned major = 0;
    unsigned digits = 0;

    if (!version)
        return false;
    for (; version[digits] >= '0' && version[digits] <= '9' && digits < 4; digits++)
        major = major * 10 + (unsigned)(version[digits] - '0');
    return digits > 0 && version[digits] == '.' && major >= OLDEST_MAJOR && major <= NEWEST_MAJOR;
}

static enum ls_v8_lookup resolve(struct ls_v8_symbols *symbols, void *scope, const char **reason)
{
    static const char missing[] = "this V8 does not export a function that js tracking needs";

    for (size_t i = 0; i < LS_ARRAY_LENGTH(wanted_symbols); i++) {
        const struct wanted *wanted = &wanted_symbols[i];
        void *address = dlsym(scope, wanted->name);

        if (!address && !wanted->optional) {
            *reason = missing;
            return LS_V8_LOOKUP_UNKNOWN;
        }
        memcpy((char *)symbols + wanted->offset, &address, sizeof(address));
        /* The version is first in the table: it says more than a function that is missing. */
        if (i == 0 && !ls_v8_version_known(symbols->get_version())) {
            *reason = "this V8 version is not known to js tracking (10 to 13 are)";
            return LS_V8_LOOKUP_UNKNOWN;
        }
    }
    if (!symbols->write_utf8 && !symbols->write_utf8_v2) {
        *reason = missing;
        return LS_V8_LOOKUP_UNKNOWN;
    }

    symbols->scope = scope;
    ls_v8_array_buffers_find(&symbols->array_buffers, scope);

    struct image_search search = {(uintptr_t)symbols->sampling_profile, symbols};

    if (!dl_iterate_phdr(find_image, &search)) {
        *reason = "the module that holds V8 could not be found";
        return LS_V8_LOOKUP_UNKNOWN;
    }
    return LS_V8_LOOKUP_FOUND;
}

enum ls_v8_lookup ls_v8_symbols_find(struct ls_v8_symbols *symbols, const char **reason)
{
    void *scope = RTLD_DEFAULT;

    memset(symbols, 0, sizeof(*symbols));
    if (!dlsym(scope, "_ZN2v87Isolate10GetCurrentEv")) {
        struct library_search search = {NULL};

        dl_iterate_phdr(find_libnode, &search);
        if (!search.handle)
            return LS_V8_LOOKUP_ABSENT;
        scope = search.handle;
        if (!dlsym(scope, "_ZN2v87Isolate10GetCurrentEv"))
            return LS_V8_LOOKUP_ABSENT;
    }
    return resolve(symbols, scope, reason);
}

size_t ls_v8_string_write(const struct ls_v8_symbols *symbols, const void *string, void *isolate,
                          char *buffer, size_t capacity)
{
    size_t length;

    if (!string || capacity == 0)
        return 0;
    if (symbols->write_utf8_v2) {
        length =
            symbols->write_utf8_v2(string, isolate, buffer, capacity, LS_V8_WRITE_V2_FLAGS, NULL);
    } else {
        int written =
            symbols->write_utf8(string, isolate, buffer, (int)capacity, NULL, LS_V8_WRITE_OPTIONS);

        length = written > 0 ? (size_t)written : 0;
    }
    return length <= capacity ? length : 0;
}
