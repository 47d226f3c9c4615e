#include "system/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/compiler.h"
#include "system/syscall.h"

#define BUFFER_BYTES 16384
#define NAME_BYTES   256

struct reader {
    char buffer[BUFFER_BYTES];
    size_t used;
    char name[NAME_BYTES];
    struct ls_map_entry entry;
    bool has_entry;
    ls_maps_visit *visit;
    void *context;
};

static bool hex_number(const char **text, uint64_t *value)
{
    const char *at = *text;

    for (*value = 0;; at++) {
        unsigned digit;

        if (*at >= '0' && *at <= '9')
            digit = (unsigned)(*at - '0');
        else if (*at >= 'a' && *at <= 'f')
            digit = (unsigned)(*at - 'a') + 10;
        else
            break;
        *value = *value << 4 | digit;
    }
    if (at == *text)
        return false;
    *text = at;
    return true;
}

static void tell(struct reader *reader)
{
    if (reader->has_entry)
        reader->visit(reader->context, &reader->entry);
    reader->has_entry = false;
}

/* Behind the fifth blank-separated field, the inode, is the name. */
static void read_name(struct reader *reader, const char *rest, const char *inode)
{
    size_t length;

    while (*rest == ' ')
        rest++;
    length = strlen(rest);
    if (length >= NAME_BYTES)
        length = NAME_BYTES - 1;
    memcpy(reader->name, rest, length);
    reader->name[length] = '\0';
    reader->entry.name = reader->name;
    reader->entry.is_file = inode[0] != '0' || reader->name[0] == '/' ||
                            strncmp(reader->name, "[v", 2) == 0; /* vdso, vvar, vsyscall */
}

/* "start-end rwxp offset device inode   name". */
static bool read_header(struct reader *reader, const char *line)
{
    struct ls_map_entry entry = {0};
    const char *fields[4]; /* permissions, offset, device, inode */
    uint64_t start;
    uint64_t end;

    if (!hex_number(&line, &start) || *line++ != '-' || !hex_number(&line, &end) || *line != ' ')
        return false;
    for (size_t i = 0; i < LS_ARRAY_LENGTH(fields); i++) {
        fields[i] = ++line;
        line += strcspn(line, " ");
        if (*line == '\0' && i < 3)
            return false;
    }
    entry.start = start;
    entry.end = end;
    entry.is_reserved = strncmp(fields[0], "---", 3) == 0;
    tell(reader);
    reader->entry = entry;
    reader->has_entry = true;
    read_name(reader, line, fields[3]);
    return true;
}

static void read_line(struct reader *reader, const char *line)
{
    static const char resident[] = "Rss:";
    uint64_t kilobytes = 0;

    if (strncmp(line, resident, sizeof(resident) - 1) == 0) {
        for (line += sizeof(resident) - 1; *line == ' '; line++)
            continue;
        for (; *line >= '0' && *line <= '9'; line++)
            kilobytes = kilobytes * 10 + (uint64_t)(*line - '0');
        reader->entry.resident_bytes = kilobytes * 1024;
    } else if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
        read_header(reader, line);
    }
}

/* Hands on the whole lines and keeps the rest. A line longer than the buffer is cut. */
static void read_lines(struct reader *reader)
{
    char *line = reader->buffer;
    char *end = reader->buffer + reader->used;
    char *newline;

    while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        *newline = '\0';
        read_line(reader, line);
        line = newline + 1;
    }
    if (line == reader->buffer && reader->used == BUFFER_BYTES - 1)
        line = end;
    reader->used = (size_t)(end - line);
    memmove(reader->buffer, line, reader->used);
}

int ls_maps_read(bool with_resident, ls_maps_visit *visit, void *context)
{
    struct reader reader = {.visit = visit, .context = context};
    long fd = ls_sys_openat(AT_FDCWD, with_resident ? "/proc/self/smaps" : "/proc/self/maps",
                            O_RDONLY | O_CLOEXEC, 0);
    long length;

    if (fd < 0)
        return (int)fd;
    while ((length = ls_sys_read((int)fd, reader.buffer + reader.used,
                                 BUFFER_BYTES - 1 - reader.used)) > 0 ||
           length == -EINTR) {
        if (length > 0) {
            reader.used += (size_t)length;
            read_lines(&reader);
        }
    }
    tell(&reader);
    ls_sys_close((int)fd);
    return length < 0 ? (int)length : 0;
}
