/*
 * Allocates from many different call stacks, all of the same depth: at each of nine levels one of
 * four calls is taken, as the digits of the stack's number say. Each stack holds one block and
 * replaces it when its turn comes; the turns are far apart.
 *
 *   --sites N          stacks, up to 262,144
 *   --replacements N
 */
#include "workload.h"

#define LEVELS     9
#define SITES_MOST (1 << (2 * LEVELS))
/* A prime that no number of sites up to the greatest is a multiple of: steps of it visit every site
 * before one comes again. */
#define STRIDE 999983

static uint64_t **held;
static uint64_t sum;

static NOINLINE void replace(long site, long turn)
{
    if (held[site] != NULL)
        sum += *held[site];
    free(held[site]);
    held[site] = workload_allocate(32 + (size_t)(site & 31));
    *held[site] = (uint64_t)turn;
    KEEP(turn);
}

static void branch_odd(int level, long path, long site, long turn);

/* A call with a return address of its own: the operands of the assembly keep the compiler from
 * folding the calls into one, or the functions, and keep each call from being the last thing
 * done. */
#define CALL(number, function)                                                                     \
    case number:                                                                                   \
        function(level - 1, path >> 2, site, turn);                                                \
        __asm__ volatile("" : : "i"(number), "i"(function));                                       \
        break;

/* The levels are of two functions in turn. Were it one that calls itself, a tool that takes
 * repeated frames together would see fewer stacks. */
static NOINLINE void branch_even(int level, long path, long site, long turn)
{
    switch (level == 0 ? -1 : path & 3) {
        CALL(0, branch_odd)
        CALL(1, branch_odd)
        CALL(2, branch_odd)
        CALL(3, branch_odd)
    default:
        replace(site, turn);
        KEEP(level);
    }
}

static NOINLINE void branch_odd(int level, long path, long site, long turn)
{
    switch (level == 0 ? -1 : path & 3) {
        CALL(0, branch_even)
        CALL(1, branch_even)
        CALL(2, branch_even)
        CALL(3, branch_even)
    default:
        replace(site, turn);
        KEEP(level);
    }
}

int main(int count, char **values)
{
    long sites = workload_option(count, values, "sites", 1000);
    long replacements = workload_option(count, values, "replacements", 1000000);
    struct workload_clock start = workload_start();
    uint64_t site = 0;

    if (sites < 1 || sites > SITES_MOST)
        workload_fail("stacks: an argument is out of range");
    held = calloc((size_t)sites, sizeof(*held));
    if (held == NULL)
        workload_fail("out of memory");
    for (long i = 0; i < replacements; i++) {
        site = (site + STRIDE) % (uint64_t)sites;
        branch_even(LEVELS, (long)site, (long)site, i);
    }
    return workload_done(start, (uint64_t)replacements, sum);
}
