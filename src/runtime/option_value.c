#include "runtime/option_value.h"

#include <string.h>

#include "base/compiler.h"

_Static_assert(sizeof(enum ls_mode) == sizeof(unsigned), "choices are stored as unsigned");
_Static_assert(sizeof(enum ls_allocator) == sizeof(unsigned), "choices are stored as unsigned");
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "sizes are stored as 64-bit numbers");
_Static_assert(LS_RESOURCE_COUNT <= 32, "track is a mask of 32 bits");

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit count_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"K", UINT64_C(1) << 10},
    {"KB", UINT64_C(1) << 10},
    {"KiB", UINT64_C(1) << 10},
    {"M", UINT64_C(1) << 20},
    {"MB", UINT64_C(1) << 20},
    {"MiB", UINT64_C(1) << 20},
    {"G", UINT64_C(1) << 30},
    {"GB", UINT64_C(1) << 30},
    {"GiB", UINT64_C(1) << 30},
    {NULL, 0},
};
static const struct unit duration_units[] = {
    {"ms", UINT64_C(1000000)},    {"s", UINT64_C(1000000000)},    {"", UINT64_C(1000000000)},
    {"m", UINT64_C(60000000000)}, {"h", UINT64_C(3600000000000)}, {NULL, 0},
};

static const char *const switch_words[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};

struct ls_slice ls_slice_of(const char *string)
{
    return (struct ls_slice){string, strlen(string)};
}

static bool is_blank(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

struct ls_slice ls_slice_trim(struct ls_slice slice)
{
    while (slice.length > 0 && is_blank(slice.start[0])) {
        slice.start++;
        slice.length--;
    }
    while (slice.length > 0 && is_blank(slice.start[slice.length - 1]))
        slice.length--;
    return slice;
}

bool ls_slice_is(struct ls_slice slice, const char *string)
{
    return slice.length == strlen(string) && memcmp(slice.start, string, slice.length) == 0;
}

static char lower(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

static bool slice_is_any_case(struct ls_slice slice, const char *string)
{
    if (slice.length != strlen(string))
        return false;
    for (size_t i = 0; i < slice.length; i++) {
        if (lower(slice.start[i]) != lower(string[i]))
            return false;
    }
    return true;
}

bool ls_slice_take(struct ls_slice *rest, char separator, struct ls_slice *piece)
{
    size_t i = 0;

    if (rest->start == NULL)
        return false;
    while (i < rest->length && rest->start[i] != separator)
        i += rest->start[i] == '\\' && i + 1 < rest->length ? 2 : 1;
    *piece = ls_slice_trim((struct ls_slice){rest->start, i});
    if (i == rest->length)
        *rest = (struct ls_slice){NULL, 0};
    else
        *rest = (struct ls_slice){rest->start + i + 1, rest->length - i - 1};
    return true;
}

static void decode(struct ls_text *text, struct ls_slice value, const char *escapable)
{
    for (size_t i = 0; i < value.length; i++) {
        if (value.start[i] == '\\' && i + 1 < value.length &&
            strchr(escapable, value.start[i + 1]) != NULL)
            i++;
        ls_text_char(text, value.start[i]);
    }
}

static void encode(struct ls_text *text, const char *value, const char *escapable)
{
    for (; *value != '\0'; value++) {
        if (strchr(escapable, *value) != NULL)
            ls_text_char(text, '\\');
        ls_text_char(text, *value);
    }
}

static const uint32_t every_resource = (UINT32_C(1) << LS_RESOURCE_COUNT) - 1;

/* The characters a backslash makes ordinary. */
static const char *const path_escapable = ",\\";
static const char *const name_escapable = ",\\+";

static const struct unit *units_of(enum ls_option_kind kind)
{
    if (kind == LS_OPTION_SIZE)
        return size_units;
    return kind == LS_OPTION_DURATION ? duration_units : count_units;
}

/* A number too large for 64 bits becomes the largest one, which no range contains. */
static bool parse_number(struct ls_slice value, const struct unit *units, uint64_t *number)
{
    size_t i = 0;

    *number = 0;
    for (; i < value.length && value.start[i] >= '0' && value.start[i] <= '9'; i++) {
        if (__builtin_mul_overflow(*number, UINT64_C(10), number) ||
            __builtin_add_overflow(*number, (uint64_t)(value.start[i] - '0'), number))
            *number = UINT64_MAX;
    }
    if (i == 0)
        return false;
    value = ls_slice_trim((struct ls_slice){value.start + i, value.length - i});
    for (; units->suffix != NULL; units++) {
        if (slice_is_any_case(value, units->suffix)) {
            if (__builtin_mul_overflow(*number, units->factor, number))
                *number = UINT64_MAX;
            return true;
        }
    }
    return false;
}

static bool set_number(const struct ls_option_key *key, void *place, struct ls_slice value)
{
    const struct unit *units = units_of(key->kind);
    uint64_t number;
    uint64_t lowest;
    uint64_t highest;

    if (!parse_number(value, units, &number) ||
        !parse_number(ls_slice_of(key->lowest), units, &lowest) ||
        !parse_number(ls_slice_of(key->highest), units, &highest) || number < lowest ||
        number > highest)
        return false;
    if (key->kind == LS_OPTION_COUNT)
        *(unsigned *)place = (unsigned)number;
    else
        *(uint64_t *)place = number;
    return true;
}

static bool set_choice(const struct ls_option_key *key, unsigned *place, struct ls_slice value)
{
    for (unsigned i = 0; i < LS_ARRAY_LENGTH(key->choices) && key->choices[i] != NULL; i++) {
        if (ls_slice_is(value, key->choices[i])) {
            *place = i;
            return true;
        }
    }
    return false;
}

static bool set_switch(bool *place, struct ls_slice value)
{
    for (unsigned i = 0; i < LS_ARRAY_LENGTH(switch_words); i++) {
        if (ls_slice_is(value, switch_words[i])) {
            *place = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool set_resources(uint32_t *place, struct ls_slice value)
{
    uint32_t mask = 0;
    struct ls_slice name;

    while (ls_slice_take(&value, '+', &name)) {
        uint32_t found = ls_slice_is(name, "all") ? every_resource : 0;

        for (unsigned i = 0; i < LS_RESOURCE_COUNT; i++) {
            if (ls_slice_is(name, ls_resource_names[i]))
                found = UINT32_C(1) << i;
        }
        if (found == 0)
            return false;
        mask |= found;
    }
    *place = mask;
    return true;
}

static bool set_path(char *place, struct ls_slice value)
{
    char bytes[LS_OPTIONS_DIRECTORY_MAX];
    struct ls_text text;

    ls_text_init(&text, bytes, sizeof(bytes));
    decode(&text, value, path_escapable);
    if (text.truncated || text.length == 0)
        return false;
    memcpy(place, bytes, text.length + 1);
    return true;
}

static bool set_names(char *place, struct ls_slice value)
{
    char bytes[LS_OPTIONS_ONLY_MAX];
    struct ls_text text;
    struct ls_slice name;

    ls_text_init(&text, bytes, sizeof(bytes));
    if (value.length == 0)
        value.start = NULL;
    while (ls_slice_take(&value, '+', &name)) {
        if (name.length == 0 || memchr(name.start, '/', name.length) != NULL)
            return false;
        decode(&text, name, name_escapable);
        ls_text_char(&text, '\0');
    }
    if (text.truncated)
        return false;
    memset(place, 0, LS_OPTIONS_ONLY_MAX);
    memcpy(place, bytes, text.length);
    return true;
}

bool ls_option_value_set(struct ls_options *options, const struct ls_option_key *key,
                         struct ls_slice value)
{
    void *place = (char *)options + key->offset;

    switch (key->kind) {
    case LS_OPTION_CHOICE:
        return set_choice(key, place, value);
    case LS_OPTION_SWITCH:
        return set_switch(place, value);
    case LS_OPTION_COUNT:
    case LS_OPTION_SIZE:
    case LS_OPTION_DURATION:
        return set_number(key, place, value);
    case LS_OPTION_RESOURCES:
        return set_resources(place, value);
    case LS_OPTION_PATH:
        return set_path(place, value);
    case LS_OPTION_NAMES:
        return set_names(place, value);
    }
    return false;
}

/* With the largest unit that leaves a whole number. */
static void write_number(struct ls_text *text, uint64_t number, const struct unit *units)
{
    const struct unit *best = units;

    for (; units->suffix != NULL; units++) {
        if (units->factor > best->factor && number % units->factor == 0)
            best = units;
    }
    ls_text_unsigned(text, number / best->factor);
    ls_text_string(text, best->suffix);
}

static void write_resources(struct ls_text *text, uint32_t mask)
{
    bool first = true;

    for (unsigned i = 0; i < LS_RESOURCE_COUNT; i++) {
        if ((mask >> i & 1) == 0)
            continue;
        ls_text_string(text, first ? "" : "+");
        ls_text_string(text, ls_resource_names[i]);
        first = false;
    }
}

void ls_option_value_write(struct ls_text *text, const struct ls_options *options,
                           const struct ls_option_key *key)
{
    const void *place = (const char *)options + key->offset;
    const char *name;

    switch (key->kind) {
    case LS_OPTION_CHOICE:
        ls_text_string(text, key->choices[*(const unsigned *)place]);
        break;
    case LS_OPTION_SWITCH:
        ls_text_string(text, switch_words[*(const bool *)place]);
        break;
    case LS_OPTION_COUNT:
        ls_text_unsigned(text, *(const unsigned *)place);
        break;
    case LS_OPTION_SIZE:
    case LS_OPTION_DURATION:
        write_number(text, *(const uint64_t *)place, units_of(key->kind));
        break;
    case LS_OPTION_RESOURCES:
        if (*(const uint32_t *)place == every_resource)
            ls_text_string(text, "all");
        else
            write_resources(text, *(const uint32_t *)place);
        break;
    case LS_OPTION_PATH:
        encode(text, place, path_escapable);
        break;
    case LS_OPTION_NAMES:
        for (name = place; *name != '\0'; name += strlen(name) + 1) {
            ls_text_string(text, name == place ? "" : "+");
            encode(text, name, name_escapable);
        }
        break;
    }
}

void ls_option_value_write_allowed(struct ls_text *text, const struct ls_option_key *key)
{
    static const char *const number_nouns[] = {[LS_OPTION_COUNT] = "a number from ",
                                               [LS_OPTION_SIZE] = "a size from ",
                                               [LS_OPTION_DURATION] = "a duration from "};

    switch (key->kind) {
    case LS_OPTION_CHOICE:
        ls_text_string(text, "one of ");
        for (unsigned i = 0; i < LS_ARRAY_LENGTH(key->choices) && key->choices[i] != NULL; i++) {
            ls_text_string(text, i == 0 ? "" : ", ");
            ls_text_string(text, key->choices[i]);
        }
        break;
    case LS_OPTION_SWITCH:
        ls_text_string(text, "on or off");
        break;
    case LS_OPTION_COUNT:
    case LS_OPTION_SIZE:
    case LS_OPTION_DURATION:
        ls_text_string(text, number_nouns[key->kind]);
        ls_text_string(text, key->lowest);
        ls_text_string(text, " to ");
        ls_text_string(text, key->highest);
        break;
    case LS_OPTION_RESOURCES:
        ls_text_string(text, "all, or kinds joined by +: ");
        write_resources(text, every_resource);
        break;
    case LS_OPTION_PATH:
        ls_text_string(text, "a path of 1 to ");
        ls_text_unsigned(text, LS_OPTIONS_DIRECTORY_MAX - 1);
        ls_text_string(text, " bytes");
        break;
    case LS_OPTION_NAMES:
        ls_text_string(text, "program names joined by + (a plus in a name is \\+), at most ");
        ls_text_unsigned(text, LS_OPTIONS_ONLY_MAX - 2);
        ls_text_string(text, " bytes");
        break;
    }
}
