/*
 * The file that --output names, or stdout.
 */
#ifndef LS_CLI_OUTPUT_H
#define LS_CLI_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

/* Emptied if it is there; stdout for a path that is NULL. NULL when it cannot be written, which has
 * been told. */
FILE *ls_output_open(const char *path);
/* Closes it: the exit code given, or LS_EXIT_USAGE when not everything got there, which has been
 * told. */
int ls_output_finish(FILE *file, const char *path, int exit_code);

/* For the writers of src/report: a struct ls_sink's write, whose context is a FILE. 0 or -EIO. */
int ls_output_write(void *file, const char *bytes, size_t length);

#endif
