/*
 * Whether memory of V8's can be read. A question to the kernel, a microsecond or so each; nothing
 * is touched. Any thread; nothing is kept, so fork is no matter.
 */
#ifndef LS_V8_GUARD_H
#define LS_V8_GUARD_H

#include <stdbool.h>
#include <stddef.h>

bool ls_v8_guard_mapped(const void *address, size_t size);

#endif
