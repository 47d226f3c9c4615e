/*
 * The values of options: how each kind of value is read, written back and described.
 *
 * Promise: pure functions, nothing allocated, errno and locale untouched; a value that is not
 * understood leaves its place as it was. Private to src/runtime; options.h tells the syntax.
 * Callers: any thread. Ownership: a slice points into the caller's text. Fork: nothing to do.
 */
#ifndef LS_RUNTIME_OPTION_VALUE_H
#define LS_RUNTIME_OPTION_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "runtime/options.h"

struct ls_slice {
    const char *start; /* NULL: no text at all, as opposed to an empty one */
    size_t length;
};

struct ls_slice ls_slice_of(const char *string);
/* Without the blanks at both ends. */
struct ls_slice ls_slice_trim(struct ls_slice slice);
bool ls_slice_is(struct ls_slice slice, const char *string);
/*
 * Cuts off what stands before the first separator that no backslash makes ordinary, trimmed. False
 * when nothing is left; an empty piece is a piece.
 */
bool ls_slice_take(struct ls_slice *rest, char separator, struct ls_slice *piece);

enum ls_option_kind {
    LS_OPTION_CHOICE,
    LS_OPTION_SWITCH,
    LS_OPTION_COUNT,
    LS_OPTION_SIZE,
    LS_OPTION_DURATION,
    LS_OPTION_RESOURCES,
    LS_OPTION_PATH,
    LS_OPTION_NAMES,
};

/*
 * Everything the parser, the complaints, the manual and the command line know about a key. Bounds
 * and defaults are text and go through the same code as what the user writes, so that none of them
 * can say something the parser does not do.
 */
struct ls_option_key {
    const char *name;
    enum ls_option_kind kind;
    size_t offset; /* of its member in struct ls_options */
    const char *lowest;
    const char *highest;
    const char *default_text;
    const char *meaning;
    const char *choices[4]; /* in the order of the enumeration, NULL behind the last */
};

/* False, and nothing changed, when the value is not one the key allows. */
bool ls_option_value_set(struct ls_options *options, const struct ls_option_key *key,
                         struct ls_slice value);
/* Appends the value in a form ls_option_value_set reads back. */
void ls_option_value_write(struct ls_text *text, const struct ls_options *options,
                           const struct ls_option_key *key);
/* Appends what is allowed, to read on after "expected". */
void ls_option_value_write_allowed(struct ls_text *text, const struct ls_option_key *key);

#endif
