/*
 * Frames of a language runtime whose compiler leaves no unwind information, and who names them.
 *
 * Machine code of such a function lies in many places, moves, and is forgotten; and an interpreter
 * is one and the same code for all. So a frame's program counter says little, and the walk lets the
 * runtime's side (src/v8/frames.h) put in its place what stands for the function.
 *
 * A frame is taken to follow its frame pointer, and to hold two words below that what tells its
 * function: V8's frames do
 * (https://github.com/nodejs/node/blob/v24.x/deps/v8/src/execution/frame-constants.h).
 */
#ifndef LS_CAPTURE_MANAGED_H
#define LS_CAPTURE_MANAGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LS_MANAGED_FUNCTION_WORDS 2

struct ls_managed_frame {
    uintptr_t frame_pointer; /* on this thread's stack, with the words down to the function's */
    uintptr_t function;      /* the word there */
    uintptr_t identity;      /* to be set; 0: no function is known */
    bool unsure;             /* to be set with that: it may be known the next time */
};

struct ls_managed {
    /* Names frames of this thread. `memory` is this thread's, at first NULL; what it is set to must
     * be own memory, which is kept for the thread's successors. Inside a hook. */
    void (*name)(void **memory, struct ls_managed_frame *frames, size_t count);
    /* Changes whenever the runtime may have moved this thread's functions. */
    uint64_t (*epoch)(void);
};

/* Once; `managed` stays valid. */
void ls_walk_set_managed(const struct ls_managed *managed);

#endif
