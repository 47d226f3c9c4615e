#include <stdio.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "runtime/options.h"

const struct ls_command *const ls_commands[] = {
    &ls_command_check,     &ls_command_report, &ls_command_diff,
    &ls_command_symbolize, &ls_command_top,    NULL,
};

void ls_command_print_usage(FILE *file)
{
    fputs("usage: leakshim run [OPTION]... [--] COMMAND [ARGUMENT]...\n", file);
    for (size_t i = 0; ls_commands[i] != NULL; i++)
        fprintf(file, "       leakshim %s %s\n", ls_commands[i]->name, ls_commands[i]->synopsis);
    fputs("       leakshim version\n       leakshim help\n", file);
}

int ls_command_help(void)
{
    struct ls_options_description description;

    ls_command_print_usage(stdout);
    puts("\nFinds what keeps growing in a long-running process.\n\n"
         "  run        Runs COMMAND with libleakshim.so preloaded.");
    for (size_t i = 0; ls_commands[i] != NULL; i++)
        printf("  %-9s  %s\n", ls_commands[i]->name, ls_commands[i]->meaning);
    fputs(
        "  version    Prints the version.\n"
        "  help       Prints this text; 'leakshim COMMAND --help' that of one command.\n"
        "\n"
        "exit code: 0 clean, 1 something was found, 2 wrong usage or unreadable input;\n"
        "'run' ends with the exit code of COMMAND, 126 when it cannot be executed and 127 when\n"
        "it is not found\n"
        "\n"
        "options of 'run', given as --KEY=VALUE, and keys of LEAKSHIM_OPTIONS='KEY=VALUE,...',\n"
        "over which the command line wins:\n"
        "\n"
        "  --library=PATH  libleakshim.so to preload; also LEAKSHIM_LIBRARY. Searched for beside\n"
        "                  this program, in ../lib and where libraries are installed\n"
        "  --exec          become COMMAND: its pid is that of leakshim, and nothing is said at "
        "the\n"
        "                  end\n"
        "  --quiet         say nothing at the end of where the runs are and what they found\n",
        stdout);
    for (size_t i = 0; ls_options_describe(i, &description); i++) {
        printf("\n  --%s=%s\n", description.name, description.default_text);
        printf("      %s\n      %s\n", description.meaning, description.allowed);
    }
    fputs("\nThe values shown are the defaults.\n", stdout);
    return ls_terminal_finish(LS_EXIT_CLEAN);
}
