#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/thread.h"
#include "capture/unwind.h"
#include "capture/unwind_imports.h"
#include "ledger/stack_table.h"
#include "system/memory.h"

static unsigned count_descriptors(const char *kind)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    unsigned count = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char target[256];
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

        target[length > 0 ? length : 0] = '\0';
        count += strncmp(target, kind, strlen(kind)) == 0;
    }
    closedir(directory);
    return count;
}

static unsigned pipes_before;
static unsigned files_before;

static int start(void **state)
{
    (void)state;
    pipes_before = count_descriptors("pipe:");
    files_before = count_descriptors("/");
    return ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_thread_start(NULL) != 0 ||
           ls_unwind_start(64) != 0;
}

/* A record that cannot be walked from: libunwind is asked. */
static void capture(void)
{
    static const struct ls_frame_record elsewhere; /* not on this stack */
    struct ls_captured captured;
    struct ls_thread *thread = ls_thread_enter();

    ls_unwind_capture(thread, &elsewhere, &captured);
    ls_thread_leave();
    assert_true(captured.depth > 0);
    assert_true(captured.pcs == captured.buffer);
}

#if defined(__x86_64__)
/* Code without unwind information: libunwind probes what its frame pointer points at. */
void call_with_frame(uintptr_t frame_pointer, void (*function)(void));
__asm__(".text\n"
        ".globl call_with_frame\n"
        ".type call_with_frame, @function\n"
        "call_with_frame:\n"
        "    push %rbp\n"
        "    push %rbx\n"
        "    push %r12\n"
        "    mov %rdi, %rbp\n"
        "    call *%rsi\n"
        "    pop %r12\n"
        "    pop %rbx\n"
        "    pop %rbp\n"
        "    ret\n"
        ".size call_with_frame, . - call_with_frame\n");

static void probe(void)
{
    static _Alignas(4096) uintptr_t pages[4][512];

    for (int i = 0; i < 4; i++)
        call_with_frame((uintptr_t)pages[i], capture);
    call_with_frame(4096, capture);
    call_with_frame((uintptr_t)__builtin_frame_address(0), capture);
}
#else
static void probe(void)
{
    capture();
}
#endif

static void libunwind_holds_no_descriptor(void **state)
{
    (void)state;
    probe();
    assert_int_equal(count_descriptors("pipe:"), pipes_before);
    assert_int_equal(count_descriptors("/"), files_before);
}

static void libunwind_writes_into_no_descriptor_of_the_host(void **state)
{
    char name[] = "/tmp/test_unwind_imports.XXXXXX";
    int file = mkstemp(name);
    int last = file;
    struct stat status;

    (void)state;
    assert_true(file >= 0);
    unlink(name);
    /* A host that has closed everything and then owns every low number. */
    while (last < 40)
        last = dup(file);
    probe();
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(status.st_size, 0);
    assert_int_equal(lseek(file, 0, SEEK_CUR), 0);
    for (int fd = file; fd <= last; fd++)
        close(fd);
}

struct relro {
    uintptr_t start;
    uintptr_t end;
};

static int find_relro(struct dl_phdr_info *info, size_t size, void *context)
{
    struct relro *relro = context;

    (void)size;
    if (strstr(info->dlpi_name, "libunwind.so.8") == NULL)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
            relro->start = (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr) & ~(uintptr_t)4095;
            relro->end =
                (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz) &
                ~(uintptr_t)4095;
        }
    }
    return 1;
}

static void what_the_loader_sealed_is_sealed_again(void **state)
{
    struct relro relro = {0, 0};
    uintptr_t covered = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];

    (void)state;
    assert_int_equal(dl_iterate_phdr(find_relro, &relro), 1);
    assert_true(relro.end > relro.start);
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from;
        unsigned long to;
        char rights[5];

        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3)
            continue;
        from = from > relro.start ? from : relro.start;
        to = to < relro.end ? to : relro.end;
        if (from >= to)
            continue;
        assert_string_equal(rights, "r--p");
        covered += to - from;
    }
    fclose(maps);
    assert_int_equal(covered, relro.end - relro.start);
}

static void libunwind_stays_out_of_the_global_scope(void **state)
{
    (void)state;
    assert_null(dlsym(RTLD_DEFAULT, "unw_backtrace"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libunwind_holds_no_descriptor),
        cmocka_unit_test(libunwind_writes_into_no_descriptor_of_the_host),
        cmocka_unit_test(what_the_loader_sealed_is_sealed_again),
        cmocka_unit_test(libunwind_stays_out_of_the_global_scope),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
