/*
 * Dates in UTC without the C library's time functions, which take locks and read time zone files.
 * Pure functions, safe anywhere. Proleptic Gregorian calendar, no leap seconds; times outside the
 * years 1970 to 9999, and NaN, are moved to the nearest end.
 */
#ifndef LS_REPORT_CALENDAR_H
#define LS_REPORT_CALENDAR_H

#include "base/text.h"

/* 2026-11-21T08:13:26.512Z */
void ls_calendar_rfc3339(struct ls_text *text, double seconds);
/* 20261121T081326Z: sorts by time and is safe in a file name. */
void ls_calendar_compact(struct ls_text *text, double seconds);
/* 2026-11-21 08:13:26 UTC */
void ls_calendar_readable(struct ls_text *text, double seconds);

#endif
