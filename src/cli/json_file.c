#include "cli/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes of a regular file, to be freed; NULL with the reason. */
static char *read_whole(int file, size_t limit, size_t *length, char *reason, size_t reason_size)
{
    struct stat facts;
    char *bytes;
    size_t used = 0;
    ssize_t got = 0;

    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        snprintf(reason, reason_size, "is not a regular file");
        errno = EINVAL;
        return NULL;
    }
    if (facts.st_size > (off_t)limit) {
        snprintf(reason, reason_size, "is larger than %zu MiB", limit >> 20);
        errno = EFBIG;
        return NULL;
    }
    bytes = malloc((size_t)facts.st_size + 1);
    while (bytes != NULL && used < (size_t)facts.st_size &&
           (got = read(file, bytes + used, (size_t)facts.st_size - used)) > 0)
        used += (size_t)got;
    if (bytes == NULL || got < 0) {
        snprintf(reason, reason_size, "cannot be read: %s", strerror(errno));
        free(bytes);
        return NULL;
    }
    *length = used;
    return bytes;
}

json_t *ls_json_parse(const char *bytes, size_t length, char *reason, size_t reason_size)
{
    json_error_t error;
    json_t *value;

    if (length == 0) {
        snprintf(reason, reason_size, "is empty");
        errno = EINVAL;
        return NULL;
    }
    /* Counters go beyond the integers of the reader. */
    value = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (value == NULL) {
        snprintf(reason, reason_size, "is not JSON, or cut short: line %d: %s", error.line,
                 error.text);
        errno = EINVAL;
    }
    return value;
}

json_t *ls_json_file_read(const char *path, size_t limit, char *reason, size_t reason_size)
{
    json_t *value = NULL;
    char *bytes;
    size_t length;
    /* O_NONBLOCK: a pipe in the place of a file must not be waited for. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error;

    if (file < 0) {
        error = errno;
        snprintf(reason, reason_size, "cannot be read: %s", strerror(error));
        errno = error;
        return NULL;
    }
    bytes = read_whole(file, limit, &length, reason, reason_size);
    if (bytes != NULL)
        value = ls_json_parse(bytes, length, reason, reason_size);
    error = errno;
    free(bytes);
    close(file);
    errno = error;
    return value;
}
