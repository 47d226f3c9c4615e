/*
 * Which sites are listed, in which order, and which of them is chosen.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top.h"

/* What a socket or file counts for beside bytes, as in the summary's own order. */
#define BYTES_A_COUNTED 16384

const char *const ls_top_order_names[LS_TOP_ORDER_COUNT] = {"growth", "live", "count"};

const struct ls_snapshot *ls_top_snapshot(const struct ls_top *top)
{
    return top->run != NULL && top->run->is_read ? &top->run->summary.snapshot : NULL;
}

const struct ls_snapshot_site *ls_top_chosen_site(const struct ls_top *top)
{
    return top->site_list.chosen < top->site_list.count ? top->sites[top->site_list.chosen] : NULL;
}

static double weight(const struct ls_snapshot_site *site, enum ls_top_order order)
{
    bool is_counted = ls_snapshot_site_is_counted(site);

    if (order == LS_TOP_BY_COUNT)
        return site->live_count;
    if (order == LS_TOP_BY_LIVE)
        return is_counted ? site->live_count * BYTES_A_COUNTED : site->live_bytes;
    return is_counted ? site->growth_count_per_s * BYTES_A_COUNTED : site->growth_bytes_per_s;
}

static bool goes_first(const struct ls_snapshot_site *left, const struct ls_snapshot_site *right,
                       enum ls_top_order order)
{
    bool left_rises = left->verdict == LS_VERDICT_RISING;
    bool right_rises = right->verdict == LS_VERDICT_RISING;

    /* Growth that is no more than noise must not stand above a leak. */
    if (order == LS_TOP_BY_GROWTH && left_rises != right_rises)
        return left_rises;
    return weight(left, order) > weight(right, order);
}

/* By insertion: at most as many as the option `top`, and those of equal weight keep their order. */
static void sort(struct ls_top *top)
{
    for (size_t i = 1; i < top->site_list.count; i++) {
        const struct ls_snapshot_site *site = top->sites[i];
        size_t place = i;

        while (place > 0 && goes_first(site, top->sites[place - 1], top->order)) {
            top->sites[place] = top->sites[place - 1];
            place--;
        }
        top->sites[place] = site;
    }
}

void ls_top_arrange(struct ls_top *top)
{
    const struct ls_snapshot *snapshot = ls_top_snapshot(top);
    const struct ls_snapshot_site **sites;

    top->site_list.count = 0;
    if (snapshot == NULL)
        return;
    sites = reallocarray(top->sites, snapshot->site_count + 1, sizeof(*sites));
    if (sites == NULL)
        return;
    top->sites = sites;
    for (size_t i = 0; i < snapshot->site_count; i++) {
        if (top->kind == LS_TOP_ALL_KINDS || snapshot->sites[i].resource == top->kind)
            sites[top->site_list.count++] = &snapshot->sites[i];
    }
    sort(top);
    for (size_t i = 0; top->chosen_id != 0 && i < top->site_list.count; i++) {
        if (sites[i]->id == top->chosen_id && sites[i]->resource == top->chosen_kind)
            top->site_list.chosen = i;
    }
}

void ls_top_next_kind(struct ls_top *top)
{
    const struct ls_snapshot *snapshot = ls_top_snapshot(top);
    unsigned kind = top->kind == LS_TOP_ALL_KINDS ? 0 : top->kind + 1;
    bool is_there = false;

    for (; snapshot != NULL && kind < LS_TOP_ALL_KINDS; kind++) {
        for (size_t i = 0; i < snapshot->site_count && !is_there; i++)
            is_there = snapshot->sites[i].resource == kind;
        if (is_there)
            break;
    }
    top->kind = is_there ? (enum ls_resource)kind : LS_TOP_ALL_KINDS;
}

void ls_top_list_settle(struct ls_top_list *list, size_t rows)
{
    if (list->chosen >= list->count)
        list->chosen = list->count > 0 ? list->count - 1 : 0;
    if (list->first > list->chosen)
        list->first = list->chosen;
    if (rows > 0 && list->chosen >= list->first + rows)
        list->first = list->chosen - rows + 1;
    if (list->first + rows > list->count)
        list->first = list->count > rows ? list->count - rows : 0;
}

void ls_top_list_move(struct ls_top_list *list, long steps)
{
    long target = (long)list->chosen + steps;
    long last = (long)list->count - 1;

    if (target > last)
        target = last;
    list->chosen = target > 0 ? (size_t)target : 0;
}
