/*
 * Figures as people say them, onto a caller's text: three digits that matter, the unit that fits.
 * Sizes are binary (KiB, MiB), as memory limits are set; rates are decimal (kB, MB), per minute,
 * or per hour when that reads better. Pure functions; NaN and infinities read as 0.
 */
#ifndef LS_REPORT_UNITS_H
#define LS_REPORT_UNITS_H

#include "base/text.h"

/* "512 MiB", "62.1 MiB", "340 B". */
void ls_units_size(struct ls_text *text, double bytes);
/* The same without decimals above ten: for limits, which are round figures. */
void ls_units_round_size(struct ls_text *text, double bytes);
/* Always with its sign: "+26 MB/min", "+3.6 MB/min", "-410 kB/h", "0 B/min". */
void ls_units_size_rate(struct ls_text *text, double bytes_per_s);
/* "+1,020/min", "+3.2/h". */
void ls_units_count_rate(struct ls_text *text, double count_per_s);
/* Rounded, digits in groups of three: "15,000". */
void ls_units_count(struct ls_text *text, double count);
/* Two units at most: "1 min 20 s", "14 min", "3 h 5 min", "2 d 4 h", "0.8 s". */
void ls_units_duration(struct ls_text *text, double seconds);
/* As much as an estimate deserves, one unit: "14 min", "3 h", "40 s". */
void ls_units_rough_duration(struct ls_text *text, double seconds);
/* "12 to 17 min", "12 min or more" when `high` is less than `low`, "12 min" where both read so. */
void ls_units_rough_range(struct ls_text *text, double low, double high);
/* "96 %". A share above 1 reads 100 %; one just short of it does not. */
void ls_units_share(struct ls_text *text, double share);
/* "4.2 ms", "1.3 s", "85 us". */
void ls_units_delay(struct ls_text *text, double seconds);

#endif
