#include "system/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "system/clock.h"
#include "system/syscall.h"

#define SMALL_FILE_BYTES 4096

static uint64_t parse_number(const char *text, const char **end)
{
    uint64_t value = 0;

    while (*text == ' ' || *text == '\t')
        text++;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    if (end != NULL)
        *end = text;
    return value;
}

/* The number behind "Name:" in /proc/self/status, given there in KiB. With the line's start in the
 * name: the first line is the thread's name, which may be anything but holds no newline. */
static uint64_t status_bytes(const char *status, const char *name)
{
    const char *line = strstr(status, name);

    return line == NULL ? 0 : parse_number(line + strlen(name), NULL) * 1024;
}

int ls_process_read_memory(struct ls_process_memory *memory)
{
    char status[SMALL_FILE_BYTES];
    long length = ls_sys_read_file("/proc/self/status", status, sizeof(status));

    *memory = (struct ls_process_memory){0};
    if (length < 0)
        return (int)length;
    memory->resident_bytes = status_bytes(status, "\nVmRSS:");
    memory->resident_file_bytes =
        status_bytes(status, "\nRssFile:") + status_bytes(status, "\nRssShmem:");
    memory->virtual_bytes = status_bytes(status, "\nVmSize:");
    return 0;
}

/* The memory controller as version 1 or 2 of control groups has it. */
struct controller {
    const char *mount;
    const char *limit_file;
    const char *usage_file;
    /* Lines of memory.stat, which are "name number", of what the kernel drops to make room. */
    const char *droppable[3];
};

/* https://docs.kernel.org/admin-guide/cgroup-v1/memory.html; a figure without "total_" leaves out
 * the groups below. */
static const struct controller version_1 = {
    .mount = "/sys/fs/cgroup/memory",
    .limit_file = "/memory.limit_in_bytes",
    .usage_file = "/memory.usage_in_bytes",
    .droppable = {"total_inactive_file ", "total_active_file ", NULL},
};

/* https://docs.kernel.org/admin-guide/cgroup-v2.html */
static const struct controller version_2 = {
    .mount = "/sys/fs/cgroup",
    .limit_file = "/memory.max",
    .usage_file = "/memory.current",
    .droppable = {"inactive_file ", "active_file ", "slab_reclaimable "},
};

struct group {
    uint64_t limit_bytes; /* 0: none */
    uint64_t held_bytes;
};

static uint64_t sum_of_lines(const char *stat, const char *const names[3])
{
    uint64_t sum = 0;

    for (const char *line = stat; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        for (size_t i = 0; i < 3 && names[i] != NULL; i++) {
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                sum += parse_number(line + strlen(names[i]), NULL);
        }
    }
    return sum;
}

/* Reads a file of the directory that `directory` names. */
static bool read_in(const struct ls_text *directory, const char *file, char *content)
{
    struct ls_text path = *directory;

    ls_text_string(&path, file);
    return !path.truncated && ls_sys_read_file(path.bytes, content, SMALL_FILE_BYTES) > 0;
}

static uint64_t read_held(const struct ls_text *directory, const struct controller *controller)
{
    char content[SMALL_FILE_BYTES];
    uint64_t used_bytes;
    uint64_t droppable_bytes;

    if (!read_in(directory, controller->usage_file, content))
        return 0;
    used_bytes = parse_number(content, NULL);
    if (!read_in(directory, "/memory.stat", content))
        return 0;
    droppable_bytes = sum_of_lines(content, controller->droppable);
    return used_bytes > droppable_bytes ? used_bytes - droppable_bytes : 0;
}

/* "max" and the largest page-aligned number, which version 1 uses, mean no limit. */
static uint64_t read_limit(const struct ls_text *directory, const struct controller *controller)
{
    const uint64_t no_limit = UINT64_C(1) << 60;
    char content[SMALL_FILE_BYTES];
    uint64_t limit_bytes;

    if (!read_in(directory, controller->limit_file, content) || content[0] < '0' ||
        content[0] > '9')
        return 0;
    limit_bytes = parse_number(content, NULL);
    return limit_bytes >= no_limit ? 0 : limit_bytes;
}

/* A limit holds for all groups below it: climb from ours to the root of the mount, and take each
 * that is lower. Inside a container our path may not exist under the mount, which is then already
 * the group itself. */
static void climb(const struct controller *controller, const char *group, size_t group_length,
                  struct group *least)
{
    char path[SMALL_FILE_BYTES];

    for (;;) {
        struct ls_text directory;
        uint64_t limit_bytes;

        ls_text_init(&directory, path, sizeof(path));
        ls_text_string(&directory, controller->mount);
        ls_text_bytes(&directory, group, group_length);
        limit_bytes = read_limit(&directory, controller);
        if (limit_bytes > 0 && (least->limit_bytes == 0 || limit_bytes < least->limit_bytes))
            *least = (struct group){limit_bytes, read_held(&directory, controller)};
        if (group_length == 0)
            return;
        while (group_length > 0 && group[--group_length] != '/')
            continue;
    }
}

/* A line is "number:controllers:path"; version 2 has no controllers. */
static void look_at_line(const char *line, size_t length, struct group *least)
{
    const char *controllers = memchr(line, ':', length);
    const char *end = line + length;
    const char *path;
    bool is_memory;

    if (controllers == NULL)
        return;
    controllers++;
    path = memchr(controllers, ':', (size_t)(end - controllers));
    if (path == NULL)
        return;
    is_memory = path - controllers == 6 && memcmp(controllers, "memory", 6) == 0;
    if (path == controllers || is_memory)
        climb(is_memory ? &version_1 : &version_2, path + 1, (size_t)(end - path - 1), least);
}

uint64_t ls_process_cgroup_limit(uint64_t *held_bytes)
{
    char groups[SMALL_FILE_BYTES];
    const char *line = groups;
    struct group least = {0};

    *held_bytes = 0;
    if (ls_sys_read_file("/proc/self/cgroup", groups, sizeof(groups)) <= 0)
        return 0;
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");

        look_at_line(line, length, &least);
        line += length + (line[length] == '\n');
    }
    *held_bytes = least.held_bytes;
    return least.limit_bytes;
}

uint64_t ls_process_address_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur;
}

/* Field 22 of /proc/self/stat is the start in clock ticks after boot. The name in field 2 may hold
 * anything but is closed by the last parenthesis. */
double ls_process_started_at(void)
{
    char stat[SMALL_FILE_BYTES];
    const char *cursor;
    uint64_t ticks;
    double since_boot;
    double now = (double)ls_clock_ns(CLOCK_REALTIME) * 1e-9;
    double boot = (double)ls_clock_ns(CLOCK_BOOTTIME) * 1e-9;
    long ticks_per_second = sysconf(_SC_CLK_TCK);

    if (ls_sys_read_file("/proc/self/stat", stat, sizeof(stat)) <= 0)
        return now;
    cursor = strrchr(stat, ')');
    for (int field = 2; cursor != NULL && field < 22; field++) {
        cursor = strchr(cursor, ' ');
        if (cursor != NULL)
            cursor++;
    }
    if (cursor == NULL || ticks_per_second <= 0)
        return now;
    ticks = parse_number(cursor, NULL);
    since_boot = (double)ticks / (double)ticks_per_second;
    return since_boot > boot ? now : now - (boot - since_boot);
}

void ls_process_program(char *name, size_t capacity)
{
    char path[SMALL_FILE_BYTES];
    long length = ls_sys_readlinkat(AT_FDCWD, "/proc/self/exe", path, sizeof(path) - 1);
    const char *base;
    struct ls_text text;

    ls_text_init(&text, name, capacity);
    if (program_invocation_short_name != NULL && program_invocation_short_name[0] != '\0') {
        ls_text_string(&text, program_invocation_short_name);
        return;
    }
    if (length <= 0) {
        ls_text_string(&text, "unknown");
        return;
    }
    path[length] = '\0';
    base = strrchr(path, '/');
    ls_text_string(&text, base == NULL ? path : base + 1);
}

void ls_process_command(char *command, size_t capacity)
{
    long length = ls_sys_read_file("/proc/self/cmdline", command, capacity);

    if (length < 0) {
        command[0] = '\0';
        return;
    }
    while (length > 0 && command[length - 1] == '\0')
        length--;
    for (long i = 0; i < length; i++) {
        if (command[i] == '\0')
            command[i] = ' ';
    }
}

void ls_process_working_directory(char *path, size_t capacity)
{
    long length = ls_sys_readlinkat(AT_FDCWD, "/proc/self/cwd", path, capacity - 1);

    path[length > 0 ? length : 0] = '\0';
}

/* The state letter behind the name in a stat file; 0 when it cannot be read. */
static char state_in(const char *path)
{
    char stat[SMALL_FILE_BYTES];
    const char *name_end;

    if (ls_sys_read_file(path, stat, sizeof(stat)) <= 0)
        return 0;
    name_end = strrchr(stat, ')');
    return name_end == NULL || name_end[1] == '\0' ? 0 : name_end[2];
}

static bool has_ended(char state)
{
    return state == 'Z' || state == 'X' || state == 'x';
}

bool ls_process_main_thread_ended(void)
{
    return has_ended(state_in("/proc/self/stat"));
}

struct directory_entry { /* linux_dirent64 of getdents64(2) */
    uint64_t inode;
    int64_t next;
    unsigned short length;
    unsigned char type;
    char name[];
};

static bool is_running_thread(const char *name)
{
    char path[64];
    struct ls_text text;

    ls_text_init(&text, path, sizeof(path));
    ls_text_string(&text, "/proc/self/task/");
    ls_text_string(&text, name);
    ls_text_string(&text, "/stat");
    /* One that went away meanwhile has ended too. */
    return !has_ended(state_in(path)) && state_in(path) != 0;
}

static bool is_other_thread(const char *name, int first, int second)
{
    uint64_t thread = parse_number(name, NULL);

    return name[0] >= '0' && name[0] <= '9' && thread != (uint64_t)first &&
           thread != (uint64_t)second && is_running_thread(name);
}

bool ls_process_has_other_threads(int first, int second)
{
    _Alignas(struct directory_entry) char entries[2048];
    long fd = ls_sys_openat(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    bool found = fd < 0;
    long length;

    while (!found && (length = ls_sys_getdents64((int)fd, entries, sizeof(entries))) > 0) {
        for (long at = 0; at < length && !found;) {
            const struct directory_entry *entry = (const void *)(entries + at);

            found = is_other_thread(entry->name, first, second);
            at += entry->length;
        }
    }
    if (fd >= 0)
        ls_sys_close((int)fd);
    return found;
}

void ls_process_thread_name(int thread, char *name, size_t capacity)
{
    char path[64];
    char comm[32];
    struct ls_text text;
    long length;

    ls_text_init(&text, path, sizeof(path));
    ls_text_string(&text, "/proc/self/task/");
    ls_text_signed(&text, thread);
    ls_text_string(&text, "/comm");
    length = ls_sys_read_file(path, comm, sizeof(comm));
    if (length > 0 && comm[length - 1] == '\n')
        comm[--length] = '\0';
    if (length <= 0 && name[0] != '\0')
        return;
    ls_text_init(&text, name, capacity);
    if (length > 0) {
        ls_text_string(&text, comm);
    } else {
        ls_text_string(&text, "thread ");
        ls_text_signed(&text, thread);
    }
}
