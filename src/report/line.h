/*
 * One line of a report for people, built in columns. Names from outside are cleaned on the way in:
 * control characters (a terminal would obey them) and ill-formed UTF-8 become U+FFFD, so every
 * character counts one column. The buffer is fixed; what does not fit is cut and marked with an
 * ellipsis. Owned by one writer, on its stack.
 */
#ifndef LS_REPORT_LINE_H
#define LS_REPORT_LINE_H

#include <stddef.h>

#include "base/text.h"
#include "report/emitter.h"

#define LS_LINE_BYTES 2048

struct ls_line {
    struct ls_text text;
    char bytes[LS_LINE_BYTES];
};

void ls_line_init(struct ls_line *line);
/* Columns used so far. */
size_t ls_line_width(const struct ls_line *line);
/* Spaces up to a column; at least one when something stands there already. */
void ls_line_pad_to(struct ls_line *line, size_t column);
/* The right edge of what follows since `start` moves to `column`, when it has room. */
void ls_line_align_right(struct ls_line *line, size_t start, size_t column);
/* A name of at most `columns` columns, cut at its end. */
void ls_line_name(struct ls_line *line, const char *name, size_t columns);
/* A path of at most `columns` columns, cut at its start, after a slash when that loses little:
 * the end is what tells files apart. */
void ls_line_path(struct ls_line *line, const char *path, size_t columns);
/* Emits the line without trailing spaces, then a line feed, and clears it. */
void ls_line_end(struct ls_line *line, struct ls_emitter *emitter);

/* The columns ls_line_name and ls_line_path would take without a limit. */
size_t ls_line_columns(const char *name);

#endif
