/*
 * What the subcommands say to people. Names come from summary files and command lines and are not
 * trusted: control characters, which a terminal would obey, and ill-formed UTF-8 become U+FFFD.
 */
#ifndef LS_CLI_TERMINAL_H
#define LS_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

void ls_terminal_print(FILE *file, const char *text);
/* One line on stderr, "leakshim: ...". */
void ls_terminal_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

enum ls_color_choice {
    LS_COLOR_AUTO,
    LS_COLOR_ALWAYS,
    LS_COLOR_NEVER,
};

/* "auto", "always", "never"; false when it is none of them. */
bool ls_terminal_read_color(const char *word, enum ls_color_choice *choice);
/* Whether `file` is to have colours: https://no-color.org is honoured by auto. */
bool ls_terminal_has_color(FILE *file, enum ls_color_choice choice);

/* What did not reach stdout is an error: 0, or the exit code for it. */
int ls_terminal_finish(int exit_code);

#endif
