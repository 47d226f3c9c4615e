/*
 * Where the code of the host's allocator lies, when that is not libc. What it maps, it maps with
 * locks of its own held: nothing may be called there that could wait for another lock, the
 * loader's or one that a fork holds, so such a call is known by its return address alone.
 */
#ifndef LS_SYSTEM_ALLOCATOR_CODE_H
#define LS_SYSTEM_ALLOCATOR_CODE_H

#include <stdbool.h>
#include <stdint.h>

/* Looks at what is loaded. From the constructor, after ls_real_resolve. */
void ls_allocator_code_find(bool malloc_is_ours);
bool ls_allocator_code_has(const void *return_address);
/* A library known by its name to be an allocator. */
bool ls_allocator_is_library(const char *path);

#endif
