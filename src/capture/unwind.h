/*
 * Stacks: walked by frame rules (walk.h), and by libunwind's local trace where rules cannot follow.
 * With frame_probe.h the one place that knows libunwind.
 *
 * libunwind is loaded by dlopen(RTLD_LOCAL), never linked: as a dependency of a preloaded library
 * its _Unwind_* symbols would take over the host's C++ exceptions
 * (https://github.com/KDE/heaptrack/issues/43). What it takes from libc is cut down by
 * unwind_imports.h before the first trace.
 *
 * Start: once, from the constructor (dlopen must not run inside a hook). Capture: any thread that
 * holds ls_thread_enter; takes the loader's lock on the first sight of a program counter, and no
 * lock of ours is held then.
 */
#ifndef LS_CAPTURE_UNWIND_H
#define LS_CAPTURE_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/thread.h"
#include "capture/walk.h"
#include "ledger/stack_table.h"

/* On a thread, before it is first inside the C library's allocator: libunwind's thread-local
 * storage is made now. The first access makes it by malloc, and that may come in a signal handler
 * which has interrupted malloc. */
void ls_unwind_meet_thread(void);

/* `depth`: frames kept. 0; -ENOENT when libunwind or a symbol of it is missing. After an error
 * every stack is empty. */
int ls_unwind_start(unsigned depth);
bool ls_unwind_available(void);
/* For a forked child that may have inherited libunwind's locks taken. */
void ls_unwind_disable(void);

struct ls_captured {
    const uintptr_t *pcs; /* innermost first; right until this thread's next capture */
    size_t depth;         /* at most the depth given at start */
    uint64_t hash;        /* see ls_stack_table_find */
    uintptr_t buffer[LS_STACK_DEPTH_MAX];
};

/*
 * The stack without frames of this library. `record` is that of the calling function, which asks
 * for it by __builtin_frame_address(0). Depth 0 when nothing can be had: no libunwind, a fork under
 * way, a stack without unwind information.
 */
void ls_unwind_capture(struct ls_thread *thread, const struct ls_frame_record *record,
                       struct ls_captured *captured);
/* Code is being unloaded: what was learned of it is forgotten. */
void ls_unwind_forget(void);

#endif
