/*
 * The kinds of resource and the verdicts, shared by every stage of the pipe, with the names the
 * summary files use.
 */
#ifndef LS_BASE_RESOURCE_H
#define LS_BASE_RESOURCE_H

#include <stdbool.h>

enum ls_resource {
    LS_RESOURCE_HEAP,
    LS_RESOURCE_MAP,
    LS_RESOURCE_JS,
    LS_RESOURCE_THREAD,
    LS_RESOURCE_SOCKET,
    LS_RESOURCE_FILE,
    LS_RESOURCE_CUSTOM,
    LS_RESOURCE_COUNT
};

/* "heap", "map", "js", ... in the order of the enumeration. */
extern const char *const ls_resource_names[LS_RESOURCE_COUNT];

/* Descriptors have no size, and a thread's stack is mostly untouched: their number is what is
 * judged, ordered by and told. */
static inline bool ls_resource_is_counted(enum ls_resource resource)
{
    return resource == LS_RESOURCE_SOCKET || resource == LS_RESOURCE_FILE ||
           resource == LS_RESOURCE_THREAD;
}

/* The same of a site: a resource of the program's own has a size if the program says one, so that
 * bytes were acquired. */
static inline bool ls_resource_is_counted_at(enum ls_resource resource, double acquired_bytes)
{
    return ls_resource_is_counted(resource) ||
           (resource == LS_RESOURCE_CUSTOM && !(acquired_bytes > 0));
}

enum ls_verdict {
    LS_VERDICT_LEARNING,
    LS_VERDICT_RISING,
    LS_VERDICT_SETTLING,
    LS_VERDICT_STEADY,
    LS_VERDICT_SAWTOOTH,
    LS_VERDICT_FALLING,
    LS_VERDICT_COUNT
};

extern const char *const ls_verdict_names[LS_VERDICT_COUNT];

enum ls_process_verdict {
    LS_PROCESS_LEARNING,
    LS_PROCESS_CLEAN,
    LS_PROCESS_LEAKING,
    LS_PROCESS_FRAGMENTING,
    LS_PROCESS_BACKLOG,
    LS_PROCESS_VERDICT_COUNT
};

extern const char *const ls_process_verdict_names[LS_PROCESS_VERDICT_COUNT];

#endif
