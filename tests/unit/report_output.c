#include "report_output.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int collect(void *context, const char *bytes, size_t length)
{
    struct fixture_output *output = context;

    output->calls++;
    if (output->error != 0)
        output->calls_after_error++;
    if (output->limit > 0 && output->length + length > output->limit) {
        output->error = -ENOSPC;
        return output->error;
    }
    output->bytes = realloc(output->bytes, output->length + length + 1);
    assert_non_null(output->bytes);
    memcpy(output->bytes + output->length, bytes, length);
    output->length += length;
    output->bytes[output->length] = '\0';
    return 0;
}

int fixture_write(fixture_writer *writer, const struct ls_snapshot *snapshot,
                  struct fixture_output *output)
{
    struct ls_sink sink = {collect, output};

    return writer(snapshot, &sink);
}

void fixture_output_free(struct fixture_output *output)
{
    free(output->bytes);
    *output = (struct fixture_output){0};
}

static char *read_whole(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *bytes = calloc(1, 1 << 20);

    assert_non_null(bytes);
    *length = 0;
    if (file != NULL) {
        *length = fread(bytes, 1, (1 << 20) - 1, file);
        fclose(file);
    }
    return bytes;
}

void fixture_assert_golden(const char *name, const struct fixture_output *output)
{
    const char *update = getenv("LS_UPDATE_GOLDEN");
    char path[4096];
    char *expected;
    size_t length;

    snprintf(path, sizeof(path), "%s/%s", LS_GOLDEN_DIRECTORY, name);
    if (update != NULL && strcmp(update, "1") == 0) {
        FILE *file = fopen(path, "wb");

        assert_non_null(file);
        assert_int_equal(fwrite(output->bytes, 1, output->length, file), output->length);
        assert_int_equal(fclose(file), 0);
    }
    expected = read_whole(path, &length);
    if (length != output->length || memcmp(expected, output->bytes, length) != 0) {
        size_t same = 0;

        while (same < length && same < output->length && expected[same] == output->bytes[same])
            same++;
        free(expected);
        fail_msg("%s differs from byte %zu on; now it reads:\n%.300s", path, same,
                 output->bytes + same);
    }
    free(expected);
}

struct reader {
    const char *bytes;
    size_t length;
    size_t at;
    unsigned depth;
};

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->length && strchr(" \t\r\n", reader->bytes[reader->at]) != NULL &&
           reader->bytes[reader->at] != '\0')
        reader->at++;
}

static bool take(struct reader *reader, char character)
{
    if (reader->at < reader->length && reader->bytes[reader->at] == character) {
        reader->at++;
        return true;
    }
    return false;
}

static bool take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    if (reader->length - reader->at < length ||
        memcmp(reader->bytes + reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

/* Well-formed sequences of Unicode 15 table 3-7. */
static bool take_utf8(struct reader *reader)
{
    const unsigned char *b = (const unsigned char *)reader->bytes + reader->at;
    size_t left = reader->length - reader->at;
    size_t length = b[0] < 0x80 ? 1 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;

    if ((b[0] >= 0x80 && b[0] < 0xc2) || b[0] > 0xf4 || length > left)
        return false;
    for (size_t i = 1; i < length; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return false;
    }
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
        (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
        return false;
    reader->at += length;
    return true;
}

static bool take_string(struct reader *reader)
{
    if (!take(reader, '"'))
        return false;
    while (reader->at < reader->length) {
        unsigned char byte = (unsigned char)reader->bytes[reader->at];

        if (byte == '"') {
            reader->at++;
            return true;
        }
        if (byte < 0x20)
            return false;
        if (byte != '\\') {
            if (!take_utf8(reader))
                return false;
            continue;
        }
        reader->at++;
        if (take(reader, 'u')) {
            for (int i = 0; i < 4; i++) {
                if (reader->at >= reader->length ||
                    strchr("0123456789abcdefABCDEF", reader->bytes[reader->at]) == NULL)
                    return false;
                reader->at++;
            }
        } else if (reader->at < reader->length &&
                   strchr("\"\\/bfnrt", reader->bytes[reader->at]) != NULL) {
            reader->at++;
        } else {
            return false;
        }
    }
    return false;
}

static size_t take_digits(struct reader *reader)
{
    size_t start = reader->at;

    while (reader->at < reader->length && reader->bytes[reader->at] >= '0' &&
           reader->bytes[reader->at] <= '9')
        reader->at++;
    return reader->at - start;
}

static bool take_number(struct reader *reader)
{
    size_t start;
    size_t digits;

    take(reader, '-');
    start = reader->at;
    digits = take_digits(reader);
    if (digits == 0 || (digits > 1 && reader->bytes[start] == '0'))
        return false;
    return !take(reader, '.') || take_digits(reader) > 0;
}

static bool take_value(struct reader *reader);

static bool take_members(struct reader *reader, char end, bool keys)
{
    reader->at++;
    skip_space(reader);
    if (take(reader, end))
        return true;
    do {
        skip_space(reader);
        if (keys) {
            if (!take_string(reader))
                return false;
            skip_space(reader);
            if (!take(reader, ':'))
                return false;
        }
        if (!take_value(reader))
            return false;
    } while (take(reader, ','));
    return take(reader, end);
}

static bool take_value(struct reader *reader)
{
    bool ok;

    if (++reader->depth > 64)
        return false;
    skip_space(reader);
    if (reader->at >= reader->length)
        return false;
    switch (reader->bytes[reader->at]) {
    case '{':
        ok = take_members(reader, '}', true);
        break;
    case '[':
        ok = take_members(reader, ']', false);
        break;
    case '"':
        ok = take_string(reader);
        break;
    case 't':
        ok = take_word(reader, "true");
        break;
    case 'f':
        ok = take_word(reader, "false");
        break;
    case 'n':
        ok = take_word(reader, "null");
        break;
    default:
        ok = take_number(reader);
        break;
    }
    skip_space(reader);
    reader->depth--;
    return ok;
}

bool fixture_is_json(const char *text, size_t length)
{
    struct reader reader = {.bytes = text, .length = length};

    return take_value(&reader) && reader.at == length;
}
