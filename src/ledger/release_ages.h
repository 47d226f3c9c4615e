/*
 * How old what a site releases was: amounts of late, in classes of age that double. A leak's
 * resources are not released at all; those of a cache, of sessions, of a queue are, at an age, and
 * what is released of an age is what tells a site that is filling up from one that loses what it
 * acquires.
 *
 * Each class forgets with a time constant of several times its age, so that the old are remembered
 * long enough to be counted. Ages and times are in units of the summary interval. Constant memory;
 * pure data with one owner (the collector); zero-filled is empty.
 */
#ifndef LS_LEDGER_RELEASE_AGES_H
#define LS_LEDGER_RELEASE_AGES_H

#include <stddef.h>

/* Class 0 is of ages under 1, class k of ages from 2^(k-1) to 2^k, the last of all beyond. */
#define LS_RELEASE_AGE_CLASSES 14

struct ls_release_ages {
    float amounts[LS_RELEASE_AGE_CLASSES];
    float watched; /* intervals since the first amount could have come */
};

/* What is left of each class after some time, the same for every site. */
struct ls_release_fade {
    double elapsed;
    float factors[LS_RELEASE_AGE_CLASSES];
};

void ls_release_fade_init(struct ls_release_fade *fade, double elapsed);
void ls_release_ages_fade(struct ls_release_ages *ages, const struct ls_release_fade *fade);
/* `age` and `amount` from 0 on; the amount is in the unit that the site is judged by. */
void ls_release_ages_add(struct ls_release_ages *ages, double age, double amount);

/* Amount an interval that is released of what is older than `age`; within a class ages are taken
 * for evenly spread. */
double ls_release_ages_rate(const struct ls_release_ages *ages, double age);
/* Over how many intervals that was counted. */
double ls_release_ages_span(const struct ls_release_ages *ages, double age);

#endif
