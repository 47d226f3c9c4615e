#include "runtime/notes.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic.h"
#include "base/text.h"
#include "system/syscall.h"

#define STDERR         2
#define LINE_MAX_BYTES 512

static struct stat stderr_at_start;
static bool stderr_was_open;
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

void ls_warn(const char *line)
{
    char message[LINE_MAX_BYTES + 16];
    struct ls_text text;
    struct stat now;

    if (!ls_note(line))
        return;
    if (!stderr_was_open || ls_sys_fstat(STDERR, &now) != 0 ||
        now.st_dev != stderr_at_start.st_dev || now.st_ino != stderr_at_start.st_ino)
        return;
    ls_text_init(&text, message, sizeof(message));
    ls_text_string(&text, "leakshim: ");
    ls_text_string(&text, line);
    ls_text_char(&text, '\n');
    ls_sys_write_all(STDERR, message, text.length);
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
