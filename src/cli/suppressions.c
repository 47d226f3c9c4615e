#include "cli/suppressions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/terminal.h"

#define KIND           "leak:"
#define FILE_BYTES_MAX (1U << 20)

/* Where `piece` is in `name`; an empty piece is at its start. */
static const char *find_piece(const char *name, const char *piece, size_t length)
{
    for (;; name++) {
        if (strncmp(name, piece, length) == 0)
            return name;
        if (*name == '\0')
            return NULL;
    }
}

/*
 * The pieces between the stars are found one after the other, each as early as it can be; only the
 * last one, when it is tied to the end, is looked for there. So time is linear in both lengths but
 * for the search of a piece.
 */
bool ls_pattern_fits(const char *pattern, const char *name)
{
    bool tied = *pattern == '^';

    pattern += tied;
    for (;;) {
        size_t length = strcspn(pattern, "*$");
        bool last =
            pattern[length] == '\0' || (pattern[length] == '$' && pattern[length + 1] == '\0');
        const char *found;

        /* A dollar in the middle is an ordinary character. */
        while (!last && pattern[length] == '$') {
            length += 1 + strcspn(pattern + length + 1, "*$");
            last =
                pattern[length] == '\0' || (pattern[length] == '$' && pattern[length + 1] == '\0');
        }
        if (last && pattern[length] == '$') {
            size_t rest = strlen(name);

            if (rest < length || (tied && rest != length))
                return false;
            return strncmp(name + rest - length, pattern, length) == 0;
        }
        found = tied ? (strncmp(name, pattern, length) == 0 ? name : NULL)
                     : find_piece(name, pattern, length);
        if (found == NULL || last)
            return found != NULL;
        name = found + length;
        pattern += length + 1;
        tied = false;
    }
}

static bool add(struct ls_suppressions *suppressions, const char *pattern, size_t length)
{
    struct ls_suppression *items =
        reallocarray(suppressions->items, suppressions->count + 1, sizeof(*items));

    if (items == NULL)
        return false;
    suppressions->items = items;
    items[suppressions->count] = (struct ls_suppression){.pattern = strndup(pattern, length)};
    return items[suppressions->count++].pattern != NULL;
}

bool ls_suppressions_parse(const char *text, struct ls_suppressions *suppressions, size_t *line)
{
    for (*line = 1;; ++*line) {
        size_t whole = strcspn(text, "\n");
        const char *start = text + strspn(text, " \t\r");
        size_t length = start < text + whole ? (size_t)(text + whole - start) : 0;

        while (length > 0 && strchr(" \t\r", start[length - 1]) != NULL)
            length--;
        if (length > 0 && *start != '#' &&
            (length <= strlen(KIND) || strncmp(start, KIND, strlen(KIND)) != 0 ||
             !add(suppressions, start + strlen(KIND), length - strlen(KIND))))
            return false;
        if (text[whole] == '\0')
            return true;
        text += whole + 1;
    }
}

bool ls_suppressions_read(const char *path, struct ls_suppressions *suppressions)
{
    static char text[FILE_BYTES_MAX + 1];
    FILE *file = fopen(path, "re");
    size_t length;
    size_t line;
    bool failed;

    if (file == NULL) {
        ls_terminal_complain("%s cannot be read: %s", path, strerror(errno));
        return false;
    }
    length = fread(text, 1, sizeof(text), file);
    failed = ferror(file) != 0;
    fclose(file);
    if (failed || length > FILE_BYTES_MAX || memchr(text, '\0', length) != NULL) {
        ls_terminal_complain("%s is no list of suppressions", path);
        return false;
    }
    text[length] = '\0';
    if (!ls_suppressions_parse(text, suppressions, &line)) {
        ls_terminal_complain("%s:%zu: expected leak:PATTERN or a comment", path, line);
        return false;
    }
    return true;
}

void ls_suppressions_free(struct ls_suppressions *suppressions)
{
    for (size_t i = 0; i < suppressions->count; i++)
        free(suppressions->items[i].pattern);
    free(suppressions->items);
    *suppressions = (struct ls_suppressions){0};
}

static bool fits_site(const char *pattern, const struct ls_snapshot_site *site)
{
    if (ls_pattern_fits(pattern, site->function) || ls_pattern_fits(pattern, site->location))
        return true;
    for (size_t i = 0; i < site->frame_count; i++) {
        const struct ls_snapshot_frame *frame = &site->frames[i];

        if ((*frame->function != '\0' && ls_pattern_fits(pattern, frame->function)) ||
            (*frame->file != '\0' && ls_pattern_fits(pattern, frame->file)) ||
            (*frame->module != '\0' && ls_pattern_fits(pattern, frame->module)))
            return true;
    }
    return false;
}

struct ls_suppression *ls_suppressions_find(struct ls_suppressions *suppressions,
                                            const struct ls_snapshot_site *site)
{
    for (size_t i = 0; i < suppressions->count; i++) {
        if (fits_site(suppressions->items[i].pattern, site)) {
            suppressions->items[i].used++;
            return &suppressions->items[i];
        }
    }
    return NULL;
}
