#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "runtime/options.h"

#ifndef LEAKSHIM_VERSION
#error "LEAKSHIM_VERSION is set by the build"
#endif

static const char usage[] = "usage: leakshim run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
                            "       leakshim version\n"
                            "       leakshim help\n";

/* What did not reach stdout, on a full disk or a closed descriptor, is an error of this program. */
static int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return LS_EXIT_CLEAN;
    perror("leakshim: cannot write");
    return LS_EXIT_USAGE;
}

int ls_command_help(void)
{
    struct ls_options_description description;

    fputs(usage, stdout);
    fputs(
        "\nFinds what keeps growing in a long-running process.\n"
        "\n"
        "  run      run COMMAND with libleakshim.so preloaded\n"
        "  version  print the version\n"
        "  help     print this text\n"
        "\n"
        "exit code: 0 clean, 1 something was found, 2 wrong usage or unreadable input;\n"
        "'run' ends with the exit code of COMMAND, 126 when it cannot be executed and 127 when\n"
        "it is not found\n"
        "\n"
        "options of 'run', given as --KEY=VALUE, and keys of LEAKSHIM_OPTIONS='KEY=VALUE,...',\n"
        "over which the command line wins:\n"
        "\n"
        "  --library=PATH  libleakshim.so to preload; also LEAKSHIM_LIBRARY. Searched for beside\n"
        "                  this program, in ../lib and where libraries are installed\n",
        stdout);
    for (size_t i = 0; ls_options_describe(i, &description); i++) {
        printf("\n  --%s=%s\n", description.name, description.default_text);
        printf("      %s\n      %s\n", description.meaning, description.allowed);
    }
    fputs("\nThe values shown are the defaults.\n", stdout);
    return finish_output();
}

static int print_version(void)
{
    puts("leakshim " LEAKSHIM_VERSION);
    return finish_output();
}

static int refuse_arguments(const char *command)
{
    fprintf(stderr, "leakshim: %s takes no arguments\n%s", command, usage);
    return LS_EXIT_USAGE;
}

int main(int count, char **arguments)
{
    const char *command = count > 1 ? arguments[1] : "";

    if (strcmp(command, "run") == 0)
        return ls_command_run(count - 1, arguments + 1);
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0)
        return count > 2 ? refuse_arguments("version") : print_version();
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 ||
        strcmp(command, "-h") == 0)
        return count > 2 ? refuse_arguments("help") : ls_command_help();
    if (*command == '\0')
        fprintf(stderr, "leakshim: no command is given\n%s", usage);
    else
        fprintf(stderr, "leakshim: unknown command\n%s", usage);
    return LS_EXIT_USAGE;
}
