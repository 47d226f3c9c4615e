/*
 * Thresholds as people write them. Pure functions; false, and nothing stored, for anything that is
 * not wholly understood.
 */
#ifndef LS_CLI_QUANTITY_H
#define LS_CLI_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>

/* "512", "64K", "1.5MiB": powers of 1024, as in the library's options; "kB", "MB" and "GB" are
 * decimal, as growth is in the reports. Blanks are not allowed. */
bool ls_quantity_size(const char *text, double *bytes);
/* A size for each "/s", "/min" or "/h": bytes a second. */
bool ls_quantity_rate(const char *text, double *bytes_per_s);
/* "50%" or "0.5" as 0.5. */
bool ls_quantity_share(const char *text, double *share);
/* The index of a word in a list of them. */
bool ls_quantity_word(const char *text, const char *const *words, size_t count, size_t *index);
/* Words joined by commas or plus signs, as a set of bits in the order of `words`. */
bool ls_quantity_set(const char *text, const char *const *words, size_t count, unsigned *set);

#endif
