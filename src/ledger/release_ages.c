#include "ledger/release_ages.h"

#include "base/math.h"

/* A class is remembered for so many times the ages in it, so that of what is released in bulk, by a
 * collection or a job's end, some such times are in; young ones for no less than the second. */
#define REMEMBERED       4.0
#define REMEMBERED_LEAST 32.0

static double upper_age(unsigned class)
{
    return (double)(1u << class);
}

static double memory_of(unsigned class)
{
    double memory = REMEMBERED * upper_age(class);

    return memory > REMEMBERED_LEAST ? memory : REMEMBERED_LEAST;
}

static unsigned class_of(double age)
{
    unsigned class = 0;

    while (class + 1 < LS_RELEASE_AGE_CLASSES && age >= upper_age(class))
        class ++;
    return class;
}

void ls_release_fade_init(struct ls_release_fade *fade, double elapsed)
{
    fade->elapsed = elapsed;
    for (unsigned i = 0; i < LS_RELEASE_AGE_CLASSES; i++)
        fade->factors[i] = (float)ls_math_exp(-elapsed / memory_of(i));
}

void ls_release_ages_fade(struct ls_release_ages *ages, const struct ls_release_fade *fade)
{
    for (unsigned i = 0; i < LS_RELEASE_AGE_CLASSES; i++)
        ages->amounts[i] *= fade->factors[i];
    ages->watched += (float)fade->elapsed;
}

void ls_release_ages_add(struct ls_release_ages *ages, double age, double amount)
{
    ages->amounts[class_of(age)] += (float)amount;
}

/* What a steady rate of 1 has added up to by now. */
static double counted(const struct ls_release_ages *ages, unsigned class)
{
    double memory = memory_of(class);

    return memory * -ls_math_expm1(-(double)ages->watched / memory);
}

double ls_release_ages_rate(const struct ls_release_ages *ages, double age)
{
    unsigned first = class_of(age);
    double low = first == 0 ? 0.0 : upper_age(first - 1);
    double sum = 0.0;

    if (!(ages->watched > 0.0f))
        return 0.0;
    for (unsigned i = first; i < LS_RELEASE_AGE_CLASSES; i++) {
        double rate = (double)ages->amounts[i] / counted(ages, i);
        double high = upper_age(i);

        if (i == first && age > low && i + 1 < LS_RELEASE_AGE_CLASSES)
            rate *= (high - age) / (high - low);
        sum += rate;
    }
    return sum;
}

double ls_release_ages_span(const struct ls_release_ages *ages, double age)
{
    return counted(ages, class_of(age));
}
