/* A program outside the tree, built against the installed library. */
#include <errno.h>
#include <leakshim/leakshim.h>
#include <stdio.h>
#include <stdlib.h>

static char *kept[64];

int main(void)
{
    struct leakshim_stats stats = {.size = sizeof(stats)};
    int status = leakshim_start();

    if (status != 0) {
        fprintf(stderr, "leakshim_start: %d\n", status);
        return 1;
    }
    for (int i = 0; i < 64; i++)
        kept[i] = malloc(1 << 20);
    status = leakshim_flush();
    if (status != 0) {
        fprintf(stderr, "leakshim_flush: %d\n", status);
        return 1;
    }
    status = leakshim_stats(&stats);
    if (status != 0 || stats.live_bytes < 32u << 20 || stats.sites == 0) {
        fprintf(stderr, "leakshim_stats: %d, %llu bytes live at %llu sites\n", status,
                (unsigned long long)stats.live_bytes, (unsigned long long)stats.sites);
        return 1;
    }
    for (int i = 0; i < 64; i++)
        free(kept[i]);
    return leakshim_stop() == 0 ? 0 : 1;
}
