/*
 * Reads of this process's own memory that cannot fault: an address that is not mapped is told, not
 * hit. Many reads go into one system call, process_vm_readv(2).
 *
 * No lock, no memory of its own, no errno; async-signal-safe. Works on any thread and after fork.
 */
#ifndef LS_SYSTEM_GUARDED_READ_H
#define LS_SYSTEM_GUARDED_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ls_guarded_read {
    uintptr_t address;
    void *into;
    size_t size; /* 0: nothing is read, and `done` is false */
    bool done;   /* set: all of it was read */
};

/* Does all that can be done of `count` reads. 0, or -errno when the kernel refuses such reads
 * altogether (a sandbox): then none is done. */
int ls_guarded_read(struct ls_guarded_read *reads, size_t count);

#endif
