/*
 * A JavaScript environment being made. Node asks where its executable is as it makes one, on the
 * thread that will run it, main or worker, from C++ and before the program's first line
 * (Environment::GetExecPath, uv_exepath): the one call through libc that tells of a thread whose
 * event loop may never wait (docs/v8.md).
 */
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT ssize_t readlink(const char *path, char *buffer, size_t size);

ssize_t readlink(const char *path, char *buffer, size_t size)
{
    ssize_t length = LS_REAL(readlink)(path, buffer, size);

    /* A bad address has failed by now, and is not looked at. */
    if (ls_hook_targets.environment_begins != NULL && length > 0 &&
        strcmp(path, "/proc/self/exe") == 0)
        ls_hook_targets.environment_begins();
    return length;
}
