/* Starts itself again under a limit ("memory": 256 MiB of address space; "locked": everything
 * locked; "files": 16 descriptors), so that the shim starts under it as well. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "victim.h"

static void limit(int resource, rlim_t value)
{
    struct rlimit both = {value, value};
    CHECK(setrlimit(resource, &both) == 0);
}

static void under_files(void)
{
    int opened = 0;
    while (open("/dev/null", O_RDONLY) >= 0)
        opened++;
    CHECK(errno == EMFILE);
    SAY("descriptors %d\n", opened);
    for (int i = 0; i < 20; i++) {
        victim_churn(100);
        victim_sleep_ms(10);
    }
    CHECK(close(5) == 0 && open("/dev/null", O_RDONLY) == 5);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (argc == 2) {
        if (strcmp(argv[1], "memory") == 0)
            limit(RLIMIT_AS, 256 << 20);
        if (strcmp(argv[1], "files") == 0)
            limit(RLIMIT_NOFILE, 16);
        execl(argv[0], argv[0], argv[1], "again", (char *)NULL);
        return 3;
    }
    if (strcmp(argv[1], "files") == 0)
        under_files();
    if (strcmp(argv[1], "locked") == 0) {
        int locked = mlockall(MCL_CURRENT | MCL_FUTURE);
        SAY("mlockall %d\n", locked);
    }
    victim_churn(5000);
    char *block = malloc(40 << 20);
    CHECK(block != NULL);
    memset(block, 1, 40 << 20);
    block = realloc(block, 45 << 20);
    CHECK(block != NULL && block[(40 << 20) - 1] == 1);
    free(block);
    return victim_end();
}
