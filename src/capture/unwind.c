#include "capture/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include "base/atomic.h"
#include "capture/unwind_imports.h"
#include "ledger/stack_table.h"

/* Frames of ours between the host's call and the unwinder, at most. */
#define OWN_FRAMES_MAX 8

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

int ls_unwind_start(unsigned depth)
{
    static const char name[] = "libunwind.so.8";
    void *already = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    void *library = already != NULL ? already : dlopen(name, RTLD_NOW | RTLD_LOCAL);
    void *found;

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

size_t ls_unwind_capture(struct ls_thread *thread, uintptr_t *pcs)
{
    void *frames[LS_STACK_DEPTH_MAX + OWN_FRAMES_MAX];
    int found;
    int own = 0;
    int saved_errno;
    size_t count = 0;

    if (LS_UNLIKELY(backtrace_function == NULL) || !ls_thread_begin_capture(thread))
        return 0;
    saved_errno = errno;
    errno = 0; /* see unwind_imports.c */
    found = backtrace_function(frames, (int)depth_kept + OWN_FRAMES_MAX);
    errno = saved_errno;
    ls_thread_end_capture(thread);
    while (own < found && (uintptr_t)frames[own] - own_text.start < own_text.size)
        own++;
    for (int i = own; i < found && count < depth_kept; i++) {
        /* Zero ends a stack; some start-up code pushes it as a return address. */
        if (frames[i] == NULL)
            break;
        pcs[count++] = (uintptr_t)frames[i];
    }
    return count;
}
