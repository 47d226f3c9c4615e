#include "cli/symbolizer.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cli/symbolizer_dwarf.h"
#include "cli/symbolizer_files.h"

/* What was found at one address; a node of the module's tree. */
struct place {
    uint64_t address;
    struct ls_symbolizer_frame *frames;
    size_t count;
};

struct module {
    char *path;
    char *build_id;
    double loaded_at;
    struct ls_symbol_file file;
    void *places; /* tsearch's */
    size_t addresses;
    size_t lines;
};

struct ls_symbolizer {
    Dwfl_Callbacks search;
    char *debug_path;
    struct module **modules;
    size_t count;
};

struct ls_symbolizer *ls_symbolizer_make(const char *path, bool may_download)
{
    struct ls_symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

    if (symbolizer == NULL)
        return NULL;
    symbolizer->debug_path = path != NULL ? strdup(path) : NULL;
    symbolizer->search = (Dwfl_Callbacks){
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .section_address = dwfl_offline_section_address,
        .debuginfo_path = &symbolizer->debug_path,
    };
    /* libdwfl asks the servers by itself when there are any. */
    if (!may_download)
        unsetenv("DEBUGINFOD_URLS");
    return symbolizer;
}

static char nothing[] = "";

static void free_text(const char *text)
{
    if (text != nothing)
        free((void *)(uintptr_t)text);
}

static void free_place(void *node)
{
    struct place *place = node;

    for (size_t i = 0; i < place->count; i++) {
        free_text(place->frames[i].function);
        free_text(place->frames[i].file);
    }
    free(place->frames);
    free(place);
}

static void free_module(struct module *module)
{
    tdestroy(module->places, free_place);
    ls_symbol_file_close(&module->file);
    free(module->path);
    free(module->build_id);
    free(module);
}

void ls_symbolizer_free(struct ls_symbolizer *symbolizer)
{
    if (symbolizer == NULL)
        return;
    for (size_t i = 0; i < symbolizer->count; i++)
        free_module(symbolizer->modules[i]);
    free(symbolizer->modules);
    free(symbolizer->debug_path);
    free(symbolizer);
}

static struct module *add_module(struct ls_symbolizer *symbolizer, const char *path,
                                 const char *build_id, double loaded_at)
{
    struct module **modules =
        reallocarray(symbolizer->modules, symbolizer->count + 1, sizeof(*modules));
    struct module *module = calloc(1, sizeof(*module));

    if (modules != NULL)
        symbolizer->modules = modules;
    if (modules == NULL || module == NULL) {
        free(module);
        return NULL;
    }
    module->loaded_at = loaded_at;
    module->path = strdup(path);
    module->build_id = strdup(build_id);
    if (module->path == NULL || module->build_id == NULL) {
        free_module(module);
        return NULL;
    }
    ls_symbol_file_open(&symbolizer->search, path, build_id, loaded_at, &module->file);
    modules[symbolizer->count++] = module;
    return module;
}

static struct module *find_module(struct ls_symbolizer *symbolizer, const char *path,
                                  const char *build_id, double loaded_at)
{
    for (size_t i = 0; i < symbolizer->count; i++) {
        struct module *module = symbolizer->modules[i];

        /* Without a build id one process may have had the file and another its successor. */
        if (strcmp(module->path, path) == 0 && strcmp(module->build_id, build_id) == 0 &&
            (*build_id != '\0' ||
             (module->loaded_at <= loaded_at && module->loaded_at >= loaded_at)))
            return module;
    }
    return add_module(symbolizer, path, build_id, loaded_at);
}

static int by_address(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;

    return (a->address > b->address) - (a->address < b->address);
}

static const char *or_nothing(char *text)
{
    return text != NULL ? text : nothing;
}

static void look_up(struct module *module, struct place *place)
{
    struct ls_dwarf_frame found[LS_SYMBOLIZER_FRAMES_MAX];
    size_t count = ls_dwarf_find(module->file.module, place->address, found);

    struct ls_symbolizer_frame *frames = calloc(count > 0 ? count : 1, sizeof(*frames));

    for (size_t i = 0; i < count; i++) {
        struct ls_symbolizer_frame frame = {
            .function = or_nothing(found[i].function),
            .file = or_nothing(found[i].file),
            .line = found[i].line,
        };

        if (frames != NULL) {
            frames[i] = frame;
            continue;
        }
        free_text(frame.function);
        free_text(frame.file);
    }
    place->frames = frames;
    place->count = frames != NULL ? count : 0;
    if (count > 0 && found[0].line > 0) {
        module->lines++;
        module->file.state = LS_SYMBOLIZER_LINES;
    }
}

size_t ls_symbolizer_find(struct ls_symbolizer *symbolizer, const char *path, const char *build_id,
                          double loaded_at, uint64_t address,
                          const struct ls_symbolizer_frame **frames)
{
    struct module *module = find_module(symbolizer, path, build_id, loaded_at);
    struct place *place;
    struct place **node;

    if (module == NULL)
        return 0;
    place = calloc(1, sizeof(*place));
    if (place == NULL)
        return 0;
    place->address = address;
    node = tsearch(place, &module->places, by_address);
    if (node == NULL || *node != place) {
        free(place);
        place = node != NULL ? *node : NULL;
    } else {
        module->addresses++;
        if (module->file.dwfl != NULL)
            look_up(module, place);
    }
    if (place == NULL)
        return 0;
    *frames = place->frames;
    return place->count;
}

bool ls_symbolizer_module(const struct ls_symbolizer *symbolizer, size_t index,
                          struct ls_symbolizer_module *described)
{
    const struct module *module;

    if (index >= symbolizer->count)
        return false;
    module = symbolizer->modules[index];
    *described = (struct ls_symbolizer_module){
        .path = module->path,
        .build_id = module->build_id,
        .state = module->file.state,
        .found = module->file.path != NULL ? module->file.path : "",
        .addresses = module->addresses,
        .lines = module->lines,
    };
    return true;
}
