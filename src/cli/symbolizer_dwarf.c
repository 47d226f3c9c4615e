#include "cli/symbolizer_dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/demangle.h"

#define NAME_BYTES_MAX 1024

struct frames {
    struct ls_dwarf_frame *items;
    size_t count;
};

/* Takes "." and "name/.." out, by the letters alone: the folders need not be here. */
static void shorten(char *path)
{
    char *out = path + (*path == '/');
    const char *start = out;

    for (const char *in = out; *in != '\0';) {
        size_t length = strcspn(in, "/");
        bool is_up = length == 2 && memcmp(in, "..", 2) == 0;
        char *last = out;

        while (last > start && last[-1] != '/')
            last--;
        if (is_up && out > start && strncmp(last, "..", (size_t)(out - last)) != 0) {
            out = last > start ? last - 1 : last;
        } else if (length > 0 && !(length == 1 && *in == '.')) {
            if (out > start)
                *out++ = '/';
            memmove(out, in, length);
            out += length;
        }
        in += length + (in[length] == '/');
    }
    *out = '\0';
}

/* `file` below `directory` when it is relative. */
static char *join_path(const char *directory, const char *file)
{
    char *path = NULL;

    if (file == NULL)
        return NULL;
    if (*file == '/' || directory == NULL || *directory == '\0')
        path = strdup(file);
    else if (asprintf(&path, "%s/%s", directory, file) < 0)
        path = NULL;
    if (path != NULL)
        shorten(path);
    return path;
}

static char *readable(const char *name)
{
    char bytes[NAME_BYTES_MAX];

    if (name == NULL || *name == '\0')
        return NULL;
    ls_demangle(name, bytes, sizeof(bytes));
    return strdup(bytes);
}

/* The linkage name tells the scope of a C++ function, its own name does not. */
static char *name_of(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;

    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) != NULL ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute) != NULL)
        return readable(dwarf_formstring(&attribute));
    return readable(dwarf_diename(die));
}

static const char *compile_directory(Dwarf_Die *unit)
{
    Dwarf_Attribute attribute;

    return dwarf_attr(unit, DW_AT_comp_dir, &attribute) != NULL ? dwarf_formstring(&attribute)
                                                                : NULL;
}

static Dwarf_Word number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;

    if (dwarf_attr(die, name, &attribute) == NULL || dwarf_formudata(&attribute, &value) != 0)
        return 0;
    return value;
}

/* Where an inlined function was called. */
static void read_call(Dwarf_Die *unit, Dwarf_Die *die, struct ls_dwarf_frame *frame)
{
    Dwarf_Word line = number_of(die, DW_AT_call_line);
    Dwarf_Files *files;
    size_t count;

    if (dwarf_getsrcfiles(unit, &files, &count) == 0)
        frame->file = join_path(compile_directory(unit),
                                dwarf_filesrc(files, number_of(die, DW_AT_call_file), NULL, NULL));
    frame->line = line <= UINT_MAX ? (unsigned)line : 0;
}

static void read_line(Dwfl_Module *module, Dwarf_Addr address, struct ls_dwarf_frame *frame)
{
    Dwfl_Line *line = dwfl_module_getsrc(module, address);
    int number = 0;
    const char *file;

    if (line == NULL)
        return;
    file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
    frame->file = join_path(dwfl_line_comp_dir(line), file);
    frame->line = number > 0 ? (unsigned)number : 0;
}

/* The scopes around an address, as they lie in the code. dwarf_getscopes alone goes over to where
 * an inlined function was written: https://sourceware.org/elfutils/ libdw.h. */
static int physical_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes)
{
    Dwarf_Die innermost;
    Dwarf_Die *found = NULL;
    int count = dwarf_getscopes(unit, address, &found);

    if (count <= 0)
        return 0;
    innermost = found[0];
    free(found);
    return dwarf_getscopes_die(&innermost, scopes);
}

static void add_scopes(struct frames *frames, Dwarf_Die *unit, Dwarf_Addr address)
{
    Dwarf_Die *scopes = NULL;
    int count = physical_scopes(unit, address, &scopes);

    for (int i = 0; i < count; i++) {
        struct ls_dwarf_frame *frame = &frames->items[frames->count - 1];
        int tag = dwarf_tag(&scopes[i]);

        if (tag == DW_TAG_subprogram) {
            frame->function = name_of(&scopes[i]);
            break;
        }
        if (tag != DW_TAG_inlined_subroutine)
            continue;
        frame->function = name_of(&scopes[i]);
        if (frames->count == LS_SYMBOLIZER_FRAMES_MAX)
            break;
        frames->items[frames->count] = (struct ls_dwarf_frame){0};
        read_call(unit, &scopes[i], &frames->items[frames->count++]);
    }
    free(scopes);
}

size_t ls_dwarf_find(Dwfl_Module *module, uint64_t address,
                     struct ls_dwarf_frame items[LS_SYMBOLIZER_FRAMES_MAX])
{
    struct frames frames = {.items = items, .count = 1};
    struct ls_dwarf_frame *outermost;
    GElf_Addr load_bias = 0;
    Dwarf_Addr debug_bias = 0;
    Dwarf_Die *unit;
    GElf_Sym symbol;
    GElf_Off offset;

    items[0] = (struct ls_dwarf_frame){0};
    if (dwfl_module_getelf(module, &load_bias) == NULL)
        return 0;
    address += load_bias;
    unit = dwfl_module_addrdie(module, address, &debug_bias);
    if (unit != NULL) {
        read_line(module, address, &items[0]);
        add_scopes(&frames, unit, address - debug_bias);
    }
    outermost = &items[frames.count - 1];
    if (outermost->function == NULL)
        outermost->function =
            readable(dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL));
    return items[0].function == NULL && items[0].file == NULL ? 0 : frames.count;
}
