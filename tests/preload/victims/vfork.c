/* vfork: the child runs on our memory until it executes a program or ends. */
#include "victim.h"

int main(int argc, char **argv)
{
    char again[] = "again", missing[] = "/nowhere/at/all";
    char *arguments[] = {argv[0], again, NULL};
    if (argc > 1) {
        victim_churn(300);
        return 33;
    }
    for (int i = 0; i < 10; i++) {
        char *block = malloc(500);
        CHECK(block != NULL);
        pid_t child = vfork();
        if (child == 0) {
            execv(argv[0], arguments);
            _exit(98);
        }
        CHECK(victim_wait(child) == 33);
        child = vfork();
        if (child == 0) {
            execv(missing, arguments);
            _exit(errno == ENOENT ? 34 : 97);
        }
        CHECK(victim_wait(child) == 34);
        child = vfork();
        if (child == 0)
            _exit(35);
        CHECK(victim_wait(child) == 35);
        free(block);
        victim_churn(200);
    }
    return victim_end();
}
