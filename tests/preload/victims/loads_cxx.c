/* A C program that loads a C++ library, and with it the C++ run time, long after it started; the
 * library throws and catches by itself, then through frames of this program. */
#include <dlfcn.h>

#include "victim.h"

typedef int catch_function(int (*)(void));

static void (*throw_now)(void);

VICTIM_FUNCTION static int through_c(void)
{
    char *block = malloc(100);
    KEEP(block);
    free(block);
    throw_now();
    return 0;
}

int main(int argc, char **argv)
{
    char path[5000];
    const char *slash = strrchr(argv[0], '/');
    (void)argc;
    victim_churn(500);
    snprintf(path, sizeof path, "%.*s/victim_plugin_throw.so", slash ? (int)(slash - argv[0]) : 1,
             slash ? argv[0] : ".");
    for (int i = 0; i < 5; i++) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        CHECK(library != NULL);
        if (library == NULL)
            return victim_end();
        catch_function *catches = (catch_function *)(uintptr_t)dlsym(library, "plugin_catch");
        int (*alone)(void) = (int (*)(void))(uintptr_t)dlsym(library, "plugin_throw_and_catch");
        throw_now = (void (*)(void))(uintptr_t)dlsym(library, "plugin_throw");
        CHECK(catches != NULL && alone != NULL && throw_now != NULL);
        for (int round = 0; round < 50; round++) {
            CHECK(alone() == 1234);
            CHECK(catches(through_c) == 77);
        }
        CHECK(dlclose(library) == 0);
    }
    return victim_end();
}
