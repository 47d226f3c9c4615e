/*
 * Jobs that wait to be worked off. Each is a resource of the program's own, "jobs", from the moment
 * it is added to the moment it is ended. One thread.
 */
#ifndef JOBS_H
#define JOBS_H

#include <stdbool.h>
#include <stdint.h>

enum { JOB_BYTES = 4096 };

struct job {
    struct job *next;
    struct job **link; /* what points here, while it waits */
    void *owner;
    uint64_t handle;
    char text[JOB_BYTES];
};

struct jobs {
    struct job *first;
    struct job **last;
    bool fixed;
};

/* `fixed` chooses the repaired way of abandoning a job. */
void jobs_init(struct jobs *jobs, bool fixed);
/* NULL when there is no memory. */
struct job *jobs_add(struct jobs *jobs, void *owner, const char *text);
/* The oldest, which is the caller's to end then; NULL when none waits. */
struct job *jobs_take(struct jobs *jobs);
void jobs_end(struct job *job);
/* Whoever wanted it has gone. */
void jobs_abandon(struct jobs *jobs, struct job *job);

#endif
