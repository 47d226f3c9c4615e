#include "report/emitter.h"

#include <string.h>

#include "base/text.h"
#include "report/calendar.h"
#include "report/utf8.h"

void ls_emitter_init(struct ls_emitter *emitter, const struct ls_sink *sink)
{
    emitter->sink = sink;
    emitter->error = 0;
    emitter->need_comma = false;
    emitter->used = 0;
}

static void flush(struct ls_emitter *emitter)
{
    if (emitter->error == 0 && emitter->used > 0)
        emitter->error =
            emitter->sink->write(emitter->sink->context, emitter->buffer, emitter->used);
    emitter->used = 0;
}

int ls_emitter_finish(struct ls_emitter *emitter)
{
    flush(emitter);
    return emitter->error;
}

void ls_emitter_bytes(struct ls_emitter *emitter, const char *bytes, size_t length)
{
    while (length > 0 && emitter->error == 0) {
        size_t room = sizeof(emitter->buffer) - emitter->used;
        size_t part = length < room ? length : room;

        memcpy(emitter->buffer + emitter->used, bytes, part);
        emitter->used += part;
        bytes += part;
        length -= part;
        if (emitter->used == sizeof(emitter->buffer))
            flush(emitter);
    }
}

void ls_emitter_string(struct ls_emitter *emitter, const char *string)
{
    ls_emitter_bytes(emitter, string, strlen(string));
}

void ls_emitter_char(struct ls_emitter *emitter, char character)
{
    ls_emitter_bytes(emitter, &character, 1);
}

void ls_emitter_unsigned(struct ls_emitter *emitter, uint64_t value)
{
    char digits[24];
    struct ls_text text;

    ls_text_init(&text, digits, sizeof(digits));
    ls_text_unsigned(&text, value);
    ls_emitter_bytes(emitter, text.bytes, text.length);
}

void ls_emitter_decimal(struct ls_emitter *emitter, double value, unsigned decimals)
{
    char digits[40];
    struct ls_text text;
    size_t length;

    ls_text_init(&text, digits, sizeof(digits));
    ls_text_fixed(&text, value, decimals);
    length = text.length;
    if (decimals > 0) {
        while (digits[length - 1] == '0')
            length--;
        if (digits[length - 1] == '.')
            length--;
    }
    ls_emitter_bytes(emitter, digits, length);
}

/* Bytes at the start of the string that stand for themselves in JSON. */
static size_t plain_length(const char *string, size_t length)
{
    size_t plain = 0;

    while (plain < length && string[plain] >= 0x20 && string[plain] < 0x7f &&
           string[plain] != '"' && string[plain] != '\\')
        plain++;
    return plain;
}

static void escape(struct ls_emitter *emitter, const char *string, size_t length)
{
    ls_emitter_char(emitter, '"');
    for (size_t i = 0; i < length;) {
        uint32_t character;
        size_t plain = plain_length(string + i, length - i);
        size_t taken;

        /* Nearly all there is: to take it byte by byte is most of what a summary costs. */
        ls_emitter_bytes(emitter, string + i, plain);
        i += plain;
        if (i == length)
            break;
        taken = ls_utf8_decode(string + i, length - i, &character);
        if (character == '"' || character == '\\') {
            ls_emitter_char(emitter, '\\');
            ls_emitter_char(emitter, (char)character);
        } else if (character == '\n') {
            ls_emitter_string(emitter, "\\n");
        } else if (character == '\t') {
            ls_emitter_string(emitter, "\\t");
        } else if (character < 0x20 || character == 0x7f) {
            char code[8];
            struct ls_text text;

            ls_text_init(&text, code, sizeof(code));
            ls_text_string(&text, "\\u");
            ls_text_hex(&text, character, 4);
            ls_emitter_bytes(emitter, text.bytes, text.length);
        } else {
            char encoded[4];

            ls_emitter_bytes(emitter, encoded, ls_utf8_encode(character, encoded));
        }
        i += taken;
    }
    ls_emitter_char(emitter, '"');
}

static void begin_value(struct ls_emitter *emitter, const char *key)
{
    if (emitter->need_comma)
        ls_emitter_char(emitter, ',');
    emitter->need_comma = true;
    if (key != NULL) {
        escape(emitter, key, strlen(key));
        ls_emitter_char(emitter, ':');
    }
}

void ls_emitter_object_begin(struct ls_emitter *emitter, const char *key)
{
    begin_value(emitter, key);
    ls_emitter_char(emitter, '{');
    emitter->need_comma = false;
}

void ls_emitter_object_end(struct ls_emitter *emitter)
{
    ls_emitter_char(emitter, '}');
    emitter->need_comma = true;
}

void ls_emitter_array_begin(struct ls_emitter *emitter, const char *key)
{
    begin_value(emitter, key);
    ls_emitter_char(emitter, '[');
    emitter->need_comma = false;
}

void ls_emitter_array_end(struct ls_emitter *emitter)
{
    ls_emitter_char(emitter, ']');
    emitter->need_comma = true;
}

void ls_emitter_json_string(struct ls_emitter *emitter, const char *key, const char *value)
{
    begin_value(emitter, key);
    escape(emitter, value, strlen(value));
}

void ls_emitter_json_short_string(struct ls_emitter *emitter, const char *key, const char *value)
{
    char cut[LS_EMITTER_SHORT_BYTES + sizeof(LS_UTF8_ELLIPSIS)];
    size_t length = ls_emitter_prefix(value, LS_EMITTER_SHORT_BYTES);

    memcpy(cut, value, length);
    cut[length] = '\0';
    if (value[length] != '\0')
        memcpy(cut + length, LS_UTF8_ELLIPSIS, sizeof(LS_UTF8_ELLIPSIS));
    ls_emitter_json_string(emitter, key, cut);
}

void ls_emitter_json_optional_string(struct ls_emitter *emitter, const char *key, const char *value)
{
    if (value[0] == '\0')
        ls_emitter_json_null(emitter, key);
    else
        ls_emitter_json_string(emitter, key, value);
}

void ls_emitter_json_unsigned(struct ls_emitter *emitter, const char *key, uint64_t value)
{
    begin_value(emitter, key);
    ls_emitter_unsigned(emitter, value);
}

void ls_emitter_json_number(struct ls_emitter *emitter, const char *key, double value,
                            unsigned decimals)
{
    if (value - value != 0.0) {
        ls_emitter_json_null(emitter, key);
        return;
    }
    begin_value(emitter, key);
    ls_emitter_decimal(emitter, value, decimals);
}

void ls_emitter_json_known_number(struct ls_emitter *emitter, const char *key, double value,
                                  unsigned decimals)
{
    if (value < 0)
        ls_emitter_json_null(emitter, key);
    else
        ls_emitter_json_number(emitter, key, value, decimals);
}

void ls_emitter_json_bool(struct ls_emitter *emitter, const char *key, bool value)
{
    begin_value(emitter, key);
    ls_emitter_string(emitter, value ? "true" : "false");
}

void ls_emitter_json_null(struct ls_emitter *emitter, const char *key)
{
    begin_value(emitter, key);
    ls_emitter_string(emitter, "null");
}

static void quoted_hex(struct ls_emitter *emitter, const char *prefix, uint64_t value,
                       unsigned digits)
{
    char buffer[24];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_text_char(&text, '"');
    ls_text_string(&text, prefix);
    ls_text_hex(&text, value, digits);
    ls_text_char(&text, '"');
    ls_emitter_bytes(emitter, text.bytes, text.length);
}

void ls_emitter_json_id(struct ls_emitter *emitter, const char *key, uint64_t value)
{
    begin_value(emitter, key);
    quoted_hex(emitter, "", value, 16);
}

void ls_emitter_json_address(struct ls_emitter *emitter, const char *key, uint64_t value)
{
    begin_value(emitter, key);
    quoted_hex(emitter, "0x", value, 1);
}

void ls_emitter_json_time(struct ls_emitter *emitter, const char *key, double seconds)
{
    char buffer[40];
    struct ls_text text;

    ls_text_init(&text, buffer, sizeof(buffer));
    ls_calendar_rfc3339(&text, seconds);
    ls_emitter_json_string(emitter, key, buffer);
}

size_t ls_emitter_prefix(const char *string, size_t limit)
{
    size_t length = strlen(string);
    size_t end = 0;

    if (length <= limit)
        return length;
    while (end < limit) {
        uint32_t character;
        size_t taken = ls_utf8_decode(string + end, length - end, &character);

        if (end + taken > limit)
            break;
        end += taken;
    }
    return end;
}
