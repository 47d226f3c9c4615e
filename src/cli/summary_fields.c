#include "cli/summary_fields.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void ls_fields_fail(struct ls_fields *fields, const char *format, ...)
{
    va_list arguments;

    if (fields->error != 0)
        return;
    fields->error = -EINVAL;
    va_start(arguments, format);
    /* clang-tidy 14 loses va_start when it is given several files. NOLINTNEXTLINE */
    vsnprintf(fields->reason, fields->reason_size, format, arguments);
    va_end(arguments);
}

void *ls_fields_allocate(struct ls_fields *fields, size_t count, size_t size)
{
    void *memory = count > 0 && fields->error == 0 ? calloc(count, size) : NULL;

    if (memory == NULL && count > 0)
        ls_fields_fail(fields, "does not fit into memory");
    return memory;
}

/* The value of a field that has to be there; NULL, and an error, when it is not. */
static const json_t *value_of(struct ls_fields *fields, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (value == NULL)
        ls_fields_fail(fields, "has no field %s", key);
    return value;
}

static void wrong_kind(struct ls_fields *fields, const char *key, const char *kind)
{
    ls_fields_fail(fields, "has a field %s that is not %s", key, kind);
}

const json_t *ls_field_object(struct ls_fields *fields, const json_t *object, const char *key)
{
    const json_t *value = value_of(fields, object, key);

    if (!json_is_object(value))
        wrong_kind(fields, key, "an object");
    return value;
}

const json_t *ls_field_array(struct ls_fields *fields, const json_t *object, const char *key)
{
    const json_t *value = value_of(fields, object, key);

    if (!json_is_array(value))
        wrong_kind(fields, key, "an array");
    return value;
}

const json_t *ls_field_optional_array(struct ls_fields *fields, const json_t *object,
                                      const char *key)
{
    return json_object_get(object, key) == NULL ? NULL : ls_field_array(fields, object, key);
}

const json_t *ls_field_item(struct ls_fields *fields, const json_t *array, size_t index,
                            const char *key)
{
    const json_t *value = json_array_get(array, index);

    if (!json_is_object(value))
        wrong_kind(fields, key, "an array of objects");
    return value;
}

const char *ls_field_string(struct ls_fields *fields, const json_t *object, const char *key)
{
    const json_t *value = value_of(fields, object, key);

    if (!json_is_string(value)) {
        wrong_kind(fields, key, "a string");
        return "";
    }
    return json_string_value(value);
}

const char *ls_field_optional_string(struct ls_fields *fields, const json_t *object,
                                     const char *key)
{
    return json_is_null(json_object_get(object, key)) ? "" : ls_field_string(fields, object, key);
}

double ls_field_number(struct ls_fields *fields, const json_t *object, const char *key)
{
    const json_t *value = value_of(fields, object, key);

    if (!json_is_number(value))
        wrong_kind(fields, key, "a number");
    return json_number_value(value);
}

double ls_field_known(struct ls_fields *fields, const json_t *object, const char *key,
                      double unknown)
{
    return json_is_null(json_object_get(object, key)) ? unknown
                                                      : ls_field_number(fields, object, key);
}

double ls_field_newer(struct ls_fields *fields, const json_t *object, const char *key,
                      double unknown)
{
    return json_object_get(object, key) == NULL ? unknown
                                                : ls_field_known(fields, object, key, unknown);
}

int ls_field_integer(struct ls_fields *fields, const json_t *object, const char *key)
{
    double number = ls_field_known(fields, object, key, 0);

    if (number >= INT_MIN && number <= INT_MAX)
        return (int)number;
    wrong_kind(fields, key, "an integer");
    return 0;
}

uint64_t ls_field_count(struct ls_fields *fields, const json_t *object, const char *key)
{
    double number = ls_field_number(fields, object, key);

    if (number < 0)
        wrong_kind(fields, key, "a count");
    return number >= 0x1p64 ? UINT64_MAX : number > 0 ? (uint64_t)number : 0;
}

uint64_t ls_field_hexadecimal(struct ls_fields *fields, const json_t *object, const char *key)
{
    const char *text = ls_field_optional_string(fields, object, key);
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 16);

    if (*end != '\0')
        wrong_kind(fields, key, "a hexadecimal number");
    return value;
}

double ls_field_time(struct ls_fields *fields, const json_t *object, const char *key)
{
    const char *text = ls_field_string(fields, object, key);
    struct tm date = {0};
    double fraction = 0;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &date);
    char *end = NULL;

    if (rest != NULL && *rest == '.') {
        fraction = strtod(rest, &end);
        rest = end;
    }
    if (rest == NULL || strcmp(rest, "Z") != 0)
        wrong_kind(fields, key, "a time of day in UTC");
    return (double)timegm(&date) + fraction;
}

size_t ls_field_choice(struct ls_fields *fields, const json_t *object, const char *key,
                       const char *const *words, size_t count)
{
    const char *word = ls_field_string(fields, object, key);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0)
            return i;
    }
    ls_fields_fail(fields, "has a field %s with the unknown value '%.64s'", key, word);
    return 0;
}
