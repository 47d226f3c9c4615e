/*
 * Libraries that come and go. "loop": one that keeps memory from call sites that vanish with it.
 * "namespace": one in a link namespace of its own, with a C library of its own.
 * "deepbind": one that prefers its own symbols and its own needed libraries', so its malloc and
 * free may be the C library's while ours is in front of the program's; alone, each frees its own.
 * "deepbind_across": it frees what the program took, and the other way round.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "victim.h"

typedef char *take_function(size_t);
typedef void give_function(char *);

static char directory[4096];

static void *load(const char *name, int flags, Lmid_t namespace)
{
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    void *library = namespace == LM_ID_BASE ? dlopen(path, flags) : dlmopen(namespace, path, flags);
    CHECK(library != NULL);
    if (library == NULL)
        SAY("%s\n", dlerror());
    return library;
}

static void use(void *library, int across)
{
    take_function *take = (take_function *)(uintptr_t)dlsym(library, "plugin_take");
    give_function *give = (give_function *)(uintptr_t)dlsym(library, "plugin_give");
    CHECK(take != NULL && give != NULL);
    for (size_t size = 1; size < 100000; size = size * 3 / 2 + 1) {
        char *block = across ? malloc(size) : take(size);
        CHECK(block != NULL);
        memset(block, 1, size);
        give(block);
        block = take(size);
        CHECK(block != NULL);
        if (across)
            free(block);
        else
            give(block);
    }
}

static void *load_and_drop(void *argument)
{
    char *kept[30];
    for (int i = 0; i < 30; i++) {
        void *library = load("victim_plugin_keep.so", i % 2 ? RTLD_NOW : RTLD_LAZY, LM_ID_BASE);
        take_function *take = (take_function *)(uintptr_t)dlsym(library, "plugin_take");
        kept[i] = take(1000);
        memset(kept[i], i, 1000);
        CHECK(dlclose(library) == 0);
        CHECK(dlopen("/nowhere/at/all.so", RTLD_NOW) == NULL && dlerror() != NULL);
    }
    for (int i = 0; i < 30; i++) {
        CHECK(kept[i][999] == (char)i);
        free(kept[i]);
    }
    return argument;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "loop", *slash = strrchr(argv[0], '/');
    pthread_t thread;
    snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - argv[0]) : 1,
             slash ? argv[0] : ".");
    if (strcmp(how, "loop") == 0) {
        CHECK(pthread_create(&thread, NULL, load_and_drop, NULL) == 0);
        load_and_drop(NULL);
        pthread_join(thread, NULL);
    }
    if (strcmp(how, "namespace") == 0)
        use(load("victim_plugin_keep.so", RTLD_NOW, LM_ID_NEWLM), 0);
    if (strcmp(how, "deepbind") == 0)
        use(load("victim_plugin_keep.so", RTLD_NOW | RTLD_DEEPBIND, LM_ID_BASE), 0);
    if (strcmp(how, "deepbind_across") == 0)
        use(load("victim_plugin_keep.so", RTLD_NOW | RTLD_DEEPBIND, LM_ID_BASE), 1);
    return victim_end();
}
