#include "ledger/modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "system/elf_notes.h"
#include "system/memory.h"
#include "system/syscall.h"

#define PAGE_SHIFT 12

/* One loaded object as dl_iterate_phdr shows it, copied while the loader's lock is held so that the
 * table can be brought up to date after it has been let go. */
struct sighting {
    char path[PATH_MAX];
    char build_id[LS_BUILD_ID_CHARS];
    uintptr_t bias;
    uintptr_t text_start;
    uintptr_t text_end;
    uintptr_t image_end;
};

struct scan {
    struct ls_modules *modules;
    uint64_t now_ns;
    uint64_t adds;
    uint64_t subs;
    bool seen[LS_MODULES_MAX];
    bool unchanged;
    int status;
    struct sighting sighting;
};

static void describe(struct sighting *sighting, const struct dl_phdr_info *info)
{
    size_t length = strlen(info->dlpi_name);

    sighting->bias = info->dlpi_addr;
    sighting->text_start = UINTPTR_MAX;
    sighting->text_end = 0;
    sighting->image_end = 0;
    sighting->build_id[0] = '\0';
    if (length >= sizeof(sighting->path))
        length = sizeof(sighting->path) - 1;
    memcpy(sighting->path, info->dlpi_name, length);
    sighting->path[length] = '\0';
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type == PT_LOAD && start + segment->p_memsz > sighting->image_end)
            sighting->image_end = start + segment->p_memsz;
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0) {
            if (start < sighting->text_start)
                sighting->text_start = start;
            if (start + segment->p_memsz > sighting->text_end)
                sighting->text_end = start + segment->p_memsz;
        } else if (segment->p_type == PT_NOTE && sighting->build_id[0] == '\0') {
            ls_elf_build_id((const void *)start, segment->p_memsz, sighting->build_id,
                            sizeof(sighting->build_id));
        }
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static bool starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

static bool is_runtime_name(const char *name)
{
    static const char *const prefixes[] = {
        "libc.so",    "libc-",  "ld-linux",   "ld-musl",      "libstdc++",   "libgcc_s",
        "libpthread", "libc++", "linux-vdso", "libjemalloc.", "libtcmalloc", "libmimalloc"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (starts_with(name, prefixes[i]))
            return true;
    }
    return false;
}

/* dl_iterate_phdr leaves the main program's name empty. */
static void name_main_program(struct sighting *sighting)
{
    long length =
        ls_sys_readlinkat(AT_FDCWD, "/proc/self/exe", sighting->path, sizeof(sighting->path) - 1);

    sighting->path[length > 0 ? length : 0] = '\0';
}

/* The loader has the path as it was asked for, from the directory that was the working one then:
 * whoever reads it later, the symbol reader first, may be in another. */
static void make_absolute(struct sighting *sighting)
{
    const char *relative = sighting->path;
    size_t length;
    size_t room;
    long directory;

    if (relative[0] == '/' || strchr(relative, '/') == NULL) /* the vDSO has no path */
        return;
    if (starts_with(relative, "./"))
        relative += 2;
    length = strlen(relative) + 1;
    room = sizeof(sighting->path) - length;
    memmove(sighting->path + room, relative, length);
    directory = ls_sys_readlinkat(AT_FDCWD, "/proc/self/cwd", sighting->path, room);
    if (directory > 0 && (size_t)directory < room)
        sighting->path[directory++] = '/';
    else
        directory = 0; /* stays relative */
    memmove(sighting->path + directory, sighting->path + room, length);
}

static void mark_overlaps(const struct ls_modules *modules, struct ls_module *added)
{
    for (uint32_t i = 0; i < ls_load_relaxed(&modules->count); i++) {
        struct ls_module *module = modules->entries[i];

        if (module->text_start < added->text_end && added->text_start < module->text_end) {
            ls_store_relaxed(&module->overlapped, true);
            ls_store_relaxed(&added->overlapped, true);
        }
    }
}

static int add_module(struct ls_modules *modules, struct sighting *sighting, bool is_main,
                      uint64_t now_ns)
{
    uint32_t count = ls_load_relaxed(&modules->count);
    struct ls_module *module;
    size_t length;

    if (count == LS_MODULES_MAX) {
        modules->overflowed = true;
        return -ENOMEM;
    }
    if (is_main)
        name_main_program(sighting);
    else
        make_absolute(sighting);
    length = strlen(sighting->path) + 1;
    module = ls_memory_own_allocate(sizeof(*module) + length);
    if (module == NULL)
        return -ENOMEM;
    module->path = (char *)(module + 1);
    memcpy(module->path, sighting->path, length);
    memcpy(module->build_id, sighting->build_id, sizeof(module->build_id));
    module->bias = sighting->bias;
    module->text_start = sighting->text_start;
    module->text_end = sighting->text_end;
    module->image_end = sighting->image_end;
    module->loaded_ns = count == 0 || modules->adds == 0 ? 0 : now_ns;
    ls_store_relaxed(&module->unloaded_ns, UINT64_MAX);
    module->is_main = is_main;
    module->is_runtime = is_runtime_name(base_name(module->path));
    module->is_own =
        (uintptr_t)&ls_modules_refresh - module->text_start < module->text_end - module->text_start;
    module->identity =
        module->build_id[0] != '\0'
            ? ls_hash_bytes(1, module->build_id, strlen(module->build_id))
            : ls_hash_bytes(2, base_name(module->path), strlen(base_name(module->path)));
    module->index = count;
    mark_overlaps(modules, module);
    modules->entries[count] = module;
    ls_store_release(&modules->count, count + 1); /* M1 pairs with M2 */
    return 0;
}

static uint32_t find_loaded(const struct ls_modules *modules, const struct sighting *sighting)
{
    uint32_t count = ls_load_relaxed(&modules->count);

    for (uint32_t i = 0; i < count; i++) {
        const struct ls_module *module = modules->entries[i];

        if (ls_load_relaxed(&module->unloaded_ns) == UINT64_MAX &&
            module->text_start == sighting->text_start && module->text_end == sighting->text_end &&
            strcmp(module->build_id, sighting->build_id) == 0)
            return i;
    }
    return count;
}

/*
 * Under the loader's lock. Own memory is all it calls into: that takes no lock the loader or the
 * host could be waiting on.
 */
static int look_at_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct scan *scan = context;
    uint32_t found;

    if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof(info->dlpi_subs)) {
        scan->adds = info->dlpi_adds;
        scan->subs = info->dlpi_subs;
        if (scan->adds == scan->modules->adds && scan->subs == scan->modules->subs) {
            scan->unchanged = true;
            return 1;
        }
    }
    describe(&scan->sighting, info);
    if (scan->sighting.text_end == 0)
        return 0;
    found = find_loaded(scan->modules, &scan->sighting);
    if (found == ls_load_relaxed(&scan->modules->count)) {
        int status =
            add_module(scan->modules, &scan->sighting, info->dlpi_name[0] == '\0', scan->now_ns);

        if (status != 0) {
            scan->status = status;
            return 0;
        }
    }
    scan->seen[found] = true;
    return 0;
}

int ls_modules_refresh(struct ls_modules *modules, uint64_t now_ns)
{
    struct scan *scan;
    int expected = 0;
    int status;

    /* One at a time; who comes second goes away, it does not wait. M3 */
    if (!ls_compare_exchange_acquire_release(&modules->updating, &expected, 1))
        return -EAGAIN;
    scan = ls_memory_own_allocate(sizeof(*scan));
    if (scan == NULL) {
        ls_store_release(&modules->updating, 0); /* M3 */
        return -ENOMEM;
    }
    scan->modules = modules;
    scan->now_ns = now_ns;
    dl_iterate_phdr(look_at_object, scan);
    if (!scan->unchanged) {
        uint32_t count = ls_load_relaxed(&modules->count);

        for (uint32_t i = 0; i < count; i++) {
            _Atomic uint64_t *unloaded_ns = &modules->entries[i]->unloaded_ns;

            if (!scan->seen[i] && ls_load_relaxed(unloaded_ns) == UINT64_MAX)
                ls_store_relaxed(unloaded_ns, now_ns);
        }
        /* A module there was no memory for is looked for again; not so when the table is full. */
        if (scan->status == 0 || modules->overflowed) {
            modules->adds = scan->adds;
            modules->subs = scan->subs;
        }
    }
    status = scan->status;
    ls_memory_own_free(scan, sizeof(*scan));
    ls_store_release(&modules->updating, 0); /* M3 */
    return status;
}

static bool has(const struct ls_module *module, uintptr_t pc)
{
    return pc >= module->text_start && pc < module->text_end;
}

static bool was_loaded(const struct ls_module *module, uint64_t when_ns)
{
    return module->loaded_ns <= when_ns && when_ns < ls_load_relaxed(&module->unloaded_ns);
}

const struct ls_module *ls_modules_find(struct ls_modules *modules, uintptr_t pc, uint64_t when_ns)
{
    uint32_t count = ls_load_acquire(&modules->count); /* M2 pairs with M1 */
    uint16_t *found = &modules->found[(pc >> PAGE_SHIFT) % LS_MODULES_FOUND];
    const struct ls_module *module = *found < count ? modules->entries[*found] : NULL;
    uint32_t newest = count;

    /* The same few pages of code are in most stacks. */
    if (module != NULL && has(module, pc) &&
        (!ls_load_relaxed(&module->overlapped) || was_loaded(module, when_ns)))
        return module;
    for (uint32_t i = 0; i < count; i++) {
        if (!has(modules->entries[i], pc))
            continue;
        /* Loaded since the last refresh before the capture: still its owner, unless another fits
         * the time better. */
        newest = i;
        if (was_loaded(modules->entries[i], when_ns))
            break;
    }
    if (newest == count)
        return NULL;
    *found = (uint16_t)newest;
    return modules->entries[newest];
}
