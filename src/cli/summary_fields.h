/*
 * Fields of a JSON object by name and kind. The first one that is absent or of the wrong kind is
 * kept as the error, and everything read after it is 0 or "": readers need no check after each.
 */
#ifndef LS_CLI_SUMMARY_FIELDS_H
#define LS_CLI_SUMMARY_FIELDS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct ls_fields {
    int error; /* 0 or -errno */
    char *reason;
    size_t reason_size;
};

void ls_fields_fail(struct ls_fields *fields, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Zeroed and to be freed; NULL when `count` is 0 or there is no memory, which is an error. */
void *ls_fields_allocate(struct ls_fields *fields, size_t count, size_t size);

const json_t *ls_field_object(struct ls_fields *fields, const json_t *object, const char *key);
const json_t *ls_field_array(struct ls_fields *fields, const json_t *object, const char *key);
/* NULL, which has no items, when it is absent. */
const json_t *ls_field_optional_array(struct ls_fields *fields, const json_t *object,
                                      const char *key);
/* An object in an array; `key` names the array. */
const json_t *ls_field_item(struct ls_fields *fields, const json_t *array, size_t index,
                            const char *key);
const char *ls_field_string(struct ls_fields *fields, const json_t *object, const char *key);
/* null is "". */
const char *ls_field_optional_string(struct ls_fields *fields, const json_t *object,
                                     const char *key);
double ls_field_number(struct ls_fields *fields, const json_t *object, const char *key);
/* null is `unknown`. */
double ls_field_known(struct ls_fields *fields, const json_t *object, const char *key,
                      double unknown);
/* The same where it is absent: summaries of older versions have not every field. */
double ls_field_newer(struct ls_fields *fields, const json_t *object, const char *key,
                      double unknown);
/* Whole and within int; an id or a line that is not is an error. null is 0. */
int ls_field_integer(struct ls_fields *fields, const json_t *object, const char *key);
uint64_t ls_field_count(struct ls_fields *fields, const json_t *object, const char *key);
/* "0x12" or "12"; null is 0. */
uint64_t ls_field_hexadecimal(struct ls_fields *fields, const json_t *object, const char *key);
/* RFC 3339, UTC, as seconds since 1970. */
double ls_field_time(struct ls_fields *fields, const json_t *object, const char *key);
/* The index of a word in a list of them. */
size_t ls_field_choice(struct ls_fields *fields, const json_t *object, const char *key,
                       const char *const *words, size_t count);

#endif
