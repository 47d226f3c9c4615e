/*
 * Strings of V8's heap, and lines of a script's source, read from outside V8: any address may turn
 * out to be nothing, and then there is no text. On the isolate's own thread, so that nothing moves
 * meanwhile. Not reentrant: `scratch` is the caller's.
 */
#ifndef LS_V8_HEAP_TEXT_H
#define LS_V8_HEAP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "v8/layout.h"

#define LS_V8_SCRATCH_BYTES 16384

/* Writes a string as UTF-8, cut at `capacity` between characters; returns its bytes. 0 when `word`
 * is no string. */
size_t ls_v8_heap_text_write(const struct ls_v8_layout *layout, uintptr_t word, char *buffer,
                             size_t capacity);

/* A place in a script's source; lines and columns from 0. */
struct ls_v8_place_in_text {
    uint32_t position;
    uint32_t line;
    uint32_t line_start;
};

/* Moves `place` on to `position`, which lies behind it. False when the source cannot be read as far
 * as that. `scratch` holds LS_V8_SCRATCH_BYTES. */
bool ls_v8_heap_text_move(const struct ls_v8_layout *layout, uintptr_t source, uint32_t position,
                          struct ls_v8_place_in_text *place, void *scratch);

#endif
