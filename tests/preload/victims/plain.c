/* Nothing but allocation for a little while: for the runner's cases about the world around it. */
#include "victim.h"

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    for (int i = 0; i < rounds; i++) {
        victim_churn(200);
        KEEP(malloc(1000));
        victim_sleep_ms(20);
    }
    SAY("errno %d\n", errno);
    return victim_end();
}
