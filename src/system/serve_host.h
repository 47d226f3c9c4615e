/*
 * allocator=jemalloc: the blocks nobody tracks come from the private jemalloc as well.
 *
 * It takes the place of the host's allocator in the table of real functions (real.h), so that with
 * the default allocator no call pays for the question. What jemalloc cannot serve, and what was
 * allocated before, stays with the host's allocator.
 */
#ifndef LS_SYSTEM_SERVE_HOST_H
#define LS_SYSTEM_SERVE_HOST_H

/* After ls_memory_start with a host range, before threads. */
void ls_serve_host(void);

#endif
