/* Threads that pile up, threads that only seem to, and a leak in a pool's task. */
#include <pthread.h>

#include "service.h"

static void *short_work(void *argument)
{
    pause_seconds(0.02);
    return argument;
}

static void *endless_work(void *argument)
{
    for (;;)
        pause();
    return argument;
}

static inline __attribute__((always_inline)) pthread_t start(void *(*work)(void *))
{
    pthread_attr_t small;
    pthread_t thread;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    CHECK(pthread_create(&thread, &small, work, NULL) == 0);
    pthread_attr_destroy(&small);
    return thread;
}

/* Finished, and never joined. */
SITE static void start_job(void)
{
    (void)start(short_work);
}

static void unjoined(void)
{
    serve(6, start_job);
}

/* A watcher for each key, none of which ever ends. */
SITE static void watch_key(void)
{
    CHECK(pthread_detach(start(endless_work)) == 0);
}

static void watchers(void)
{
    serve(4, watch_key);
}

/* Of the threads that come and go one in eight hangs. */
SITE static void query_backend(void)
{
    CHECK(pthread_detach(start(chance(8) == 0 ? endless_work : short_work)) == 0);
}

static void hanging(void)
{
    serve(40, query_backend);
}

/* Eight workers, started one after the other as load comes, and kept. */
static void step_pool(void)
{
    static unsigned workers;

    if (workers < 8 && seconds_running() > 0.5 * workers) {
        workers++;
        (void)start(endless_work);
    }
}

static void pool(void)
{
    serve(20, step_pool);
}

/* A thread for each request, joined. */
static void step_request(void)
{
    pthread_join(start(short_work), NULL);
}

static void requests(void)
{
    serve(30, step_request);
}

/* Detached threads of different lives. */
static void *some_work(void *argument)
{
    pause_seconds(0.05 + chance(20) * 0.02);
    return argument;
}

static void step_detached(void)
{
    CHECK(pthread_detach(start(some_work)) == 0);
}

static void detached(void)
{
    serve(40, step_detached);
}

/* A pool whose four workers take tasks; what a task leaves behind is freed, or is kept for ever. */
static double tasks_keep;

struct result {
    struct result *older;
    char text[1000];
};

static __thread struct result *results;

SITE static struct result *run_task(void)
{
    struct result *result = filled(malloc(sizeof(*result)), sizeof(*result));

    result->older = NULL;
    return result;
}

static void *take_tasks(void *argument)
{
    struct pace pace = {.last_s = seconds_running()};

    for (;;) {
        for (unsigned left = due(&pace, 400); left > 0; left--) {
            struct result *result = run_task();

            if (chance(100) < 100 * tasks_keep) {
                result->older = results;
                results = result;
            } else {
                free(result);
            }
        }
        tick();
    }
    return argument;
}

static void work_in_pool(double keep)
{
    tasks_keep = keep;
    for (int i = 0; i < 4; i++)
        (void)start(take_tasks);
    for (;;)
        pause();
}

static void task_leaks(void)
{
    work_in_pool(0.1);
}

static void task_frees(void)
{
    work_in_pool(0);
}

static const struct service_case cases[] = {
    {"unjoined", unjoined},     {"watchers", watchers},
    {"hanging", hanging},       {"pool", pool},
    {"requests", requests},     {"detached", detached},
    {"task_leaks", task_leaks}, {"task_frees", task_frees},
};

int main(int argc, char **argv)
{
    return RUN_CASE(cases, argc, argv);
}
