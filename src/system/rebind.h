/*
 * Binds functions that one loaded library takes from others to functions of ours, by writing its
 * global offset table as the loader does, and seals it again as the loader did. The library is not
 * otherwise touched, and no other library sees a difference.
 *
 * Takes the loader's lock; not from inside a hook of malloc. The library must not be unloaded
 * meanwhile. Calls that run in it at the same time see the old function or the new one.
 */
#ifndef LS_SYSTEM_REBIND_H
#define LS_SYSTEM_REBIND_H

#include <link.h>
#include <stddef.h>

struct ls_rebinding {
    const char *name;
    void (*function)(void);
};

/* Symbols the library defines itself are left alone. 0 or -errno; after an error some may be bound
 * and others not. */
int ls_rebind(const struct link_map *map, const struct ls_rebinding *rebindings, size_t count);

#endif
