/* An indirect function whose resolver allocates: it runs while the loader relocates the program,
 * before any constructor of any library. */
#include "victim.h"

static char *taken_early;

static int answer_plainly(void)
{
    return 42;
}

static int (*resolve_answer(void))(void)
{
    char *passing = calloc(3, 100);
    taken_early = realloc(malloc(20), 4000);
    free(passing);
    return answer_plainly;
}

static int answer(void) __attribute__((ifunc("resolve_answer")));

int main(void)
{
    CHECK(answer() == 42);
    CHECK(taken_early != NULL);
    memset(taken_early, 1, 4000);
    free(taken_early);
    return victim_end();
}
