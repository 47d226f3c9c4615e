/*
 * Libraries that come and go while the host runs.
 *
 * dlopen looks relative names up by the run path of the library that calls it, which it takes from
 * its return address; so the hook ends in a jump and leaves that address alone. Only RTLD_DEEPBIND
 * needs work afterwards: such a library binds malloc and free to libc past us, and would hand our
 * blocks to a free that does not know them. Its malloc family is bound to ours by hand, as every
 * other library's is by the loader.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "capture/unwind.h"
#include "interpose/hooks.h"
#include "system/real.h"
#include "system/rebind.h"

LS_EXPORT void *dlopen(const char *file, int mode);
LS_EXPORT int dlclose(void *handle);

void *reallocarray(void *block, size_t count, size_t size);
int posix_memalign(void **block, size_t alignment, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);
size_t malloc_usable_size(void *block);

typedef void any_function(void);

static const struct ls_rebinding malloc_family[] = {
    {"malloc", (any_function *)malloc},
    {"calloc", (any_function *)calloc},
    {"realloc", (any_function *)realloc},
    {"reallocarray", (any_function *)reallocarray},
    {"free", (any_function *)free},
    {"posix_memalign", (any_function *)posix_memalign},
    {"aligned_alloc", (any_function *)aligned_alloc},
    {"memalign", (any_function *)memalign},
    {"valloc", (any_function *)valloc},
    {"pvalloc", (any_function *)pvalloc},
    {"malloc_usable_size", (any_function *)malloc_usable_size},
};

/* The loader's list of what is loaded, up to this entry. */
static const struct link_map *last_loaded(void)
{
    const struct link_map *map = _r_debug.r_map;

    while (map != NULL && map->l_next != NULL)
        map = map->l_next;
    return map;
}

/* A name without a slash is searched for along the caller's run path, if it has one. */
static bool needs_callers_path(const char *file, const void *caller)
{
    struct link_map *map = NULL;
    Dl_info info;

    if (file == NULL || strchr(file, '/') != NULL)
        return false;
    if (dladdr1(caller, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL)
        return true;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH)
            return true;
    }
    return false;
}

static LS_COLD void *open_deeply(const char *file, int mode)
{
    const struct link_map *before = last_loaded();
    void *handle = LS_REAL(dlopen)(file, mode);

    if (handle == NULL)
        return NULL;
    for (const struct link_map *map = before; map != NULL; map = map->l_next) {
        if (map != before)
            ls_rebind(map, malloc_family, LS_ARRAY_LENGTH(malloc_family));
    }
    return handle;
}

/* The last call is a jump in every optimised build (tests/source/check.py looks at it): a build
 * without sibling calls would lose the host's relative run paths. */
void *dlopen(const char *file, int mode)
{
    if (LS_UNLIKELY((mode & RTLD_DEEPBIND) != 0) &&
        !needs_callers_path(file, __builtin_return_address(0)))
        return open_deeply(file, mode);
    if (LS_UNLIKELY(ls_real.dlopen == NULL))
        ls_real_resolve();
    return ls_real.dlopen(file, mode);
}

/* Forgotten twice: what runs in between may be the library's own destructors. */
int dlclose(void *handle)
{
    int status;

    if (ls_hook_targets.before_unload != NULL)
        ls_hook_targets.before_unload();
    ls_unwind_forget();
    status = LS_REAL(dlclose)(handle);
    ls_unwind_forget();
    return status;
}
