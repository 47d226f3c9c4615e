#include "capture/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/atomic.h"
#include "capture/frame_probe.h"
#include "capture/frame_rule.h"
#include "capture/unwind_imports.h"
#include "ledger/js_function.h"
#include "system/memory.h"

/* Frames of ours between the host's call and the unwinder, at most. */
#define OWN_FRAMES_MAX 8
_Static_assert(LS_STACK_DEPTH_MAX + OWN_FRAMES_MAX <= LS_WALK_FRESH, "what one walk may find");

/* libunwind's names on this machine: UNW_OBJ in libunwind-common.h puts the architecture in. */
#if defined(__x86_64__)
#define LOCAL_NAME(name) "_ULx86_64_" name
#elif defined(__aarch64__)
#define LOCAL_NAME(name) "_ULaarch64_" name
#endif

/* enum unw_caching_policy, libunwind(3). */
#define UNW_CACHE_NONE 0

static int (*backtrace_function)(void **, int);
static unsigned depth_kept;
static bool walks;
static struct {
    uintptr_t start;
    uintptr_t size;
} own_text;

static int find_own_text(struct dl_phdr_info *info, size_t size, void *context)
{
    uintptr_t here = (uintptr_t)&ls_unwind_start;

    (void)size;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD || here - start >= segment->p_memsz)
            continue;
        /* Linked into a program, our text is the program's text: nothing can be left out by it. */
        if (info->dlpi_name[0] != '\0') {
            own_text.start = start;
            own_text.size = segment->p_memsz;
        }
        return 1;
    }
    return 0;
}

/*
 * libunwind's cache of parsed unwind rows is shared, and its lock would be held across
 * dl_iterate_phdr: two threads, one in dlopen, would wait for each other
 * (https://github.com/libunwind/libunwind/issues/16). The fast trace has a cache of its own for
 * each thread, so that one is switched off. Not when the host uses libunwind too: it is its setting
 * then.
 */
static void switch_shared_cache_off(void *library)
{
    int (*set_policy)(void *, int) = NULL;
    void **local_address_space = dlsym(library, LOCAL_NAME("local_addr_space"));
    void *found = dlsym(library, LOCAL_NAME("set_caching_policy"));

    if (found == NULL || local_address_space == NULL)
        return;
    memcpy(&set_policy, &found, sizeof(found));
    set_policy(*local_address_space, UNW_CACHE_NONE);
}

/* Of libunwind, among those with thread-local storage; 0: not loaded. */
static _Atomic size_t tls_module;

void ls_unwind_meet_thread(void)
{
    /* ELF Handling For Thread-Local Storage, 3.4.1: the argument of __tls_get_addr
     * (https://www.akkadia.org/drepper/tls.pdf). */
    struct {
        unsigned long module;
        unsigned long offset;
    } index = {ls_load_relaxed(&tls_module), 0};
    extern void *__tls_get_addr(void *);

    if (index.module != 0)
        (void)__tls_get_addr(&index);
}

int ls_unwind_start(unsigned depth)
{
    static const char name[] = "libunwind.so.8";
    void *already = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    void *library = already != NULL ? already : dlopen(name, RTLD_NOW | RTLD_LOCAL);
    void *found;
    size_t module = 0;

    depth_kept = depth < LS_STACK_DEPTH_MAX ? depth : LS_STACK_DEPTH_MAX;
    if (library == NULL)
        return -ENOENT;
    found = dlsym(library, "unw_backtrace");
    if (found == NULL)
        return -ENOENT;
    if (already == NULL) {
        int status = ls_unwind_confine(library);

        if (status != 0)
            return status;
        switch_shared_cache_off(library);
    }
    dl_iterate_phdr(find_own_text, NULL);
    /* The kernel puts these bytes above the main thread's frames. */
    ls_walk_start((const void *)getauxval(AT_RANDOM));
    walks = ls_frame_rules_start() == 0 && ls_frame_probe_start(library) == 0;
    if (dlinfo(library, RTLD_DI_TLS_MODID, &module) == 0)
        ls_store_relaxed(&tls_module, module);
    ls_unwind_meet_thread();
    memcpy(&backtrace_function, &found, sizeof(found));
    return 0;
}

bool ls_unwind_available(void)
{
    return backtrace_function != NULL;
}

void ls_unwind_disable(void)
{
    backtrace_function = NULL;
}

void ls_unwind_forget(void)
{
    ls_frame_rules_forget();
}

static bool is_own(uintptr_t pc)
{
    return pc - own_text.start < own_text.size;
}

static struct ls_walk *walk_of(struct ls_thread *thread)
{
    if (LS_UNLIKELY(thread->walk == NULL)) {
        /* As in thread.c, not from jemalloc. */
        thread->walk = ls_memory_own_map(sizeof(*thread->walk), sizeof(*thread->walk));
        if (thread->walk != NULL)
            ls_walk_init(thread->walk);
    }
    return thread->walk;
}

static bool walk_stack(struct ls_thread *thread, const struct ls_frame_record *record,
                       struct ls_captured *captured)
{
    struct ls_walk *walk = walks ? walk_of(thread) : NULL;
    uint32_t from;
    uint32_t end = LS_WALK_FRAMES;

    if (LS_UNLIKELY(walk == NULL) || !ls_walk_update(walk, record, depth_kept + OWN_FRAMES_MAX))
        return false;
    from = walk->first;
    while (from < end && is_own(walk->identity[from]))
        from++;
    if (walk->identity[end - 1] == 0)
        end--;
    captured->depth = end - from < depth_kept ? end - from : depth_kept;
    captured->pcs = &walk->identity[from];
    captured->hash =
        captured->depth > 0 ? ls_walk_hash(walk, from, captured->depth) : ls_stack_hash(NULL, 0);
    return true;
}

static void trace_stack(struct ls_captured *captured)
{
    void *frames[LS_STACK_DEPTH_MAX + OWN_FRAMES_MAX];
    int saved_errno = errno;
    size_t count = 0;
    int own = 0;
    int found;

    errno = 0; /* see unwind_imports.c */
    found = backtrace_function(frames, (int)depth_kept + OWN_FRAMES_MAX);
    errno = saved_errno;
    while (own < found && is_own((uintptr_t)frames[own]))
        own++;
    /* Zero ends a stack; some start-up code pushes it as a return address. What would pass for a
     * JavaScript function was read where no return address is, as in a signal handler that has
     * interrupted code between two rows of unwind information. */
    for (int i = own; i < found && count < depth_kept && frames[i] != NULL &&
                      ls_js_frame_function((uintptr_t)frames[i]) == NULL;
         i++)
        captured->buffer[count++] = (uintptr_t)frames[i];
    captured->pcs = captured->buffer;
    captured->depth = count;
    captured->hash = ls_stack_hash(captured->buffer, count);
}

void ls_unwind_capture(struct ls_thread *thread, const struct ls_frame_record *record,
                       struct ls_captured *captured)
{
    captured->depth = 0;
    captured->pcs = captured->buffer;
    captured->hash = 0;
    if (LS_UNLIKELY(backtrace_function == NULL) || !ls_thread_begin_capture(thread))
        return;
    if (!walk_stack(thread, record, captured))
        trace_stack(captured);
    ls_thread_end_capture(thread);
}
