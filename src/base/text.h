/*
 * Text built in a buffer the caller owns: no allocation, no locale, no stdio, so that it may run
 * inside malloc, in a signal handler and in a forked child.
 *
 * A writer that runs out of room sets `truncated` and drops what does not fit; the buffer stays
 * terminated by a zero byte. Not thread-safe: one writer, one thread.
 */
#ifndef LS_BASE_TEXT_H
#define LS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ls_text {
    char *bytes;
    size_t length;   /* bytes written, without the terminator */
    size_t capacity; /* bytes in the buffer, with the terminator */
    bool truncated;
};

/* `capacity` must be at least 1. */
void ls_text_init(struct ls_text *text, char *bytes, size_t capacity);
void ls_text_clear(struct ls_text *text);

void ls_text_char(struct ls_text *text, char character);
void ls_text_string(struct ls_text *text, const char *string);
void ls_text_bytes(struct ls_text *text, const char *bytes, size_t length);
void ls_text_unsigned(struct ls_text *text, uint64_t value);
void ls_text_signed(struct ls_text *text, int64_t value);
/* Lower case, no prefix, at least `digits` digits. */
void ls_text_hex(struct ls_text *text, uint64_t value, unsigned digits);
/* Fixed-point with `decimals` digits (0 to 9) after the point, rounded half away from zero.
 * NaN and infinities are written as 0: JSON has no word for them. */
void ls_text_fixed(struct ls_text *text, double value, unsigned decimals);
/* Spaces until the current line is `column` wide; none if it is already wider. */
void ls_text_pad_to(struct ls_text *text, size_t column);

#endif
