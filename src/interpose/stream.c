/*
 * Streams and directories. libc opens and closes their descriptors by itself, past the hooks on
 * open and close, so the descriptor is asked for. Streams without one (fmemopen) have -1. fdopen
 * and fdopendir open none, and what they were given is closed here like any other.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/compiler.h"
#include "capture/descriptors.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT FILE *fopen(const char *path, const char *mode);
LS_EXPORT FILE *fopen64(const char *path, const char *mode);
LS_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream);
LS_EXPORT FILE *freopen64(const char *path, const char *mode, FILE *stream);
LS_EXPORT int fclose(FILE *stream);
LS_EXPORT FILE *popen(const char *command, const char *mode);
LS_EXPORT int pclose(FILE *stream);
LS_EXPORT FILE *tmpfile(void);
LS_EXPORT FILE *tmpfile64(void);
LS_EXPORT DIR *opendir(const char *path);
LS_EXPORT int closedir(DIR *directory);

/* fileno sets errno where there is none. */
static int descriptor_of(FILE *stream)
{
    int saved_errno = errno;
    int fd = stream == NULL ? -1 : fileno(stream);

    errno = saved_errno;
    return fd;
}

static FILE *opened(FILE *stream)
{
    if (stream != NULL)
        ls_descriptor_opened(descriptor_of(stream), LS_RESOURCE_FILE);
    return stream;
}

FILE *fopen(const char *path, const char *mode)
{
    return opened(LS_REAL(fopen)(path, mode));
}

FILE *fopen64(const char *path, const char *mode)
{
    return opened(LS_REAL(fopen64)(path, mode));
}

/* The old descriptor is closed whether or not the new one can be had. */
FILE *freopen(const char *path, const char *mode, FILE *stream)
{
    ls_descriptor_closing(descriptor_of(stream));
    return opened(LS_REAL(freopen)(path, mode, stream));
}

FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
    ls_descriptor_closing(descriptor_of(stream));
    return opened(LS_REAL(freopen64)(path, mode, stream));
}

/* The stream is gone afterwards whatever the result. */
int fclose(FILE *stream)
{
    ls_descriptor_closing(descriptor_of(stream));
    return LS_REAL(fclose)(stream);
}

FILE *popen(const char *command, const char *mode)
{
    return opened(LS_REAL(popen)(command, mode));
}

int pclose(FILE *stream)
{
    ls_descriptor_closing(descriptor_of(stream));
    return LS_REAL(pclose)(stream);
}

FILE *tmpfile(void)
{
    return opened(LS_REAL(tmpfile)());
}

FILE *tmpfile64(void)
{
    return opened(LS_REAL(tmpfile64)());
}

DIR *opendir(const char *path)
{
    DIR *directory = LS_REAL(opendir)(path);

    if (directory != NULL)
        ls_descriptor_opened(dirfd(directory), LS_RESOURCE_FILE);
    return directory;
}

/* NULL is declared impossible and answered with EINVAL. */
int closedir(DIR *directory)
{
    DIR *volatile given = directory;

    if (given != NULL)
        ls_descriptor_closing(dirfd(directory));
    return LS_REAL(closedir)(directory);
}
