#include "cli/quantity.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A plain decimal number: no sign, no exponent, no hexadecimal, no infinity. */
static bool take_number(const char **text, double *number)
{
    size_t digits = strspn(*text, "0123456789");
    size_t length = digits;

    if (digits == 0 || digits > 18)
        return false;
    if ((*text)[length] == '.') {
        size_t decimals = strspn(*text + length + 1, "0123456789");

        if (decimals == 0 || decimals > 18)
            return false;
        length += 1 + decimals;
    }
    *number = strtod(*text, NULL);
    *text += length;
    return true;
}

static bool take_unit(const char *unit, size_t length, double *factor)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {
        {"", 1},       {"B", 1},        {"K", 0x1p10},   {"M", 0x1p20},   {"G", 0x1p30},
        {"T", 0x1p40}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
        {"kB", 1e3},   {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12},
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == length && strncasecmp(units[i].name, unit, length) == 0) {
            *factor = units[i].factor;
            return true;
        }
    }
    return false;
}

static bool size_of(const char *text, size_t length, double *bytes)
{
    const char *unit = text;
    double number;
    double factor;

    if (!take_number(&unit, &number) || unit > text + length ||
        !take_unit(unit, (size_t)(text + length - unit), &factor))
        return false;
    *bytes = number * factor;
    return true;
}

bool ls_quantity_size(const char *text, double *bytes)
{
    return size_of(text, strlen(text), bytes);
}

bool ls_quantity_rate(const char *text, double *bytes_per_s)
{
    static const struct {
        const char *name;
        double seconds;
    } times[] = {{"/s", 1}, {"/min", 60}, {"/h", 3600}};
    const char *slash = strchr(text, '/');
    double bytes;

    for (size_t i = 0; slash != NULL && i < sizeof(times) / sizeof(times[0]); i++) {
        if (strcmp(slash, times[i].name) == 0 && size_of(text, (size_t)(slash - text), &bytes)) {
            *bytes_per_s = bytes / times[i].seconds;
            return true;
        }
    }
    return false;
}

bool ls_quantity_share(const char *text, double *share)
{
    double number;

    if (!take_number(&text, &number) || (*text != '\0' && strcmp(text, "%") != 0))
        return false;
    *share = *text == '%' ? number / 100 : number;
    return true;
}

bool ls_quantity_word(const char *text, const char *const *words, size_t count, size_t *index)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

bool ls_quantity_set(const char *text, const char *const *words, size_t count, unsigned *set)
{
    unsigned found = 0;

    for (;;) {
        size_t length = strcspn(text, ",+");
        size_t i = 0;

        while (i < count && !(strlen(words[i]) == length && strncmp(words[i], text, length) == 0))
            i++;
        if (i == count)
            return false;
        found |= 1U << i;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *set = found;
    return true;
}
