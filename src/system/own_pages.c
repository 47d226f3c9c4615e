#include "system/own_pages.h"

#include <stdbool.h>

#include "base/atomic.h"

/* Relaxed everywhere: the list says what is whose in a statistic, nothing is read through it. An
 * entry is 0 to 0 when it is free. */
struct stretch {
    _Atomic uintptr_t start;
    _Atomic uintptr_t end;
};

static struct stretch stretches[LS_OWN_PAGES_MAX];
static _Atomic uint32_t used;

static bool extend(uintptr_t start, uintptr_t end)
{
    uint32_t count = ls_load_relaxed(&used);

    for (uint32_t i = 0; i < count && i < LS_OWN_PAGES_MAX; i++) {
        uintptr_t upper = start;
        uintptr_t lower = end;

        if (ls_load_relaxed(&stretches[i].start) == ls_load_relaxed(&stretches[i].end))
            continue;
        if (atomic_compare_exchange_strong_explicit(&stretches[i].end, &upper, end,
                                                    memory_order_relaxed, memory_order_relaxed) ||
            atomic_compare_exchange_strong_explicit(&stretches[i].start, &lower, start,
                                                    memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return false;
}

void ls_own_pages_add(const void *pages, size_t size)
{
    uintptr_t start = (uintptr_t)pages;
    uint32_t place;

    if (extend(start, start + size))
        return;
    place = ls_load_relaxed(&used);
    do {
        if (place >= LS_OWN_PAGES_MAX)
            return;
    } while (!ls_compare_exchange_relaxed(&used, &place, place + 1));
    ls_store_relaxed(&stretches[place].start, start);
    ls_store_relaxed(&stretches[place].end, start + size);
}

/* What is taken out of the middle leaves the upper part behind as an entry of its own. */
void ls_own_pages_remove(const void *pages, size_t size)
{
    uintptr_t start = (uintptr_t)pages;
    uintptr_t end = start + size;
    uint32_t count = ls_load_relaxed(&used);

    for (uint32_t i = 0; i < count && i < LS_OWN_PAGES_MAX; i++) {
        uintptr_t first = ls_load_relaxed(&stretches[i].start);
        uintptr_t last = ls_load_relaxed(&stretches[i].end);

        if (first >= end || last <= start)
            continue;
        if (first < start) {
            ls_store_relaxed(&stretches[i].end, start);
            if (last > end)
                ls_own_pages_add((const void *)end, last - end);
        } else {
            ls_store_relaxed(&stretches[i].start, last < end ? last : end);
        }
    }
}

void ls_own_pages_for_each(ls_own_pages_visit *visit, void *context)
{
    uint32_t count = ls_load_relaxed(&used);

    for (uint32_t i = 0; i < count && i < LS_OWN_PAGES_MAX; i++) {
        uintptr_t start = ls_load_relaxed(&stretches[i].start);
        uintptr_t end = ls_load_relaxed(&stretches[i].end);

        if (start < end)
            visit(context, start, end);
    }
}
