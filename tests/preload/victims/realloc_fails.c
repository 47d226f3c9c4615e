/*
 * Memory really runs out, by RLIMIT_AS: the old blocks stay, errno says so, and all of it works
 * again afterwards. "relative" allows 32 MiB above what is mapped, "absolute" 768 MiB in all, as
 * hosts do that limit themselves after they have started.
 */
#include <sys/resource.h>

#include "victim.h"

enum { BLOCKS = 50, BYTES = 10000 };

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return pages * 4096;
}

int main(int argc, char **argv)
{
    int absolute = argc > 1 && strcmp(argv[1], "absolute") == 0;
    unsigned char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BYTES);
        memset(blocks[i], i, BYTES);
    }
    struct rlimit old, small;
    CHECK(getrlimit(RLIMIT_AS, &old) == 0);
    small = old;
    small.rlim_cur = absolute ? (rlim_t)768 << 20 : address_space() + (32 << 20);
    CHECK(setrlimit(RLIMIT_AS, &small) == 0);
    for (int i = 0; i < BLOCKS; i++) {
        errno = 0;
        CHECK(realloc(blocks[i], (size_t)1 << 30) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(malloc((size_t)1 << 30) == NULL && errno == ENOMEM);
        for (int byte = 0; byte < BYTES; byte++)
            CHECK(blocks[i][byte] == i);
    }
    /* Runs dry by small steps, too. */
    void **last = NULL;
    size_t taken = 0;
    for (void **next; (next = malloc(200000)) != NULL; taken++) {
        *next = last;
        last = next;
    }
    CHECK(errno == ENOMEM && taken > 20);
    while (last != NULL) {
        void **next = *last;
        free(last);
        last = next;
    }
    CHECK(setrlimit(RLIMIT_AS, &old) == 0);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = realloc(blocks[i], 3 * BYTES);
        CHECK(blocks[i] != NULL && blocks[i][BYTES - 1] == i);
        free(blocks[i]);
    }
    return victim_end();
}
