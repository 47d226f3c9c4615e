/* Thread-specific destructors that allocate and free in several rounds, after everything else of
 * the thread is gone. */
#include <pthread.h>

#include "victim.h"

enum { THREADS = 100 };

static pthread_key_t early_key, late_key;
static int early_runs, late_runs;

static void late(void *block)
{
    free(block);
    victim_churn(20);
    __atomic_fetch_add(&late_runs, 1, __ATOMIC_RELAXED);
}

static void early(void *block)
{
    free(block);
    CHECK(pthread_setspecific(late_key, malloc(300)) == 0); /* asks for one more round */
    __atomic_fetch_add(&early_runs, 1, __ATOMIC_RELAXED);
}

static void *body(void *argument)
{
    CHECK(pthread_setspecific(early_key, malloc(200)) == 0);
    return argument;
}

int main(void)
{
    /* The later key is made first, so that its destructor needs a second round. */
    CHECK(pthread_key_create(&late_key, late) == 0);
    CHECK(pthread_key_create(&early_key, early) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, body, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    SAY("early %d, late %d\n", early_runs, late_runs);
    return victim_end();
}
