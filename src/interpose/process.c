/*
 * The ends of a process. Each hook lets the runtime write its last word and forwards.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include "base/compiler.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT void _exit(int status) __attribute__((noreturn));
LS_EXPORT void _Exit(int status) __attribute__((noreturn));
LS_EXPORT int execve(const char *path, char *const arguments[], char *const environment[]);
LS_EXPORT int execv(const char *path, char *const arguments[]);
LS_EXPORT int execvp(const char *file, char *const arguments[]);
LS_EXPORT int execvpe(const char *file, char *const arguments[], char *const environment[]);
LS_EXPORT int execl(const char *path, const char *argument, ...);
LS_EXPORT int execlp(const char *file, const char *argument, ...);
LS_EXPORT int execle(const char *path, const char *argument, ...);
LS_EXPORT int fexecve(int fd, char *const arguments[], char *const environment[]);
LS_EXPORT int execveat(int directory, const char *path, char *const arguments[],
                       char *const environment[], int flags);

struct ls_hook_targets ls_hook_targets;

static void before_end(void)
{
    if (ls_hook_targets.before_end != NULL)
        ls_hook_targets.before_end();
}

void _exit(int status)
{
    before_end();
    LS_REAL(exit_now)(status);
    __builtin_unreachable();
}

void _Exit(int status)
{
    _exit(status);
}

int execve(const char *path, char *const arguments[], char *const environment[])
{
    before_end();
    return LS_REAL(execve)(path, arguments, environment);
}

int execv(const char *path, char *const arguments[])
{
    before_end();
    return LS_REAL(execv)(path, arguments);
}

int execvp(const char *file, char *const arguments[])
{
    before_end();
    return LS_REAL(execvp)(file, arguments);
}

int execvpe(const char *file, char *const arguments[], char *const environment[])
{
    before_end();
    return LS_REAL(execvpe)(file, arguments, environment);
}

int fexecve(int fd, char *const arguments[], char *const environment[])
{
    before_end();
    return LS_REAL(fexecve)(fd, arguments, environment);
}

int execveat(int directory, const char *path, char *const arguments[], char *const environment[],
             int flags)
{
    before_end();
    return LS_REAL(execveat)(directory, path, arguments, environment, flags);
}

static size_t count_arguments(const char *first, va_list *rest)
{
    size_t count = 1;
    va_list list;

    va_copy(list, *rest);
    for (const char *argument = first; argument != NULL;
         argument = va_arg(list, const char *)) /* NOLINT */
        count++;
    va_end(list);
    return count;
}

static void gather_arguments(char **arguments, const char *first, va_list *rest)
{
    size_t i = 0;

    for (const char *argument = first; argument != NULL; argument = va_arg(*rest, const char *))
        arguments[i++] = (char *)argument;
    arguments[i] = NULL;
}

/* The list forms build their array on the stack, as libc's do: they may run in a vfork child, where
 * malloc is out of the question. */
#define WITH_ARGUMENT_LIST(first, call)                                                            \
    do {                                                                                           \
        va_list rest;                                                                              \
        va_start(rest, first);                                                                     \
        {                                                                                          \
            char *arguments[count_arguments((first), &rest)];                                      \
            gather_arguments(arguments, (first), &rest);                                           \
            result = (call);                                                                       \
        }                                                                                          \
        va_end(rest);                                                                              \
    } while (0)

int execl(const char *path, const char *argument, ...)
{
    int result;

    WITH_ARGUMENT_LIST(argument, execv(path, arguments));
    return result;
}

int execlp(const char *file, const char *argument, ...)
{
    int result;

    WITH_ARGUMENT_LIST(argument, execvp(file, arguments));
    return result;
}

int execle(const char *path, const char *argument, ...)
{
    int result;

    WITH_ARGUMENT_LIST(argument, execve(path, arguments, va_arg(rest, char *const *)));
    return result;
}
