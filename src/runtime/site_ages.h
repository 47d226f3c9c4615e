/*
 * What is still live of what each site held at the points of its history, from the ages of the
 * resources that have one: two passes over the live set for each summary.
 *
 * Collector only. Bounded: sites with few ages are left out, and so are those past
 * LS_SITE_AGES_MAX; they are judged without.
 */
#ifndef LS_RUNTIME_SITE_AGES_H
#define LS_RUNTIME_SITE_AGES_H

#include <stdint.h>

#include "ledger/site_table.h"
#include "trend/trend.h"

#define LS_SITE_AGES_MAX 4096

/* After this moment's point is in every history. What it takes of own memory is given back by
 * ls_site_ages_drop; without memory no site has ages. */
void ls_site_ages_take(void);
void ls_site_ages_drop(void);

/* Between the two. False: the site is to be judged without. `ages` points into what is taken. */
bool ls_site_ages_of(const struct ls_site *site, struct ls_trend_ages *ages);

#endif
