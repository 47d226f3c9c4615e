/*
 * Reading text that claims to be UTF-8: names come from symbol tables, scripts and command lines,
 * and any of them may be damaged or hostile. Pure functions, safe anywhere.
 */
#ifndef LS_REPORT_UTF8_H
#define LS_REPORT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LS_UTF8_REPLACEMENT UINT32_C(0xfffd)
#define LS_UTF8_ELLIPSIS    "\xe2\x80\xa6"

/*
 * Decodes one character from at most `length` bytes (length > 0). Returns the bytes it takes, at
 * least 1; an ill-formed sequence is LS_UTF8_REPLACEMENT and takes 1.
 */
size_t ls_utf8_decode(const char *bytes, size_t length, uint32_t *character);
/* Encodes into `bytes` (room for 4); returns how many. `character` must be a Unicode scalar. */
size_t ls_utf8_encode(uint32_t character, char *bytes);
/* True for what must not reach a terminal: C0 and C1 controls, bidirectional overrides, line and
 * paragraph separators (https://trojansource.codes). */
bool ls_utf8_is_control(uint32_t character);

#endif
