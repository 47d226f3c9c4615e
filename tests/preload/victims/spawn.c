/* posix_spawn, system and popen, with what they print and how they fail. */
#include <spawn.h>

#include "victim.h"

extern char **environ;

static void spawns(const char *shell_text, int code)
{
    char name[] = "sh", option[] = "-c", text[64];
    char *arguments[] = {name, option, text, NULL};
    pid_t child = -1;
    snprintf(text, sizeof text, "%s", shell_text);
    CHECK(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) == 0);
    CHECK(victim_wait(child) == code);
    CHECK(posix_spawnp(&child, "sh", NULL, NULL, arguments, environ) == 0);
    CHECK(victim_wait(child) == code);
}

int main(void)
{
    char nobody[] = "nowhere";
    char *arguments[] = {nobody, NULL};
    pid_t child;
    spawns("echo spawned; exit 4", 4);
    CHECK(posix_spawn(&child, "/nowhere/at/all", NULL, NULL, arguments, environ) == ENOENT);
    victim_churn(500);

    SAY("system %d\n", system("echo from system; exit 3"));
    SAY("missing %d\n", system("exec /nowhere/at/all 2>/dev/null"));

    char line[64] = "";
    FILE *pipe = popen("echo from popen; exit 6", "r");
    CHECK(pipe != NULL && fgets(line, sizeof line, pipe) != NULL);
    SAY("read %s", line);
    SAY("pclose %d\n", pclose(pipe));
    pipe = popen("cat", "w");
    CHECK(pipe != NULL && fputs("through cat\n", pipe) >= 0);
    SAY("pclose %d\n", pclose(pipe));
    victim_churn(500);
    return victim_end();
}
