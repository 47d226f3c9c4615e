/*
 * leakshim run: puts the library and its options into the environment and runs the command, as a
 * child whose signals, terminal and end are passed through, so that the verdict can be told at the
 * end; or becomes it (--exec), where another process between would be noticed.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/elf_check.h"
#include "cli/launch.h"
#include "cli/run_runs.h"
#include "runtime/options.h"

#define LIBRARY_NAME "libleakshim.so"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#error "not a supported machine"
#endif

/* What env and the shells use. */
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND      127

#define OPTION_KEYS_MAX   64
#define OPTION_TEXT_MAX   32768
#define CODE_FIRST_OPTION 256 /* above every character */
#define RUN_OPTIONS       6   /* those that are not keys, two under one key, and the end */

struct request {
    const char *library; /* as given on the command line, or NULL */
    bool help;
    bool become; /* --exec: no process stays between */
    bool quiet;
    bool is_untracked; /* and it has been said */
    char **command;    /* ends with NULL */
    struct ls_text options;
};

/* Text from the command line or from a file, made harmless for a terminal. */
static void print_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte >= ' ' && byte <= '~')
            fputc(byte, stderr);
        else
            fprintf(stderr, "\\x%02x", byte);
    }
}

static void complain(const char *before, const char *subject, const char *after)
{
    fprintf(stderr, "leakshim: %s", before);
    print_printable(subject);
    fprintf(stderr, "%s\n", after);
}

static void print_usage_hint(void)
{
    fputs("usage: leakshim run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
          "'leakshim help' lists the options\n",
          stderr);
}

/*
 * A value of the command line in the syntax of LEAKSHIM_OPTIONS. Here a comma needs no backslash,
 * and one that stands there already is kept; a lone backslash at the end must not reach the comma
 * that follows.
 */
static void append_escaped(struct ls_text *text, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == ',') {
            ls_text_string(text, "\\,");
        } else if (*value == '\\' && value[1] != '\0' && strchr(",\\+", value[1]) != NULL) {
            ls_text_bytes(text, value, 2);
            value++;
        } else if (*value == '\\') {
            ls_text_string(text, "\\\\");
        } else {
            ls_text_char(text, *value);
        }
    }
}

static void count_complaint(void *context, const char *line)
{
    unsigned *count = context;

    (void)line;
    ++*count;
}

/* Appends one option to what the library will read, if the library will accept it. */
static int add_option(struct request *request, size_t key, const char *value)
{
    struct ls_options_description description;
    struct ls_options options;
    unsigned complaints = 0;
    size_t start;

    ls_options_describe(key, &description);
    if (request->options.length > 0)
        ls_text_char(&request->options, ',');
    start = request->options.length;
    ls_text_string(&request->options, description.name);
    ls_text_char(&request->options, '=');
    append_escaped(&request->options, value);
    if (request->options.truncated) {
        complain("run: the options are too long", "", "");
        return -E2BIG;
    }
    ls_options_defaults(&options);
    ls_options_parse(&options, request->options.bytes + start, count_complaint, &complaints);
    if (complaints > 0) {
        fprintf(stderr, "leakshim: run: option '--%s' is '", description.name);
        print_printable(value);
        fprintf(stderr, "', expected %s\n", description.allowed);
        return -EINVAL;
    }
    return 0;
}

/*
 * One long option for each key, under its own name and, where that has underscores, also with the
 * dashes of the command line. `names` holds the latter.
 */
static void list_long_options(struct option *list, char (*names)[32])
{
    struct ls_options_description description;
    size_t used = 0;

    for (size_t key = 0; ls_options_describe(key, &description); key++) {
        int code = CODE_FIRST_OPTION + (int)key;

        list[used++] = (struct option){description.name, required_argument, NULL, code};
        if (strchr(description.name, '_') != NULL && used + RUN_OPTIONS < OPTION_KEYS_MAX) {
            snprintf(*names, sizeof(*names), "%s", description.name);
            for (char *dash = *names; (dash = strchr(dash, '_')) != NULL;)
                *dash = '-';
            list[used++] = (struct option){*names, required_argument, NULL, code};
            names++;
        }
        if (used + RUN_OPTIONS >= OPTION_KEYS_MAX)
            break;
    }
    list[used++] = (struct option){"library", required_argument, NULL, 'l'};
    list[used++] = (struct option){"exec", no_argument, NULL, 'e'};
    list[used++] = (struct option){"quiet", no_argument, NULL, 'q'};
    list[used++] = (struct option){"help", no_argument, NULL, 'h'};
    list[used] = (struct option){NULL, 0, NULL, 0};
}

static void complain_of_argument(int code, char **arguments)
{
    char letter[] = {'-', (char)optopt, '\0'};
    bool is_letter =
        optopt > 0 && optopt <= UCHAR_MAX && strncmp(arguments[optind - 1], "--", 2) != 0;

    complain(code == ':' ? "run: a value is missing for '" : "run: unknown option '",
             is_letter ? letter : arguments[optind - 1], "'");
    print_usage_hint();
}

/* False, with the reason printed, when the command line cannot be understood. */
static bool read_arguments(int count, char **arguments, struct request *request)
{
    struct option list[OPTION_KEYS_MAX];
    char names[OPTION_KEYS_MAX][32];
    int code;

    list_long_options(list, names);
    optind = 1;
    opterr = 0;
    /* '+': what follows the command belongs to the command. */
    while ((code = getopt_long(count, arguments, "+:h", list, NULL)) != -1) {
        if (code >= CODE_FIRST_OPTION) {
            if (add_option(request, (size_t)(code - CODE_FIRST_OPTION), optarg) != 0)
                return false;
        } else if (code == 'l') {
            request->library = optarg;
        } else if (code == 'e') {
            request->become = true;
        } else if (code == 'q') {
            request->quiet = true;
        } else if (code == 'h') {
            request->help = true;
            return true;
        } else {
            complain_of_argument(code, arguments);
            return false;
        }
    }
    if (optind >= count) {
        complain("run: no command is given", "", "");
        print_usage_hint();
        return false;
    }
    request->command = arguments + optind;
    return true;
}

/* The absolute path, since the command may change its directory before it executes others. */
static bool use_library(const char *path, char found[PATH_MAX])
{
    struct ls_elf_identity identity;

    return realpath(path, found) != NULL && ls_elf_identify_library(found, &identity) == 0;
}

static bool find_installed_library(char found[PATH_MAX])
{
    static const char *const beside[] = {"", "../lib/", "../lib64/", "../lib/" MULTIARCH "/"};
    static const char *const installed[] = {
        "/usr/local/lib/", "/usr/local/lib64/", "/usr/local/lib/" MULTIARCH "/",
        "/usr/lib/",       "/usr/lib64/",       "/usr/lib/" MULTIARCH "/",
    };
    char executable[PATH_MAX];
    char path[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", executable, sizeof(executable) - 1);

    executable[length > 0 ? length : 0] = '\0';
    if (strrchr(executable, '/') != NULL)
        strrchr(executable, '/')[1] = '\0';
    for (size_t i = 0; length > 0 && i < sizeof(beside) / sizeof(beside[0]); i++) {
        snprintf(path, sizeof(path), "%s%s%s", executable, beside[i], LIBRARY_NAME);
        if (use_library(path, found))
            return true;
    }
    for (size_t i = 0; i < sizeof(installed) / sizeof(installed[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", installed[i], LIBRARY_NAME);
        if (use_library(path, found))
            return true;
    }
    return false;
}

/* False, with the reason printed, when there is no library to preload. */
static bool find_library(const char *given, char found[PATH_MAX])
{
    const char *name = given != NULL ? given : getenv("LEAKSHIM_LIBRARY");

    if (name != NULL && *name != '\0') {
        if (!use_library(name, found)) {
            complain("run: '", name, "' is not a shared library that can be read");
            return false;
        }
    } else if (!find_installed_library(found)) {
        complain("run: " LIBRARY_NAME " is neither beside this program nor installed; "
                 "name it with --library=PATH or LEAKSHIM_LIBRARY",
                 "", "");
        return false;
    }
    if (strpbrk(found, " :") != NULL) {
        complain("run: '", found, "' holds a blank or a colon, which LD_PRELOAD cannot express");
        return false;
    }
    return true;
}

/* Sets `name` to `first`, `separator` and `second`; either part may be empty. */
static bool set_joined(const char *name, const char *first, const char *separator,
                       const char *second)
{
    size_t size = strlen(first) + strlen(separator) + strlen(second) + 1;
    char *value = malloc(size);
    bool done;

    if (value == NULL)
        return false;
    if (*first == '\0' || *second == '\0')
        separator = "";
    snprintf(value, size, "%s%s%s", first, separator, second);
    done = setenv(name, value, 1) == 0;
    free(value);
    return done;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "";
}

/* The library goes first: an allocator that is preloaded too must be found behind it. */
static bool set_preload(const char *library)
{
    const char *present = environment("LD_PRELOAD");
    size_t length = strlen(library);

    /* strchr finds the terminating zero too. */
    if (strncmp(present, library, length) == 0 && strchr(" :", present[length]) != NULL)
        return true;
    return set_joined("LD_PRELOAD", library, ":", present);
}

/* The last entry of a key wins, and so does the command line. */
static bool set_options(const char *options)
{
    const char *present = environment("LEAKSHIM_OPTIONS");
    size_t backslashes = 0;

    if (*options == '\0')
        return true;
    while (backslashes < strlen(present) && present[strlen(present) - 1 - backslashes] == '\\')
        backslashes++;
    /* A lone backslash at the end would make the comma behind it part of the value. */
    return set_joined("LEAKSHIM_OPTIONS", present, backslashes % 2 == 1 ? "\\," : ",", options);
}

/* False when it was told that the program cannot be tracked at all. */
static bool warn_if_untracked(const char *command, const char *library)
{
    char path[PATH_MAX];
    char reason_bytes[2 * PATH_MAX];
    struct ls_text reason;
    struct ls_elf_identity identity;
    enum ls_elf_answer answer;

    ls_text_init(&reason, reason_bytes, sizeof(reason_bytes));
    if (ls_elf_find_program(command, path, sizeof(path)) != 0 ||
        ls_elf_identify_library(library, &identity) != 0)
        return true;
    answer = ls_elf_check_program(path, &identity, &reason);
    if (answer == LS_ELF_TRACKED)
        return true;
    fputs("leakshim: run: '", stderr);
    print_printable(command);
    fputs(answer == LS_ELF_UNTRACKED ? "' runs untracked: " : "' runs with its heap untracked: ",
          stderr);
    print_printable(reason.bytes);
    fputc('\n', stderr);
    return answer != LS_ELF_UNTRACKED;
}

static int tell_failure(const char *command, int error)
{
    fputs("leakshim: run: cannot execute '", stderr);
    print_printable(command);
    fprintf(stderr, "': %s\n", strerror(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

static double time_of_day(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int stay_and_tell(const struct request *request)
{
    char mark[LS_RUN_MARK_BYTES];
    struct ls_options options;
    struct ls_launch launch;
    double since = time_of_day();
    int error;

    ls_run_make_mark(mark);
    setenv(LS_RUN_MARK_VARIABLE, mark, 1);
    ls_options_defaults(&options);
    ls_options_parse(&options, environment("LEAKSHIM_OPTIONS"), NULL, NULL);
    error = ls_launch_start(request->command, &launch);
    if (error != 0)
        return tell_failure(request->command[0], -error);
    ls_launch_wait(&launch);
    if (!request->quiet && !request->is_untracked)
        ls_run_tell_runs(&options, mark, launch.pid, since);
    return ls_launch_finish(&launch);
}

int ls_command_run(int count, char **arguments)
{
    static char option_bytes[OPTION_TEXT_MAX];
    struct request request = {0};
    char library[PATH_MAX];

    ls_text_init(&request.options, option_bytes, sizeof(option_bytes));
    if (!read_arguments(count, arguments, &request))
        return LS_EXIT_USAGE;
    if (request.help)
        return ls_command_help();
    if (!find_library(request.library, library))
        return LS_EXIT_USAGE;
    request.is_untracked = !warn_if_untracked(request.command[0], library);
    if (!set_preload(library) || !set_options(request.options.bytes)) {
        complain("run: out of memory", "", "");
        return LS_EXIT_USAGE;
    }
    if (!request.become && !ls_launch_is_main_of_service())
        return stay_and_tell(&request);
    execvp(request.command[0], request.command);
    return tell_failure(request.command[0], errno);
}
