#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "system/process.h"
#include "system/syscall.h"

static void resident_memory_follows_what_is_touched(void **state)
{
    const size_t bytes = (size_t)32 << 20;
    struct ls_process_memory before;
    struct ls_process_memory after;
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(ls_process_read_memory(&before), 0);
    memset(pages, 1, bytes);
    assert_int_equal(ls_process_read_memory(&after), 0);
    assert_true(after.resident_bytes >= before.resident_bytes + bytes - ((size_t)4 << 20));
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* shadow memory comes on top  \
                                                                     */
    assert_true(after.resident_bytes <= before.resident_bytes + bytes + ((size_t)8 << 20));
#endif
    assert_true(after.resident_file_bytes > 0);
    assert_true(after.resident_file_bytes < after.resident_bytes);
    assert_true(after.virtual_bytes >= after.resident_bytes);
    munmap(pages, bytes);
}

static void a_thread_name_cannot_pass_for_a_figure(void **state)
{
    struct ls_process_memory memory;
    char former[16];

    (void)state;
    prctl(PR_GET_NAME, former);
    prctl(PR_SET_NAME, "VmRSS:  7 kB");
    assert_int_equal(ls_process_read_memory(&memory), 0);
    prctl(PR_SET_NAME, former);
    assert_true(memory.resident_bytes > 100000);
}

static void the_address_limit_is_that_of_the_process(void **state)
{
    struct rlimit limit;

    (void)state;
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY)
        assert_int_equal(ls_process_address_limit(), 0);
    else
        assert_true(ls_process_address_limit() == limit.rlim_cur);
}

static void the_start_lies_a_short_time_ago(void **state)
{
    struct timespec now;
    double started_at = ls_process_started_at();

    (void)state;
    clock_gettime(CLOCK_REALTIME, &now);
    assert_true(started_at <= (double)now.tv_sec + 1);
    assert_true(started_at > (double)now.tv_sec - 600);
    assert_true(ls_process_started_at() - started_at < 0.1);
}

static void the_program_is_named_by_its_file(void **state)
{
    char name[64];
    char tiny[5];

    (void)state;
    ls_process_program(name, sizeof(name));
    assert_string_equal(name, "test_process_facts");
    ls_process_program(tiny, sizeof(tiny));
    assert_string_equal(tiny, "test");
}

static void the_command_is_its_arguments_and_fits(void **state)
{
    char command[4096];
    char tiny[6];

    (void)state;
    ls_process_command(command, sizeof(command));
    assert_non_null(strstr(command, "test_process_facts"));
    ls_process_command(tiny, sizeof(tiny));
    assert_int_equal(strlen(tiny), 5);
    assert_int_equal(strncmp(tiny, command, 5), 0);
}

static void a_group_without_a_limit_has_none(void **state)
{
    uint64_t held_bytes;
    uint64_t limit = ls_process_cgroup_limit(&held_bytes);

    (void)state;
    /* Whatever the machine, it is none or a size memory can have. */
    assert_true(limit == 0 || (limit >= 1 << 20 && limit < UINT64_C(1) << 60));
}

static void files_are_read_whole_or_cut(void **state)
{
    char buffer[16];
    char one[1];

    (void)state;
    assert_true(ls_sys_read_file("/proc/self/nothing", buffer, sizeof(buffer)) < 0);
    assert_true(ls_sys_read_file("/proc", buffer, sizeof(buffer)) < 0);
    assert_int_equal(ls_sys_read_file("/proc/self/status", buffer, sizeof(buffer)), 15);
    assert_int_equal(strlen(buffer), 15);
    assert_int_equal(ls_sys_read_file("/proc/self/status", one, 1), 0);
    assert_int_equal(one[0], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resident_memory_follows_what_is_touched),
        cmocka_unit_test(a_thread_name_cannot_pass_for_a_figure),
        cmocka_unit_test(the_address_limit_is_that_of_the_process),
        cmocka_unit_test(the_start_lies_a_short_time_ago),
        cmocka_unit_test(the_program_is_named_by_its_file),
        cmocka_unit_test(the_command_is_its_arguments_and_fits),
        cmocka_unit_test(a_group_without_a_limit_has_none),
        cmocka_unit_test(files_are_read_whole_or_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
