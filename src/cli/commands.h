/*
 * The subcommands of the `leakshim` program. Each gets its own name as arguments[0] and returns
 * the exit code of the program. An ordinary program: stdio and the heap are used freely here, and
 * nothing of this is linked into the library.
 */
#ifndef LS_CLI_COMMANDS_H
#define LS_CLI_COMMANDS_H

#include <stddef.h>
#include <stdio.h>

enum ls_exit {
    LS_EXIT_CLEAN = 0,
    LS_EXIT_FOUND = 1,
    LS_EXIT_USAGE = 2, /* wrong usage or unreadable input */
};

/* One long option; the help, the manual's test and the completions read the same table. */
struct ls_command_option {
    const char *name;
    const char *argument; /* what it takes, e.g. "FILE"; NULL for none */
    int code;             /* given back by ls_command_next_option */
    const char *meaning;
};

struct ls_command {
    const char *name;
    const char *synopsis;                    /* what stands behind "leakshim NAME" */
    const char *meaning;                     /* one line */
    const char *notes;                       /* printed behind the options by --help; may be NULL */
    const struct ls_command_option *options; /* the last has no name; NULL for none */
    int (*run)(int count, char **arguments);
};

extern const struct ls_command ls_command_check;
extern const struct ls_command ls_command_report;
extern const struct ls_command ls_command_diff;
extern const struct ls_command ls_command_symbolize;
extern const struct ls_command ls_command_top;

/* All but run, version and help; the last is NULL. */
extern const struct ls_command *const ls_commands[];

/* Ends the options of a table. */
#define LS_OPTIONS_END                                                                             \
    {                                                                                              \
        NULL, NULL, 0, NULL                                                                        \
    }
#define LS_OPTION_HELP 'h'
#define LS_OPTION_HELP_ENTRY                                                                       \
    {                                                                                              \
        "help", NULL, LS_OPTION_HELP, "print this text"                                            \
    }

/*
 * The next option's code, with its value in optarg; -1 behind the last one, when optind is the
 * first argument that is none; '?' when it could not be understood, which has been told. Call with
 * optind 0 first.
 */
int ls_command_next_option(const struct ls_command *command, int count, char **arguments);
/* Tells that the value of the option just read is wrong; returns LS_EXIT_USAGE. */
int ls_command_bad_value(const struct ls_command *command, const char *option,
                         const char *expected);
/* Prints the help of one subcommand on stdout. */
int ls_command_print_help(const struct ls_command *command);

void ls_command_print_usage(FILE *file);
/* Lists the subcommands and the options of 'run' on stdout. */
int ls_command_help(void);

/* Becomes the command it is given; returns only when that fails. */
int ls_command_run(int count, char **arguments);

#endif
