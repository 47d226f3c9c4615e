/* Allocates in .preinit_array, in constructors and destructors, and frees across them. */
#include "victim.h"

static char *first, *second;

static void before_everything(int argc, char **argv, char **environment)
{
    (void)argc;
    (void)argv;
    (void)environment;
    first = calloc(10, 100);
    second = realloc(malloc(10), 5000);
    victim_churn(200);
}

__attribute__((section(".preinit_array"),
               used)) static void (*preinit)(int, char **, char **) = before_everything;

__attribute__((constructor(101))) static void constructs(void)
{
    CHECK(first != NULL && first[999] == 0 && second != NULL);
    free(first);
    first = malloc(77);
    victim_churn(200);
}

__attribute__((destructor(101))) static void destroys(void)
{
    victim_churn(200);
    free(second);
    SAY("destroyed\n");
}

int main(void)
{
    CHECK(preinit != NULL && first != NULL);
    free(first);
    return victim_end();
}
