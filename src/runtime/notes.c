#include "runtime/notes.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/text.h"
#include "system/syscall.h"

#define STDERR         2
#define LINE_MAX_BYTES 512

static struct stat stderr_at_start;
static bool stderr_was_open;
static LS_THREAD_LOCAL bool descriptors_are_own;
static char lines_kept[LS_NOTES_MAX][LINE_MAX_BYTES];
static bool used[LS_NOTES_MAX];
static _Atomic int lock;

void ls_notes_start(void)
{
    stderr_was_open = ls_sys_fstat(STDERR, &stderr_at_start) == 0;
}

static void take_lock(void)
{
    while (ls_exchange_acquire_release(&lock, 1) != 0)
        continue;
}

static void drop_lock(void)
{
    ls_store_release(&lock, 0);
}

static size_t find(const char *line)
{
    size_t i = 0;

    while (i < LS_NOTES_MAX && !(used[i] && strncmp(lines_kept[i], line, LINE_MAX_BYTES - 1) == 0))
        i++;
    return i;
}

bool ls_note(const char *line)
{
    size_t place = 0;
    bool added = false;

    take_lock();
    if (find(line) == LS_NOTES_MAX) {
        while (place < LS_NOTES_MAX && used[place])
            place++;
        if (place < LS_NOTES_MAX) {
            struct ls_text text;

            ls_text_init(&text, lines_kept[place], LINE_MAX_BYTES);
            ls_text_string(&text, line);
            used[place] = true;
            added = true;
        }
    }
    drop_lock();
    return added;
}

static bool is_stderr_of_start(int fd)
{
    struct stat now;

    return fd >= 0 && ls_sys_fstat(fd, &now) == 0 && now.st_dev == stderr_at_start.st_dev &&
           now.st_ino == stderr_at_start.st_ino;
}

/* The host's descriptor 2 as it is at this moment, for a thread that shares no descriptors with the
 * host. -errno when the kernel is older than 5.6 or forbids it: then the line is in the notes only.
 */
static int borrow_stderr(void)
{
    long process = ls_sys_call6(SYS_pidfd_open, ls_sys_getpid(), 0, 0, 0, 0, 0);
    long fd;

    if (process < 0)
        return (int)process;
    fd = ls_sys_call6(SYS_pidfd_getfd, process, STDERR, 0, 0, 0, 0);
    ls_sys_close((int)process);
    return (int)fd;
}

void ls_notes_descriptors_are_own(void)
{
    descriptors_are_own = true;
}

void ls_warn(const char *line)
{
    char message[LINE_MAX_BYTES + 16];
    struct ls_text text;
    bool borrowed;
    int fd;

    if (!ls_note(line) || !stderr_was_open)
        return;
    ls_text_init(&text, message, sizeof(message));
    ls_text_string(&text, "leakshim: ");
    ls_text_string(&text, line);
    ls_text_char(&text, '\n');
    borrowed = descriptors_are_own;
    fd = borrowed ? borrow_stderr() : STDERR;
    if (is_stderr_of_start(fd))
        ls_sys_write_all(fd, message, text.length);
    if (borrowed && fd >= 0)
        ls_sys_close(fd);
}

void ls_note_remove(const char *line)
{
    size_t place;

    take_lock();
    place = find(line);
    if (place < LS_NOTES_MAX)
        used[place] = false;
    drop_lock();
}

size_t ls_notes_list(const char **lines, size_t capacity)
{
    size_t count = 0;

    take_lock();
    for (size_t i = 0; i < LS_NOTES_MAX && count < capacity; i++) {
        if (used[i])
            lines[count++] = lines_kept[i];
    }
    drop_lock();
    return count;
}
