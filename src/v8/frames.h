/*
 * JavaScript functions of a native stack's frames: from the frame to its closure, the function's
 * shared data, its script, and the names and places in there. Nothing of V8 is called but what
 * tells the isolate; every word behind the stack is read guarded, and each object proves by its
 * type to be what it is taken for, before anything is believed.
 *
 * Names a frame that runs interpreted, baseline or optimised code; of functions inlined into
 * another only the outer one is known. Frames of V8's own builtins have no name.
 *
 * Frames are named on their own thread, inside a hook; no lock. Functions are interned
 * (functions.h), and what was found out is kept for each thread until a collection moves it.
 */
#ifndef LS_V8_FRAMES_H
#define LS_V8_FRAMES_H

#include <stdbool.h>

#include "capture/managed.h"
#include "v8/symbols.h"

/* Finds V8's layout. NULL when it is not as it is read here: then nothing can be named. `symbols`
 * stays valid. Takes the loader's lock. */
const struct ls_managed *ls_v8_frames_start(const struct ls_v8_symbols *symbols);

/* A collection is over on this thread: closures may have moved, after a major one everything. */
void ls_v8_frames_moved(bool major);

/* True once the kernel has refused guarded reads. */
bool ls_v8_frames_refused(void);

#endif
