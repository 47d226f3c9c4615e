/*
 * A healthy service: it answers requests, logs each with write(), and keeps its last 64 answers.
 *
 *     service REQUESTS_A_SECOND SECONDS [AGENT.so]
 *
 * The agent, if one is named, is loaded with dlopen and told of each request: the second way in.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ANSWERS = 64 };

typedef void trace_function(const char *name, size_t bytes);

static char *answers[ANSWERS];
static trace_function *trace;
static int log_file;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void answer_request(unsigned long number)
{
    char line[64];
    size_t bytes = 1000 + number % 7 * 500;
    char *answer = malloc(bytes);

    if (answer == NULL)
        return;
    memset(answer, '.', bytes);
    free(answers[number % ANSWERS]);
    answers[number % ANSWERS] = answer;
    snprintf(line, sizeof(line), "request %lu, %zu bytes\n", number, bytes);
    if (write(log_file, line, strlen(line)) < 0)
        exit(1);
    if (trace != NULL)
        trace("a request of the service", bytes);
}

static void load_agent(const char *path)
{
    void *agent = dlopen(path, RTLD_NOW);

    if (agent != NULL)
        trace = (trace_function *)dlsym(agent, "agent_trace");
    if (trace == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
}

int main(int argc, char **argv)
{
    double rate = argc > 2 ? atof(argv[1]) : 0;
    double seconds = argc > 2 ? atof(argv[2]) : 0;
    double started = now();
    unsigned long answered = 0;

    if (!(rate > 0 && seconds > 0)) {
        fprintf(stderr, "usage: service REQUESTS_A_SECOND SECONDS [AGENT.so]\n");
        return 2;
    }
    if (argc > 3)
        load_agent(argv[3]);
    log_file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    while (now() - started < seconds) {
        while ((double)answered < (now() - started) * rate)
            answer_request(answered++);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    printf("%lu requests\n", answered);
    return 0;
}
