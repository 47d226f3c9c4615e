#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/terminal.h"

#define OPTIONS_MAX 32

int ls_command_next_option(const struct ls_command *command, int count, char **arguments)
{
    struct option list[OPTIONS_MAX + 1] = {0};
    size_t used = 0;
    int code;

    for (; command->options[used].name != NULL && used < OPTIONS_MAX; used++) {
        list[used] = (struct option){
            .name = command->options[used].name,
            .has_arg = command->options[used].argument != NULL ? required_argument : no_argument,
            .val = command->options[used].code,
        };
    }
    opterr = 0;
    code = getopt_long(count, arguments, ":h", list, NULL);
    if (code == '?' || code == ':') {
        ls_terminal_complain("%s: %s '%s'; 'leakshim %s --help' lists the options", command->name,
                             code == ':' ? "a value is missing for" : "unknown option",
                             arguments[optind - 1], command->name);
        return '?';
    }
    return code;
}

int ls_command_bad_value(const struct ls_command *command, const char *option, const char *expected)
{
    ls_terminal_complain("%s: option '--%s' is '%s', expected %s", command->name, option, optarg,
                         expected);
    return LS_EXIT_USAGE;
}

int ls_command_print_help(const struct ls_command *command)
{
    printf("usage: leakshim %s %s\n\n%s\n\n", command->name, command->synopsis, command->meaning);
    for (const struct ls_command_option *option = command->options; option->name != NULL;
         option++) {
        printf("  --%s%s%s\n      ", option->name, option->argument != NULL ? "=" : "",
               option->argument != NULL ? option->argument : "");
        for (const char *text = option->meaning; *text != '\0'; text++) {
            putchar(*text);
            if (*text == '\n')
                fputs("      ", stdout);
        }
        putchar('\n');
    }
    if (command->notes != NULL)
        printf("\n%s", command->notes);
    puts("\nexit code: 0 clean, 1 something was found, 2 wrong usage or unreadable input");
    return ls_terminal_finish(LS_EXIT_CLEAN);
}
