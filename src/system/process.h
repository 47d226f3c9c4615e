/*
 * Facts about this process, read from the kernel by raw system calls: no allocation, no stdio.
 * Any thread. Where /proc or a limit cannot be read the fact is 0 or "", never a guess.
 */
#ifndef LS_SYSTEM_PROCESS_H
#define LS_SYSTEM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ls_process_memory {
    uint64_t resident_bytes;
    uint64_t resident_file_bytes; /* of those, mapped from files */
    uint64_t virtual_bytes;
};

/* 0 or -errno. */
int ls_process_read_memory(struct ls_process_memory *memory);

/* The least memory limit of the cgroups this process is in, version 2 or 1; 0 when there is none.
 * `held_bytes` is what that group holds, all its processes together and the kernel for them, and
 * cannot be dropped to make room: files that are mapped or cached are not in it. 0 when not
 * known. */
uint64_t ls_process_cgroup_limit(uint64_t *held_bytes);
/* RLIMIT_AS; 0 when there is none. */
uint64_t ls_process_address_limit(void);

/* Seconds since 1970 at which this process started, from /proc; without it, now. */
double ls_process_started_at(void);

/* The name the program was started by, without its folders: one file may be many programs. Failing
 * that the base name of the executable, or "unknown". */
void ls_process_program(char *name, size_t capacity);
/* Arguments joined by spaces, cut to what fits. */
void ls_process_command(char *command, size_t capacity);

/* Absolute path; "" when it cannot be known. */
void ls_process_working_directory(char *path, size_t capacity);

/* The kernel's name of a thread (comm), at most 15 bytes. A thread that has ended leaves a name
 * that is not empty as it was; an empty one becomes "thread <id>". */
void ls_process_thread_name(int thread, char *name, size_t capacity);

/* The thread the process began with has ended while others go on. */
bool ls_process_main_thread_ended(void);
/* Any thread but these two that has not ended. True when it cannot be known. */
bool ls_process_has_other_threads(int first, int second);

#endif
