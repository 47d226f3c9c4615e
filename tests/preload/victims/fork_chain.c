/* Every child forks the next one; the depth comes back through the exit codes. */
#include "victim.h"

enum { DEPTH = 15 };

static int descend(int depth)
{
    char *block = malloc(1000);
    CHECK(block != NULL);
    memset(block, depth, 1000);
    if (depth == DEPTH)
        return depth;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        exit(descend(depth + 1));
    int reached = victim_wait(child);
    CHECK(block[999] == (char)depth);
    free(block);
    return reached;
}

int main(void)
{
    SAY("deepest %d\n", descend(0));
    return victim_end();
}
