#include "runtime/reconcile.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "capture/descriptors.h"
#include "system/syscall.h"

struct entry { /* linux_dirent64 of getdents64(2) */
    uint64_t inode;
    int64_t next;
    unsigned short length;
    unsigned char type;
    char name[];
};

struct listing {
    int directory; /* /proc/self/fd: the descriptors of the process, whatever this thread has */
    enum ls_resource_origin origin;
    bool starts;
};

static int parse(const char *name)
{
    long number = 0;

    if (*name < '0' || *name > '9')
        return -1;
    for (; *name >= '0' && *name <= '9' && number < LS_DESCRIPTORS_MAX; name++)
        number = number * 10 + (*name - '0');
    return (int)number;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t end_length = strlen(end);

    return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

/* The directory is listed in itself when the collector shares the host's descriptors. */
static void meet(const struct listing *listing, const char *name)
{
    int fd = parse(name);
    char target[64];
    long length;

    if (fd < 0 || ls_descriptor_is_known(fd))
        return;
    length = ls_sys_readlinkat(listing->directory, name, target, sizeof(target));
    if (length <= 0 || (fd == listing->directory && ends_with(target, (size_t)length, "/fd")))
        return;
    ls_descriptor_unseen(fd,
                         length > 8 && memcmp(target, "socket:[", 8) == 0 ? LS_RESOURCE_SOCKET
                                                                          : LS_RESOURCE_FILE,
                         listing->origin, listing->starts);
}

/* True when all were read. */
static bool meet_all(const struct listing *listing)
{
    _Alignas(struct entry) char entries[4096];
    long length;

    while ((length = ls_sys_getdents64(listing->directory, entries, sizeof(entries))) > 0) {
        for (long at = 0; at < length;) {
            const struct entry *entry = (const void *)(entries + at);

            meet(listing, entry->name);
            at += entry->length;
        }
    }
    return length == 0;
}

static void reconcile(bool starts)
{
    struct listing listing = {
        .directory =
            (int)ls_sys_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0),
        .origin = starts ? LS_ORIGIN_EARLIER : LS_ORIGIN_UNSEEN,
        .starts = starts,
    };

    if (listing.directory < 0)
        return;
    ls_descriptors_begin_check();
    if (meet_all(&listing))
        ls_descriptors_end_check();
    ls_sys_close(listing.directory);
}

void ls_reconcile_start(void)
{
    if (ls_resource_is_tracked(LS_RESOURCE_SOCKET) || ls_resource_is_tracked(LS_RESOURCE_FILE))
        reconcile(true);
}

void ls_reconcile(void)
{
    if (ls_resource_is_tracked(LS_RESOURCE_SOCKET) || ls_resource_is_tracked(LS_RESOURCE_FILE))
        reconcile(false);
}
