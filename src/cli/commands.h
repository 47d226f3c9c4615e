/*
 * The subcommands of the `leakshim` program. Each gets its own name as arguments[0] and returns
 * the exit code of the program. An ordinary program: stdio and the heap are used freely here, and
 * nothing of this is linked into the library.
 */
#ifndef LS_CLI_COMMANDS_H
#define LS_CLI_COMMANDS_H

enum ls_exit {
    LS_EXIT_CLEAN = 0,
    LS_EXIT_FOUND = 1,
    LS_EXIT_USAGE = 2, /* wrong usage or unreadable input */
};

/* Lists the subcommands and the options on stdout. */
int ls_command_help(void);

/* Becomes the command it is given; returns only when that fails. */
int ls_command_run(int count, char **arguments);

#endif
