/* The host moves: to another directory, to one that is gone, into a chroot ("chroot", as root). */
#include <sys/stat.h>

#include "victim.h"

int main(int argc, char **argv)
{
    CHECK(mkdir("elsewhere", 0700) == 0 && mkdir("gone", 0700) == 0);
    if (argc > 1 && strcmp(argv[1], "chroot") == 0) {
        CHECK(chroot("elsewhere") == 0 && chdir("/") == 0);
    } else if (argc > 1 && strcmp(argv[1], "gone") == 0) {
        CHECK(chdir("gone") == 0 && rmdir("../gone") == 0);
        CHECK(getcwd(NULL, 0) == NULL && errno == ENOENT);
    } else {
        CHECK(chdir("elsewhere") == 0);
    }
    for (int i = 0; i < 15; i++) {
        victim_churn(200);
        victim_sleep_ms(20);
    }
    return victim_end();
}
