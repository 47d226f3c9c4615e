#include "report/units.h"

#include <stddef.h>

#include "base/compiler.h"

/* Beyond any figure that makes sense; keeps columns from bursting. */
#define LARGEST 1e18

static double or_zero(double value)
{
    if (value - value != 0.0)
        return 0.0;
    return value > LARGEST ? LARGEST : value < -LARGEST ? -LARGEST : value;
}

/* At most `decimals` digits after the point, none when they would all be zero. */
static void figure(struct ls_text *text, double value, unsigned decimals)
{
    char buffer[40];
    struct ls_text digits;

    ls_text_init(&digits, buffer, sizeof(buffer));
    ls_text_fixed(&digits, value, decimals);
    if (decimals > 0) {
        bool zero = true;

        for (size_t i = digits.length - decimals; i < digits.length; i++)
            zero = zero && buffer[i] == '0';
        if (zero)
            digits.length -= decimals + 1;
    }
    ls_text_bytes(text, buffer, digits.length);
}

/* The value in the largest unit that leaves it at least 1 once rounded. `decimals_below` is the
 * figure under which a digit after the point still says something. */
static void scaled(struct ls_text *text, double value, double base, const char *const *units,
                   size_t unit_count, double decimals_below)
{
    size_t unit = 0;

    while (unit + 1 < unit_count && value >= base - 0.5) {
        value /= base;
        unit++;
    }
    figure(text, value, unit > 0 && value < decimals_below ? 1 : 0);
    ls_text_char(text, ' ');
    ls_text_string(text, units[unit]);
}

static const char *const binary_units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
static const char *const decimal_units[] = {"B", "kB", "MB", "GB", "TB", "PB"};

static void signed_size(struct ls_text *text, double bytes, double decimals_below)
{
    bytes = or_zero(bytes);
    if (bytes < 0) {
        ls_text_char(text, '-');
        bytes = -bytes;
    }
    scaled(text, bytes, 1024, binary_units, LS_ARRAY_LENGTH(binary_units), decimals_below);
}

void ls_units_size(struct ls_text *text, double bytes)
{
    signed_size(text, bytes, 99.95);
}

void ls_units_round_size(struct ls_text *text, double bytes)
{
    signed_size(text, bytes, 9.95);
}

/* Fills in the sign and the time unit; returns the figure to print, 0 or more. */
static double per_time(struct ls_text *text, double per_s, double least_per_minute,
                       const char **time_unit)
{
    double magnitude;

    per_s = or_zero(per_s);
    magnitude = (per_s < 0 ? -per_s : per_s) * 60.0;
    *time_unit = "/min";
    if (magnitude < least_per_minute) {
        magnitude *= 60.0;
        *time_unit = "/h";
    }
    if (magnitude < 0.05) {
        *time_unit = "/min";
        return 0;
    }
    ls_text_char(text, per_s < 0 ? '-' : '+');
    return magnitude;
}

void ls_units_size_rate(struct ls_text *text, double bytes_per_s)
{
    const char *time_unit;
    double amount = per_time(text, bytes_per_s, 100e3, &time_unit);

    scaled(text, amount, 1000, decimal_units, LS_ARRAY_LENGTH(decimal_units), 99.95);
    ls_text_string(text, time_unit);
}

void ls_units_count_rate(struct ls_text *text, double count_per_s)
{
    const char *time_unit;
    double amount = per_time(text, count_per_s, 1, &time_unit);

    if (amount < 9.95)
        figure(text, amount, 1);
    else
        ls_units_count(text, amount);
    ls_text_string(text, time_unit);
}

void ls_units_count(struct ls_text *text, double count)
{
    char buffer[40];
    struct ls_text digits;

    ls_text_init(&digits, buffer, sizeof(buffer));
    ls_text_fixed(&digits, or_zero(count), 0);
    for (size_t i = 0; i < digits.length; i++) {
        ls_text_char(text, buffer[i]);
        if (buffer[i] != '-' && i + 1 < digits.length && (digits.length - 1 - i) % 3 == 0)
            ls_text_char(text, ',');
    }
}

struct time_unit {
    double seconds;
    const char *name;
};

static const struct time_unit time_units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};

void ls_units_duration(struct ls_text *text, double seconds)
{
    uint64_t whole;
    unsigned written = 0;

    seconds = or_zero(seconds);
    if (seconds < 0)
        seconds = 0;
    if (seconds < 9.95) {
        figure(text, seconds, 1);
        ls_text_string(text, " s");
        return;
    }
    if (seconds > 1e15)
        seconds = 1e15;
    whole = (uint64_t)(seconds + 0.5);
    for (size_t i = 0; i < LS_ARRAY_LENGTH(time_units) && written < 2; i++) {
        uint64_t unit = (uint64_t)time_units[i].seconds;
        uint64_t amount = whole / unit;

        if (amount == 0 && written == 0)
            continue;
        whole -= amount * unit;
        if (amount > 0) {
            if (written > 0)
                ls_text_char(text, ' ');
            ls_text_unsigned(text, amount);
            ls_text_char(text, ' ');
            ls_text_string(text, time_units[i].name);
        }
        written++;
    }
}

static double at_least_zero(double value)
{
    value = or_zero(value);
    return value < 0 ? 0 : value;
}

static const struct time_unit *rough_unit(double seconds)
{
    size_t last = LS_ARRAY_LENGTH(time_units) - 1;

    for (size_t i = 0; i < last; i++) {
        /* Two of a unit before it is used: "90 min" says more than "2 h". */
        if (seconds >= 2 * time_units[i].seconds)
            return &time_units[i];
    }
    return &time_units[last];
}

void ls_units_rough_duration(struct ls_text *text, double seconds)
{
    const struct time_unit *unit;

    seconds = at_least_zero(seconds);
    unit = rough_unit(seconds);
    figure(text, seconds / unit->seconds, 0);
    ls_text_char(text, ' ');
    ls_text_string(text, unit->name);
}

void ls_units_rough_range(struct ls_text *text, double low, double high)
{
    const struct time_unit *unit;

    low = at_least_zero(low);
    unit = rough_unit(low);
    figure(text, low / unit->seconds, 0);
    if (high >= low + unit->seconds / 2) {
        ls_text_string(text, " to ");
        figure(text, high / unit->seconds, 0);
    }
    ls_text_char(text, ' ');
    ls_text_string(text, unit->name);
    if (!(high >= low))
        ls_text_string(text, " or more");
}

void ls_units_share(struct ls_text *text, double share)
{
    double percent = or_zero(share) * 100.0;

    if (percent < 0)
        percent = 0;
    if (percent > 100)
        percent = 100;
    if (percent > 99 && percent < 100)
        percent = 99;
    if (percent > 0 && percent < 0.05)
        ls_text_string(text, "<0.1");
    else if (percent < 1)
        figure(text, percent, 1);
    else
        figure(text, percent, 0);
    ls_text_string(text, " %");
}

void ls_units_delay(struct ls_text *text, double seconds)
{
    seconds = or_zero(seconds);
    if (seconds < 0)
        seconds = 0;
    if (seconds < 0.0009995) {
        figure(text, seconds * 1e6, 0);
        ls_text_string(text, " us");
    } else if (seconds < 0.9995) {
        figure(text, seconds * 1e3, seconds < 0.00995 ? 1 : 0);
        ls_text_string(text, " ms");
    } else {
        figure(text, seconds, seconds < 9.95 ? 1 : 0);
        ls_text_string(text, " s");
    }
}
