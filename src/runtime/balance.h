/*
 * What the resident memory is: every mapping the kernel lists, by who made it.
 *
 *   file       of files, private copies of their pages and the zeroed data of modules
 *   v8         mapped by V8
 *   mapping    mapped by the program
 *   allocator  the break, glibc's arenas and its large blocks, what another allocator mapped, and
 *              the blocks of the tracked range
 *   stack      of the main thread and of threads made with pthread_create
 *   own        the library's
 *
 * What is none of these is unexplained: each is known by a sign of its own and none by being left
 * over. Collector only.
 */
#ifndef LS_RUNTIME_BALANCE_H
#define LS_RUNTIME_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "report/snapshot.h"

enum ls_balance_part {
    LS_BALANCE_FILE,
    LS_BALANCE_V8,
    LS_BALANCE_MAPPING,
    LS_BALANCE_ALLOCATOR,
    LS_BALANCE_STACK,
    LS_BALANCE_OWN,
    LS_BALANCE_UNKNOWN,
    LS_BALANCE_PART_COUNT
};

struct ls_balance {
    bool known;
    uint64_t read_ns; /* the time it was asked for */
    double bytes[LS_BALANCE_PART_COUNT];
    struct ls_snapshot_mapped mapped;
};

/* Reads /proc/self/smaps; without the lock. At most a hundredth of the time goes into it: asked
 * again too soon it keeps what it has. */
void ls_balance_read(uint64_t now_ns);
/* Sorts what was read; under the lock. As of the last reading. */
void ls_balance_settle(void);
const struct ls_balance *ls_balance_last(void);

#endif
