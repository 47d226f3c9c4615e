#include "report/calendar.h"

#define SECONDS_PER_DAY 86400
#define LAST_SECOND     253402300799.0 /* 9999-12-31T23:59:59Z */

struct date {
    unsigned year;
    unsigned month;
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
    unsigned millisecond;
};

/* Days to a date over 400-year eras that start on 1 March, so that the leap day comes last
 * (https://howardhinnant.github.io/date_algorithms.html#civil_from_days). */
static void split(double seconds, struct date *date)
{
    uint64_t whole;
    uint64_t days;
    unsigned in_day;
    uint64_t era;
    unsigned day_of_era;
    unsigned year_of_era;
    unsigned day_of_year;
    unsigned shifted_month;

    if (!(seconds > 0))
        seconds = 0;
    if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    whole = (uint64_t)seconds;
    date->millisecond = (unsigned)((seconds - (double)whole) * 1000.0 + 0.5);
    if (date->millisecond > 999)
        date->millisecond = 999;
    in_day = (unsigned)(whole % SECONDS_PER_DAY);
    date->hour = in_day / 3600;
    date->minute = in_day / 60 % 60;
    date->second = in_day % 60;

    days = whole / SECONDS_PER_DAY + 719468;
    era = days / 146097;
    day_of_era = (unsigned)(days % 146097);
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    shifted_month = (5 * day_of_year + 2) / 153;
    date->day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    date->month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    date->year = (unsigned)(era * 400) + year_of_era + (date->month <= 2 ? 1 : 0);
}

static void digits(struct ls_text *text, unsigned value, unsigned width)
{
    unsigned divisor = 1;

    for (unsigned i = 1; i < width; i++)
        divisor *= 10;
    for (; divisor > 0; divisor /= 10)
        ls_text_char(text, (char)('0' + value / divisor % 10));
}

static void fields(struct ls_text *text, const struct date *date, const char *date_separator,
                   const char *middle, const char *time_separator)
{
    digits(text, date->year, 4);
    ls_text_string(text, date_separator);
    digits(text, date->month, 2);
    ls_text_string(text, date_separator);
    digits(text, date->day, 2);
    ls_text_string(text, middle);
    digits(text, date->hour, 2);
    ls_text_string(text, time_separator);
    digits(text, date->minute, 2);
    ls_text_string(text, time_separator);
    digits(text, date->second, 2);
}

void ls_calendar_rfc3339(struct ls_text *text, double seconds)
{
    struct date date;

    split(seconds, &date);
    fields(text, &date, "-", "T", ":");
    ls_text_char(text, '.');
    digits(text, date.millisecond, 3);
    ls_text_char(text, 'Z');
}

void ls_calendar_compact(struct ls_text *text, double seconds)
{
    struct date date;

    split(seconds, &date);
    fields(text, &date, "", "T", "");
    ls_text_char(text, 'Z');
}

void ls_calendar_readable(struct ls_text *text, double seconds)
{
    struct date date;

    split(seconds, &date);
    fields(text, &date, "-", " ", ":");
    ls_text_string(text, " UTC");
}
