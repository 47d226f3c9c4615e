/* Exit handlers, destructors and stdio that allocate on the way out, and free what main took. */
#include "victim.h"

static char *kept[200];

static void free_kept(void)
{
    for (int i = 0; i < 200; i++) {
        free(kept[i]);
        kept[i] = malloc(30);
    }
    SAY("handler\n");
}

static void on_exit_handler(int status, void *argument)
{
    victim_churn(100);
    free(argument);
    SAY("status %d\n", status);
}

__attribute__((destructor)) static void last(void)
{
    for (int i = 0; i < 200; i++)
        free(kept[i]);
    printf("destructor\n");
}

int main(void)
{
    for (int i = 0; i < 200; i++)
        kept[i] = malloc(3000);
    CHECK(atexit(free_kept) == 0);
    CHECK(on_exit(on_exit_handler, malloc(60)) == 0);
    for (int i = 0; i < 40; i++)
        CHECK(atexit(free_kept) == 0);
    printf("buffered\n");
    return victim_end();
}
