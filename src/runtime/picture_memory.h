/*
 * The memory part of a snapshot: the balance as it was last settled, beside what the judgement
 * knows.
 */
#ifndef LS_RUNTIME_PICTURE_MEMORY_H
#define LS_RUNTIME_PICTURE_MEMORY_H

#include <stdint.h>

#include "report/snapshot.h"
#include "runtime/runtime.h"

/* What is not read is -1, and counts into the unexplained part. `mapped` points to what is valid
 * until the next summary. */
void ls_picture_memory(const struct ls_judgement *judgement, uint64_t now_ns,
                       struct ls_snapshot_memory *memory);

#endif
