#include "v8/guard.h"

#include <errno.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "system/syscall.h"

/* msync of a hole is ENOMEM; of anything mapped, with MS_ASYNC, it does nothing
 * (https://man7.org/linux/man-pages/man2/msync.2.html). Unlike process_vm_readv no sandbox refuses
 * it. */
bool ls_v8_guard_mapped(const void *address, size_t size)
{
    uintptr_t page = getauxval(AT_PAGESZ);
    uintptr_t first = (uintptr_t)address & ~(page - 1);
    uintptr_t end = (uintptr_t)address + size;

    return ls_sys_call6(SYS_msync, (long)first, (long)(end - first), MS_ASYNC, 0, 0, 0) != -ENOMEM;
}
