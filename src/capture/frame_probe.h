/*
 * Learns a frame rule by asking libunwind what it would do: one step from a made-up frame whose
 * stack pointer, frame pointer and memory are chosen so that what comes out tells which of them
 * it was made of.
 *
 * Any thread, between ls_thread_begin_capture and ls_thread_end_capture: takes the loader's lock,
 * as any unwinding does. Some microseconds. A thread that finds another one at it is told
 * LS_FRAME_UNKNOWN and does without. errno is not kept.
 */
#ifndef LS_CAPTURE_FRAME_PROBE_H
#define LS_CAPTURE_FRAME_PROBE_H

#include <stdint.h>

#include "capture/frame_rule.h"

/* `library`: libunwind's handle, confined. 0; -ENOENT when a function is missing, -ENOSYS on a
 * machine whose frames this does not know. After an error, and without memory, every answer is
 * LS_FRAME_UNKNOWN. */
int ls_frame_probe_start(void *library);
struct ls_frame_rule ls_frame_probe(uintptr_t pc);
/* In a forked child: nobody is at it. */
void ls_frame_probe_child_after_fork(void);

#endif
