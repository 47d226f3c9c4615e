#include "cli/symbolizer_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILD_ID_BYTES_MAX 64

/* As the summary has it: lower-case hexadecimal. */
static bool is_build_id(Dwfl_Module *module, const char *expected)
{
    const unsigned char *bits;
    GElf_Addr address;
    int length = dwfl_module_build_id(module, &bits, &address);
    char hex[2 * BUILD_ID_BYTES_MAX + 1] = "";

    for (int i = 0; i < length && i < BUILD_ID_BYTES_MAX; i++)
        snprintf(hex + (size_t)2 * (size_t)i, 3, "%02x", bits[i]);
    return strcmp(hex, expected) == 0;
}

/* A pipe or a device in the place of a module must not be waited for. */
static int open_regular(const char *path, struct stat *facts)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (file >= 0 && (fstat(file, facts) != 0 || !S_ISREG(facts->st_mode))) {
        close(file);
        file = -1;
    }
    return file;
}

/* Takes over the descriptor. */
static bool load(const Dwfl_Callbacks *search, const char *path, int descriptor,
                 struct ls_symbol_file *file)
{
    file->dwfl = dwfl_begin(search);
    if (file->dwfl == NULL) {
        close(descriptor);
        return false;
    }
    dwfl_report_begin(file->dwfl);
    file->module = dwfl_report_offline(file->dwfl, path, path, descriptor);
    if (file->module == NULL)
        close(descriptor); /* only what was reported is libdwfl's */
    dwfl_report_end(file->dwfl, NULL, NULL);
    if (file->module != NULL)
        return true;
    dwfl_end(file->dwfl);
    file->dwfl = NULL;
    return false;
}

static void unload(struct ls_symbol_file *file)
{
    dwfl_end(file->dwfl);
    file->dwfl = NULL;
    file->module = NULL;
}

static bool has_changed_since(const struct stat *facts, double time)
{
    return (double)facts->st_ctim.tv_sec + (double)facts->st_ctim.tv_nsec * 1e-9 >= time;
}

/* The file at the module's own path. */
static bool open_own(const Dwfl_Callbacks *search, const char *path, const char *build_id,
                     double loaded_at, struct ls_symbol_file *file)
{
    struct stat facts;
    int descriptor = open_regular(path, &facts);

    file->state = LS_SYMBOLIZER_MISSING;
    if (descriptor < 0)
        return false;
    file->state = LS_SYMBOLIZER_OTHER_BUILD;
    if (!load(search, path, descriptor, file))
        return false;
    if (!is_build_id(file->module, build_id)) {
        unload(file);
        return false;
    }
    if (*build_id == '\0' && has_changed_since(&facts, loaded_at)) {
        file->state = LS_SYMBOLIZER_UNVERIFIED;
        unload(file);
        return false;
    }
    file->path = strdup(path);
    return file->path != NULL;
}

static size_t read_hexadecimal(const char *text, unsigned char *bytes, size_t size)
{
    size_t length = 0;

    while (length < size && text[2 * length] != '\0' && text[2 * length + 1] != '\0') {
        char digits[3] = {text[2 * length], text[2 * length + 1], '\0'};
        char *end;

        bytes[length++] = (unsigned char)strtoul(digits, &end, 16);
        if (*end != '\0')
            return 0;
    }
    return length;
}

/* libdwfl looks for a debug file on behalf of a module that it has; this one has nothing but its
 * build id. */
static int find_debug_file(const Dwfl_Callbacks *search, const char *path, const char *build_id,
                           char **found)
{
    unsigned char bytes[BUILD_ID_BYTES_MAX];
    size_t length = read_hexadecimal(build_id, bytes, sizeof(bytes));
    Dwfl *dwfl = length > 0 ? dwfl_begin(search) : NULL;
    Dwfl_Module *module;
    int descriptor = -1;

    if (dwfl == NULL)
        return -1;
    dwfl_report_begin(dwfl);
    module = dwfl_report_module(dwfl, path, 0, 1);
    dwfl_report_end(dwfl, NULL, NULL);
    if (module != NULL && dwfl_module_report_build_id(module, bytes, length, 0) == 0)
        descriptor = dwfl_standard_find_debuginfo(module, NULL, path, 0, NULL, NULL, 0, found);
    dwfl_end(dwfl);
    return descriptor;
}

/* A debug file has the addresses of the file it was taken from, and can stand for it. */
static bool open_debug_file(const Dwfl_Callbacks *search, const char *path, const char *build_id,
                            struct ls_symbol_file *file)
{
    char *found = NULL;
    int descriptor = find_debug_file(search, path, build_id, &found);

    if (descriptor < 0 || !load(search, path, descriptor, file)) {
        free(found);
        return false;
    }
    if (!is_build_id(file->module, build_id)) {
        unload(file);
        free(found);
        return false;
    }
    file->path = found != NULL ? found : strdup("a debuginfod server");
    return file->path != NULL;
}

void ls_symbol_file_open(const Dwfl_Callbacks *search, const char *path, const char *build_id,
                         double loaded_at, struct ls_symbol_file *file)
{
    *file = (struct ls_symbol_file){.state = LS_SYMBOLIZER_MISSING};
    if (*path != '/')
        return;
    if (open_own(search, path, build_id, loaded_at, file) ||
        open_debug_file(search, path, build_id, file))
        file->state = LS_SYMBOLIZER_NAMES;
}

void ls_symbol_file_close(struct ls_symbol_file *file)
{
    if (file->dwfl != NULL)
        dwfl_end(file->dwfl);
    free(file->path);
}
