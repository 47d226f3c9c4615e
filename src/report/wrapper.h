/*
 * Functions that stand between malloc and the code to blame. Pure; any thread.
 */
#ifndef LS_REPORT_WRAPPER_H
#define LS_REPORT_WRAPPER_H

#include <stdbool.h>

/* A wrapper of an allocator, by its readable name: a site is named after its caller. */
bool ls_wrapper_is_allocator(const char *function);

#endif
