#include "system/allocator_code.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "base/compiler.h"
#include "system/real.h"

#define RANGES_MAX 8

static struct {
    uintptr_t start;
    uintptr_t end;
} ranges[RANGES_MAX];
static unsigned range_count;

static const char *const names[] = {"libjemalloc", "libtcmalloc", "libmimalloc",
                                    "libhoard",    "librpmalloc", "libsnmalloc"};

bool ls_allocator_is_library(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;

    for (size_t i = 0; i < LS_ARRAY_LENGTH(names); i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

/* Functions that answer for malloc: to the host's calls, and behind us. */
struct answers {
    uintptr_t first;
    uintptr_t behind;
};

static bool is_libc(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;

    return strncmp(name, "libc.so", strlen("libc.so")) == 0 ||
           strncmp(name, "libc-2", strlen("libc-2")) == 0;
}

static bool holds(const struct dl_phdr_info *info, uintptr_t address)
{
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];

        if (header->p_type == PT_LOAD &&
            address - info->dlpi_addr - header->p_vaddr < header->p_memsz)
            return true;
    }
    return false;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
    const struct answers *answers = context;

    (void)size;
    if (holds(info, (uintptr_t)ls_allocator_code_find) || is_libc(info->dlpi_name))
        return 0;
    if (!holds(info, answers->first) && !holds(info, answers->behind) &&
        !ls_allocator_is_library(info->dlpi_name))
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum && range_count < RANGES_MAX; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];

        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0)
            continue;
        ranges[range_count].start = info->dlpi_addr + header->p_vaddr;
        ranges[range_count].end = ranges[range_count].start + header->p_memsz;
        range_count++;
    }
    return 0;
}

/* Where malloc is ours its address says nothing: a program that takes it has an entry of its own.
 */
void ls_allocator_code_find(bool malloc_is_ours)
{
    struct answers answers = {.behind = (uintptr_t)ls_real.malloc};

    if (!malloc_is_ours)
        answers.first = (uintptr_t)dlsym(RTLD_DEFAULT, "malloc");

    if (range_count == 0)
        dl_iterate_phdr(look_at, &answers);
}

bool ls_allocator_code_has(const void *return_address)
{
    for (unsigned i = 0; i < range_count; i++) {
        if ((uintptr_t)return_address > ranges[i].start &&
            (uintptr_t)return_address <= ranges[i].end)
            return true;
    }
    return false;
}
