/*
 * Objects of a V8 heap, made by hand for tests, laid out as Node 22 has them; and V8's constants
 * for debuggers, exported as V8 does, so that the code under test finds them by their names.
 */
#ifndef V8_IMAGE_H
#define V8_IMAGE_H

#include <stddef.h>
#include <stdint.h>

enum {
    TYPE_SEQUENTIAL_ONE = 40,
    TYPE_SEQUENTIAL_TWO = 32,
    TYPE_CONS_ONE = 41,
    TYPE_EXTERNAL_ONE = 42,
    TYPE_SLICED_ONE = 43,
    TYPE_THIN_ONE = 45,
    TYPE_SCRIPT = 167,
    TYPE_BYTECODE = 205,
    TYPE_SCOPE = 272,
    TYPE_SHARED = 274,
    TYPE_FUNCTION = 2066,
};

#define IMAGE_WORDS 4096

struct v8_image {
    size_t used;
    uintptr_t words[IMAGE_WORDS];
};

uintptr_t v8_small(int32_t value);
/* Tagged pointers. */
uintptr_t v8_object(struct v8_image *image, uint16_t type, size_t words);
uintptr_t v8_one_byte(struct v8_image *image, const char *text);
uintptr_t v8_two_byte(struct v8_image *image, const uint16_t *units, size_t count);
uintptr_t v8_pair(struct v8_image *image, uint16_t type, uint32_t length, uintptr_t first,
                  uintptr_t second);
uintptr_t *v8_words(uintptr_t object);

struct v8_function {
    uintptr_t name;     /* 0: none */
    uintptr_t inferred; /* 0: none */
    uintptr_t script;
    int32_t position;
    int32_t locals;
};

uintptr_t v8_script(struct v8_image *image, int32_t id, uintptr_t name, uintptr_t source);
/* A closure. */
uintptr_t v8_closure(struct v8_image *image, const struct v8_function *function);

#endif
