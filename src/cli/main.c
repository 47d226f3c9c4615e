#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/terminal.h"

#ifndef LEAKSHIM_VERSION
#error "LEAKSHIM_VERSION is set by the build"
#endif

static int print_version(void)
{
    puts("leakshim " LEAKSHIM_VERSION);
    return ls_terminal_finish(LS_EXIT_CLEAN);
}

static int refuse(const char *before, const char *after)
{
    fprintf(stderr, "leakshim: %s%s\n", before, after);
    ls_command_print_usage(stderr);
    return LS_EXIT_USAGE;
}

int main(int count, char **arguments)
{
    const char *command = count > 1 ? arguments[1] : "";

    if (strcmp(command, "run") == 0)
        return ls_command_run(count - 1, arguments + 1);
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0)
        return count > 2 ? refuse("version", " takes no arguments") : print_version();
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 ||
        strcmp(command, "-h") == 0)
        return count > 2 ? refuse("help", " takes no arguments") : ls_command_help();
    for (size_t i = 0; ls_commands[i] != NULL; i++) {
        if (strcmp(command, ls_commands[i]->name) == 0)
            return ls_commands[i]->run(count - 1, arguments + 1);
    }
    return refuse(*command == '\0' ? "no command is given" : "unknown command", "");
}
