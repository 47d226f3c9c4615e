/*
 * The file that --output names, or stdout.
 */
#ifndef LS_CLI_OUTPUT_H
#define LS_CLI_OUTPUT_H

#include <stdio.h>

/* Emptied if it is there; stdout for a path that is NULL. NULL when it cannot be written, which has
 * been told. */
FILE *ls_output_open(const char *path);
/* Closes it: the exit code given, or LS_EXIT_USAGE when not everything got there, which has been
 * told. */
int ls_output_finish(FILE *file, const char *path, int exit_code);

#endif
