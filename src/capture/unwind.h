/*
 * Stacks by libunwind's fast local trace. The one place that knows libunwind.
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

/* `depth`: frames kept. 0; -ENOENT when libunwind or a symbol of it is missing. After an error
 * every stack is empty. */
int ls_unwind_start(unsigned depth);
bool ls_unwind_available(void);
/* For a forked child that may have inherited libunwind's locks taken. */
void ls_unwind_disable(void);

/*
 * The caller's stack, innermost first, without frames of this library; returns how many were
 * written, at most the depth given at start. 0 when nothing can be had: no libunwind, a fork under
 * way, a stack without unwind information.
 */
size_t ls_unwind_capture(struct ls_thread *thread, uintptr_t *pcs);

#endif
