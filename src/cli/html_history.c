#include "cli/html_history.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POINTS_MAX 800
/* Twice what the library lets a file grow to. */
#define BYTES_MAX (2U << 20)

struct curve {
    size_t count;
    struct ls_html_point points[POINTS_MAX];
};

/* Half as many points, each the higher of two neighbours. */
static void thin_out(struct curve *curve)
{
    size_t kept = 0;

    for (size_t i = 0; i + 1 < curve->count; i += 2) {
        bool second = curve->points[i + 1].bytes >= curve->points[i].bytes;

        curve->points[kept++] = curve->points[second ? i + 1 : i];
    }
    curve->count = kept;
}

static void add_line(struct curve *curve, const char *line, size_t length)
{
    json_t *object = json_loadb(line, length, JSON_DECODE_INT_AS_REAL, NULL);
    const json_t *time_s = json_object_get(object, "uptime_s");
    const json_t *bytes = json_object_get(object, "rss_bytes");

    if (json_is_number(time_s) && json_is_number(bytes)) {
        if (curve->count == POINTS_MAX)
            thin_out(curve);
        curve->points[curve->count].time_s = json_number_value(time_s);
        curve->points[curve->count++].bytes = json_number_value(bytes);
    }
    json_decref(object);
}

static void add_file(struct curve *curve, const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat facts;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    FILE *file;
    int descriptor;

    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        return;
    /* O_NONBLOCK: a pipe in the place of a file must not be waited for. */
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return;
    file = fdopen(descriptor, "r");
    if (file == NULL || fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode) ||
        facts.st_size > BYTES_MAX) {
        if (file == NULL)
            close(descriptor);
        else
            fclose(file);
        return;
    }
    while ((length = getline(&line, &room, file)) > 0)
        add_line(curve, line, (size_t)length);
    free(line);
    fclose(file);
}

size_t ls_html_history(const char *directory, struct ls_html_point **points)
{
    struct curve curve = {.count = 0};

    add_file(&curve, directory, "history.1.jsonl");
    add_file(&curve, directory, "history.jsonl");
    *points = calloc(curve.count + 1, sizeof(**points));
    if (*points == NULL)
        return 0;
    memcpy(*points, curve.points, curve.count * sizeof(**points));
    return curve.count;
}
