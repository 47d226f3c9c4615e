#include "report/line.h"

#include <string.h>

#include "report/utf8.h"

void ls_line_init(struct ls_line *line)
{
    ls_text_init(&line->text, line->bytes, sizeof(line->bytes));
}

static size_t count_columns(const char *bytes, size_t length)
{
    size_t columns = 0;
    uint32_t character;

    for (size_t i = 0; i < length; columns++)
        i += ls_utf8_decode(bytes + i, length - i, &character);
    return columns;
}

size_t ls_line_columns(const char *name)
{
    return count_columns(name, strlen(name));
}

size_t ls_line_width(const struct ls_line *line)
{
    return count_columns(line->bytes, line->text.length);
}

void ls_line_pad_to(struct ls_line *line, size_t column)
{
    size_t width = ls_line_width(line);

    if (width >= column && width > 0)
        ls_text_char(&line->text, ' ');
    for (; width < column && !line->text.truncated; width++)
        ls_text_char(&line->text, ' ');
}

void ls_line_align_right(struct ls_line *line, size_t start, size_t column)
{
    size_t width = ls_line_width(line);
    size_t move = column > width ? column - width : 0;
    size_t from = 0;
    uint32_t character;

    for (size_t i = 0; i < start && from < line->text.length; i++)
        from += ls_utf8_decode(line->bytes + from, line->text.length - from, &character);
    if (move == 0 || line->text.length + move >= line->text.capacity)
        return;
    memmove(line->bytes + from + move, line->bytes + from, line->text.length - from + 1);
    memset(line->bytes + from, ' ', move);
    line->text.length += move;
}

/* Room is kept for an ellipsis and the terminator, so that no character is ever cut in two. */
static bool add_character(struct ls_line *line, uint32_t character)
{
    char encoded[4];
    size_t length =
        ls_utf8_encode(ls_utf8_is_control(character) ? LS_UTF8_REPLACEMENT : character, encoded);

    if (line->text.length + length + sizeof(LS_UTF8_ELLIPSIS) > line->text.capacity)
        return false;
    ls_text_bytes(&line->text, encoded, length);
    return true;
}

void ls_line_name(struct ls_line *line, const char *name, size_t columns)
{
    size_t length = strlen(name);
    size_t total = count_columns(name, length);
    size_t kept = total <= columns ? total : columns - 1;
    size_t i = 0;

    if (columns == 0)
        return;
    for (size_t column = 0; column < kept; column++) {
        uint32_t character;

        i += ls_utf8_decode(name + i, length - i, &character);
        if (!add_character(line, character)) {
            kept = 0;
            break;
        }
    }
    if (kept < total)
        ls_text_string(&line->text, LS_UTF8_ELLIPSIS);
}

void ls_line_path(struct ls_line *line, const char *path, size_t columns)
{
    size_t length = strlen(path);
    size_t total = count_columns(path, length);
    size_t skip = 0;
    uint32_t character;

    if (total <= columns || columns < 2) {
        ls_line_name(line, path, columns);
        return;
    }
    for (size_t column = 0; column < total - (columns - 1); column++)
        skip += ls_utf8_decode(path + skip, length - skip, &character);
    for (size_t i = skip; i < length && i - skip < columns / 3; i++) {
        if (path[i] == '/') {
            skip = i;
            break;
        }
    }
    ls_text_string(&line->text, LS_UTF8_ELLIPSIS);
    ls_line_name(line, path + skip, columns - 1);
}

void ls_line_end(struct ls_line *line, struct ls_emitter *emitter)
{
    size_t length = line->text.length;

    while (length > 0 && line->bytes[length - 1] == ' ')
        length--;
    ls_emitter_bytes(emitter, line->bytes, length);
    ls_emitter_char(emitter, '\n');
    ls_text_clear(&line->text);
}
