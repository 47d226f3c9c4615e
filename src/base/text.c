#include "base/text.h"

#include <string.h>

void ls_text_init(struct ls_text *text, char *bytes, size_t capacity)
{
    text->bytes = bytes;
    text->capacity = capacity;
    ls_text_clear(text);
}

void ls_text_clear(struct ls_text *text)
{
    text->length = 0;
    text->truncated = false;
    text->bytes[0] = '\0';
}

void ls_text_bytes(struct ls_text *text, const char *bytes, size_t length)
{
    size_t room = text->capacity - 1 - text->length;

    if (length > room) {
        text->truncated = true;
        length = room;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void ls_text_char(struct ls_text *text, char character)
{
    ls_text_bytes(text, &character, 1);
}

void ls_text_string(struct ls_text *text, const char *string)
{
    ls_text_bytes(text, string, strlen(string));
}

static void add_digits(struct ls_text *text, uint64_t value, unsigned base, unsigned digits)
{
    char buffer[64];
    unsigned start = sizeof(buffer);

    do {
        buffer[--start] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (sizeof(buffer) - start < digits && start > 0)
        buffer[--start] = '0';
    ls_text_bytes(text, buffer + start, sizeof(buffer) - start);
}

void ls_text_unsigned(struct ls_text *text, uint64_t value)
{
    add_digits(text, value, 10, 1);
}

void ls_text_signed(struct ls_text *text, int64_t value)
{
    if (value < 0)
        ls_text_char(text, '-');
    add_digits(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, 1);
}

void ls_text_hex(struct ls_text *text, uint64_t value, unsigned digits)
{
    add_digits(text, value, 16, digits);
}

void ls_text_fixed(struct ls_text *text, double value, unsigned decimals)
{
    static const uint64_t powers[] = {1,      10,      100,      1000,      10000,
                                      100000, 1000000, 10000000, 100000000, 1000000000};
    const double largest = 9.2e18;
    uint64_t scale;
    uint64_t whole;
    uint64_t fraction;
    double magnitude;

    if (decimals > 9)
        decimals = 9;
    scale = powers[decimals];
    if (value != value || value - value != 0.0)
        value = 0.0;
    magnitude = value < 0 ? -value : value;
    if (magnitude > largest)
        magnitude = largest;
    whole = (uint64_t)magnitude;
    fraction = (uint64_t)((magnitude - (double)whole) * (double)scale + 0.5);
    if (fraction >= scale) {
        whole++;
        fraction -= scale;
    }
    if (value < 0 && (whole != 0 || fraction != 0))
        ls_text_char(text, '-');
    ls_text_unsigned(text, whole);
    if (decimals > 0) {
        ls_text_char(text, '.');
        add_digits(text, fraction, 10, decimals);
    }
}

void ls_text_pad_to(struct ls_text *text, size_t column)
{
    size_t line_start = text->length;

    while (line_start > 0 && text->bytes[line_start - 1] != '\n')
        line_start--;
    while (text->length - line_start < column && !text->truncated)
        ls_text_char(text, ' ');
}
