/*
 * Mappings. What the dynamic loader, libc's malloc and pthread_create map goes past these
 * functions; what V8 and other allocators map comes through.
 *
 * A release is recorded before the real call and taken back when that fails, an acquire after it
 * (src/capture/mappings.h). madvise is left alone: pages given back by it stay committed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "capture/mappings.h"
#include "interpose/hooks.h"
#include "system/real.h"
#include "system/syscall.h"

#define PAGE_BYTES ((uintptr_t)4096)

LS_EXPORT void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
LS_EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd,
                       off64_t offset);
LS_EXPORT int munmap(void *address, size_t length);
LS_EXPORT void *mremap(void *address, size_t old_length, size_t length, int flags, ...);
LS_EXPORT int mprotect(void *address, size_t length, int protection);
LS_EXPORT int pkey_mprotect(void *address, size_t length, int protection, int key);
LS_EXPORT int brk(void *address);
LS_EXPORT void *sbrk(intptr_t increment);
LS_EXPORT void *shmat(int id, const void *address, int flags);
LS_EXPORT int shmdt(const void *address);

/* The kernel rounds up to whole pages of the size asked for; a large page has 2 MiB unless the
 * flags say else. */
static size_t mapped_length(size_t length, int flags)
{
    unsigned bits = (unsigned)flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
    size_t page = (size_t)1 << (bits == 0 ? 21 : bits);

    return (flags & MAP_HUGETLB) == 0 ? length : (length + page - 1) & ~(page - 1);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    void *mapped = LS_REAL(mmap)(address, length, protection, flags, fd, offset);

    if (LS_LIKELY(mapped != MAP_FAILED))
        ls_mappings_acquire(mapped, mapped_length(length, flags), protection,
                            __builtin_return_address(0));
    return mapped;
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
{
    void *mapped = LS_REAL(mmap)(address, length, protection, flags, fd, offset);

    if (LS_LIKELY(mapped != MAP_FAILED))
        ls_mappings_acquire(mapped, mapped_length(length, flags), protection,
                            __builtin_return_address(0));
    return mapped;
}

int munmap(void *address, size_t length)
{
    ls_mapping_ticket ticket = ls_mappings_release(address, length);
    int status = LS_REAL(munmap)(address, length);

    if (LS_UNLIKELY(status != 0))
        ls_mappings_restore(ticket);
    return status;
}

static size_t whole_pages(size_t length)
{
    return (length + PAGE_BYTES - 1) & -PAGE_BYTES;
}

/* As realloc: who changes the size is who has it from then on; what only gets shorter stays where
 * it was counted. */
void *mremap(void *address, size_t old_length, size_t length, int flags, ...)
{
    bool keeps_old = old_length == 0 || (flags & MREMAP_DONTUNMAP) != 0;
    bool is_fixed = (flags & MREMAP_FIXED) != 0;
    bool shrinks = whole_pages(length) < whole_pages(old_length) && !is_fixed;
    bool grows = whole_pages(length) > whole_pages(old_length);
    ls_mapping_ticket ticket = 0;
    void *wanted = NULL;
    void *moved;

    if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0) {
        va_list rest;

        va_start(rest, flags);
        wanted = va_arg(rest, void *);
        va_end(rest);
    }
    if (shrinks && !keeps_old)
        ticket = ls_mappings_lift((char *)address + whole_pages(length),
                                  whole_pages(old_length) - whole_pages(length));
    else if (!keeps_old && (grows || is_fixed))
        ticket = ls_mappings_lift(address, old_length);
    moved = LS_REAL(mremap)(address, old_length, length, flags, wanted);
    if (moved == MAP_FAILED)
        ls_mappings_restore(ticket);
    else if (shrinks)
        ls_mappings_confirm(ticket);
    else if (keeps_old || grows || is_fixed)
        ls_mappings_move(ticket, moved, length, __builtin_return_address(0));
    return moved;
}

int mprotect(void *address, size_t length, int protection)
{
    int status = LS_REAL(mprotect)(address, length, protection);

    if (LS_LIKELY(status == 0))
        ls_mappings_protect(address, length, protection);
    return status;
}

int pkey_mprotect(void *address, size_t length, int protection, int key)
{
    int status = LS_REAL(pkey_mprotect)(address, length, protection, key);

    if (LS_LIKELY(status == 0))
        ls_mappings_protect(address, length, protection);
    return status;
}

/* What is left of the page the break is in has been there before. */
static ls_mapping_ticket before_break(const void *now, const void *wanted)
{
    uintptr_t from = whole_pages((uintptr_t)wanted);
    uintptr_t to = whole_pages((uintptr_t)now);

    return from < to ? ls_mappings_release((const void *)from, to - from) : 0;
}

static void after_break(const void *before, const void *now, const void *caller)
{
    uintptr_t from = whole_pages((uintptr_t)before);
    uintptr_t to = whole_pages((uintptr_t)now);

    if (from < to)
        ls_mappings_acquire((const void *)from, to - from, PROT_READ | PROT_WRITE, caller);
}

int brk(void *address)
{
    const void *before = LS_REAL(sbrk)(0);
    ls_mapping_ticket ticket = before_break(before, address);
    int status = LS_REAL(brk)(address);

    if (status == 0)
        after_break(before, address, __builtin_return_address(0));
    else
        ls_mappings_restore(ticket);
    return status;
}

void *sbrk(intptr_t increment)
{
    ls_mapping_ticket ticket = 0;
    char *before;

    if (increment < 0) {
        before = LS_REAL(sbrk)(0);
        ticket = before_break(before, before + increment);
    }
    before = LS_REAL(sbrk)(increment);
    if (before == (void *)-1)
        ls_mappings_restore(ticket);
    else if (increment > 0)
        after_break(before, before + increment, __builtin_return_address(0));
    return before;
}

static size_t segment_bytes(int id)
{
    struct shmid_ds segment;

    return ls_sys_call6(SYS_shmctl, id, IPC_STAT, (long)&segment, 0, 0, 0) < 0 ? 0
                                                                               : segment.shm_segsz;
}

void *shmat(int id, const void *address, int flags)
{
    void *attached = LS_REAL(shmat)(id, address, flags);

    if (attached != (void *)-1 && ls_mappings_active())
        ls_mappings_acquire(attached, segment_bytes(id), PROT_READ, __builtin_return_address(0));
    return attached;
}

int shmdt(const void *address)
{
    ls_mapping_ticket ticket = ls_mappings_detach(address);
    int status = LS_REAL(shmdt)(address);

    if (LS_UNLIKELY(status != 0))
        ls_mappings_restore(ticket);
    return status;
}
