/* Linked with the library instead of preloaded; says whether the loader runs it as privileged. */
#include <sys/auxv.h>

#include "victim.h"

int main(void)
{
    SAY("secure %lu\n", getauxval(AT_SECURE));
    for (int i = 0; i < 10; i++) {
        victim_churn(200);
        victim_sleep_ms(20);
    }
    return victim_end();
}
