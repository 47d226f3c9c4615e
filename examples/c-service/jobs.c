#include "jobs.h"

#include <leakshim/leakshim.h>
#include <stdlib.h>
#include <string.h>

void jobs_init(struct jobs *jobs, bool fixed)
{
    *jobs = (struct jobs){.last = &jobs->first, .fixed = fixed};
}

struct job *jobs_add(struct jobs *jobs, void *owner, const char *text)
{
    struct job *job = malloc(sizeof(*job));

    if (job == NULL)
        return NULL;
    *job = (struct job){.link = jobs->last, .owner = owner};
    strncpy(job->text, text, sizeof(job->text) - 1);
    /* 0 bytes: its memory is seen without being told of. */
    job->handle = leakshim_acquire_named("jobs", 0);
    *jobs->last = job;
    jobs->last = &job->next;
    return job;
}

static void unlink_job(struct jobs *jobs, struct job *job)
{
    *job->link = job->next;
    if (job->next != NULL)
        job->next->link = job->link;
    else
        jobs->last = job->link;
}

struct job *jobs_take(struct jobs *jobs)
{
    struct job *job = jobs->first;

    if (job != NULL)
        unlink_job(jobs, job);
    return job;
}

void jobs_end(struct job *job)
{
    leakshim_release(job->handle);
    free(job);
}

/* The leak: taken out of the queue, a job is nobody's. */
void jobs_abandon(struct jobs *jobs, struct job *job)
{
    unlink_job(jobs, job);
    if (jobs->fixed)
        jobs_end(job);
}
