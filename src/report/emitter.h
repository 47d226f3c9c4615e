/*
 * Text and JSON onto a sink through a fixed buffer. The writer that made the emitter owns it,
 * usually on its stack; it allocates nothing and does no I/O but through the sink.
 *
 * The first error of the sink is kept: everything after it is dropped, and ls_emitter_finish
 * returns it. So writers need no check after each call.
 *
 * JSON: the emitter puts the commas. A value inside an object takes a key, inside an array NULL.
 * Strings come out as valid JSON whatever their bytes: quotes, backslashes and control characters
 * are escaped and ill-formed UTF-8 becomes U+FFFD (RFC 8259 sections 7 and 8.1). NaN and
 * infinities have no form in JSON and become null.
 */
#ifndef LS_REPORT_EMITTER_H
#define LS_REPORT_EMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/writers.h"

#define LS_EMITTER_BUFFER_BYTES 4096
/* Bytes of a string that a bounded field keeps; longer ones end in an ellipsis. */
#define LS_EMITTER_SHORT_BYTES 160

struct ls_emitter {
    const struct ls_sink *sink;
    int error;
    bool need_comma; /* a value already stands at this level */
    size_t used;
    char buffer[LS_EMITTER_BUFFER_BYTES];
};

void ls_emitter_init(struct ls_emitter *emitter, const struct ls_sink *sink);
/* Hands what is buffered to the sink. 0 or the first error. */
int ls_emitter_finish(struct ls_emitter *emitter);

void ls_emitter_bytes(struct ls_emitter *emitter, const char *bytes, size_t length);
void ls_emitter_string(struct ls_emitter *emitter, const char *string);
void ls_emitter_char(struct ls_emitter *emitter, char character);
void ls_emitter_unsigned(struct ls_emitter *emitter, uint64_t value);
/* At most `decimals` digits after the point, without trailing zeros. Finite values only. */
void ls_emitter_decimal(struct ls_emitter *emitter, double value, unsigned decimals);

void ls_emitter_object_begin(struct ls_emitter *emitter, const char *key);
void ls_emitter_object_end(struct ls_emitter *emitter);
void ls_emitter_array_begin(struct ls_emitter *emitter, const char *key);
void ls_emitter_array_end(struct ls_emitter *emitter);

void ls_emitter_json_string(struct ls_emitter *emitter, const char *key, const char *value);
/* The same, cut to LS_EMITTER_SHORT_BYTES. */
void ls_emitter_json_short_string(struct ls_emitter *emitter, const char *key, const char *value);
/* null when the string is empty. */
void ls_emitter_json_optional_string(struct ls_emitter *emitter, const char *key,
                                     const char *value);
void ls_emitter_json_unsigned(struct ls_emitter *emitter, const char *key, uint64_t value);
void ls_emitter_json_number(struct ls_emitter *emitter, const char *key, double value,
                            unsigned decimals);
/* null when the value is negative, the snapshot's sign for "not known". */
void ls_emitter_json_known_number(struct ls_emitter *emitter, const char *key, double value,
                                  unsigned decimals);
void ls_emitter_json_bool(struct ls_emitter *emitter, const char *key, bool value);
void ls_emitter_json_null(struct ls_emitter *emitter, const char *key);
/* A string of 16 hexadecimal digits: JSON readers keep only 53 bits of a number. */
void ls_emitter_json_id(struct ls_emitter *emitter, const char *key, uint64_t value);
/* A string "0x…". */
void ls_emitter_json_address(struct ls_emitter *emitter, const char *key, uint64_t value);
/* A string in RFC 3339 form, UTC, with milliseconds. */
void ls_emitter_json_time(struct ls_emitter *emitter, const char *key, double seconds);

/* The length of the longest start of `string` that is at most `limit` bytes and does not cut a
 * character in two. */
size_t ls_emitter_prefix(const char *string, size_t limit);

#endif
