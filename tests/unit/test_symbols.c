#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/demangle.h"
#include "report/symbols.h"
#include "system/elf_notes.h"

/*
 * An ELF file made by hand:
 *   0x1000 alpha   size 0x100
 *   0x1040 inner   size 0x10, inside alpha
 *   0x1000 local   the same place and size, a local alias
 *   0x1200 _ZN4node6Buffer3NewEPN2v87IsolateEm  size 0x80
 *   0x1300 assembly, no size, up to the end of its section at 0x1400
 *   0x1500 data    not a function
 *   0x1500 missing undefined
 */
#define BUILD_ID "0123456789abcdef"

struct layout {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    struct {
        Elf64_Nhdr note;
        char name[4];
        unsigned char id[8];
    } note;
    Elf64_Shdr sections[4];
    Elf64_Sym symbols[8];
    char strings[128];
};

static struct layout elf;
static char path[64];

static uint32_t add_string(const char *string)
{
    static size_t used;
    size_t at;

    if (string == NULL) {
        used = 1;
        return 0;
    }
    at = used;
    used += strlen(string) + 1;
    assert_true(used <= sizeof(elf.strings));
    strcpy(elf.strings + at, string);
    return (uint32_t)at;
}

static Elf64_Sym symbol(const char *name, unsigned char info, uint16_t section, uint64_t value,
                        uint64_t size)
{
    return (Elf64_Sym){.st_name = add_string(name),
                       .st_info = info,
                       .st_shndx = section,
                       .st_value = value,
                       .st_size = size};
}

static void build_elf(void)
{
    static const unsigned char id[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
    const unsigned char global = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    const unsigned char local = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);

    memset(&elf, 0, sizeof(elf));
    memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
    elf.header.e_ident[EI_CLASS] = ELFCLASS64;
    elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
#if defined(__x86_64__)
    elf.header.e_machine = EM_X86_64;
#else
    elf.header.e_machine = EM_AARCH64;
#endif
    elf.header.e_phoff = offsetof(struct layout, segments);
    elf.header.e_phentsize = sizeof(Elf64_Phdr);
    elf.header.e_phnum = 2;
    elf.header.e_shoff = offsetof(struct layout, sections);
    elf.header.e_shentsize = sizeof(Elf64_Shdr);
    elf.header.e_shnum = 4;
    elf.segments[1] = (Elf64_Phdr){
        .p_type = PT_NOTE, .p_offset = offsetof(struct layout, note), .p_filesz = sizeof(elf.note)};
    elf.note.note = (Elf64_Nhdr){4, sizeof(id), NT_GNU_BUILD_ID};
    memcpy(elf.note.name, "GNU", 4);
    memcpy(elf.note.id, id, sizeof(id));
    elf.sections[1] = (Elf64_Shdr){.sh_type = SHT_PROGBITS, .sh_addr = 0x1000, .sh_size = 0x400};
    elf.sections[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                   .sh_link = 3,
                                   .sh_offset = offsetof(struct layout, symbols),
                                   .sh_size = sizeof(elf.symbols),
                                   .sh_entsize = sizeof(Elf64_Sym)};
    elf.sections[3] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
                                   .sh_offset = offsetof(struct layout, strings),
                                   .sh_size = sizeof(elf.strings)};
    add_string(NULL);
    elf.symbols[1] = symbol("local", local, 1, 0x1000, 0x100);
    elf.symbols[2] = symbol("alpha", global, 1, 0x1000, 0x100);
    elf.symbols[3] = symbol("inner", local, 1, 0x1040, 0x10);
    elf.symbols[4] = symbol("_ZN4node6Buffer3NewEPN2v87IsolateEm", global, 1, 0x1200, 0x80);
    elf.symbols[5] = symbol("assembly", global, 1, 0x1300, 0);
    elf.symbols[6] = symbol("data", ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 1, 0x1500, 0x100);
    elf.symbols[7] = symbol("missing", global, SHN_UNDEF, 0x1500, 0x100);
}

static void write_elf(size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, &elf, length), length);
    assert_int_equal(close(fd), 0);
}

static int make_file(void **state)
{
    int fd;

    (void)state;
    strcpy(path, "/tmp/leakshim-elf-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    build_elf();
    write_elf(sizeof(elf));
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static struct ls_symbols_query queries[16];
static char names[16][64];

static int look_up(const char *build_id, const uint64_t *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        queries[i] = (struct ls_symbols_query){
            .offset = offsets[i], .name = names[i], .capacity = sizeof(names[i]), .tag = i};
    return ls_symbols_name(path, build_id, queries, count);
}

/* Queries are reordered; the tag leads back. */
static const char *name_of(size_t tag)
{
    return names[tag];
}

static void an_address_gets_the_innermost_global_function_around_it(void **state)
{
    const uint64_t offsets[] = {0x1240, 0x1000, 0x10ff, 0x1045, 0x1050};

    (void)state;
    assert_int_equal(look_up(BUILD_ID, offsets, 5), 5);
    assert_string_equal(name_of(0), "node::Buffer::New");
    assert_string_equal(name_of(1), "alpha");
    assert_string_equal(name_of(2), "alpha");
    assert_string_equal(name_of(3), "inner");
    assert_string_equal(name_of(4), "alpha");
    for (size_t i = 0; i < 5; i++) {
        assert_ptr_equal(queries[i].name, names[queries[i].tag]);
        assert_true(queries[i].start <= queries[i].offset);
    }
}

static void an_address_between_functions_has_no_name(void **state)
{
    const uint64_t offsets[] = {0, 0xfff, 0x1100, 0x11ff, 0x1280, 0x1500, UINT64_MAX};

    (void)state;
    assert_int_equal(look_up(BUILD_ID, offsets, 7), 0);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(name_of(i), "");
}

static void a_function_without_a_size_reaches_to_the_end_of_its_section(void **state)
{
    const uint64_t offsets[] = {0x1300, 0x13ff, 0x1400};

    (void)state;
    assert_int_equal(look_up(BUILD_ID, offsets, 3), 2);
    assert_string_equal(name_of(0), "assembly");
    assert_string_equal(name_of(1), "assembly");
    assert_string_equal(name_of(2), "");
}

static void a_file_replaced_since_it_was_loaded_names_nothing(void **state)
{
    const uint64_t offset = 0x1000;

    (void)state;
    assert_int_equal(look_up("0123456789abcdee", &offset, 1), -ESTALE);
    assert_int_equal(look_up("", &offset, 1), -ESTALE);
    assert_int_equal(look_up("0123", &offset, 1), -ESTALE);
    elf.segments[1].p_type = PT_NULL;
    write_elf(sizeof(elf));
    assert_int_equal(look_up(BUILD_ID, &offset, 1), -ESTALE);
    assert_int_equal(look_up("", &offset, 1), 1);
}

static void a_stripped_file_falls_back_to_its_dynamic_symbols(void **state)
{
    const uint64_t offset = 0x1000;

    (void)state;
    elf.sections[2].sh_type = SHT_DYNSYM;
    write_elf(sizeof(elf));
    assert_int_equal(look_up(BUILD_ID, &offset, 1), 1);
    assert_string_equal(name_of(0), "alpha");
    elf.sections[2].sh_type = SHT_PROGBITS;
    write_elf(sizeof(elf));
    assert_int_equal(look_up(BUILD_ID, &offset, 1), -ENODATA);
}

static void a_name_that_does_not_fit_is_cut(void **state)
{
    struct ls_symbols_query query = {.offset = 0x1000, .name = names[0], .capacity = 4};

    (void)state;
    assert_int_equal(ls_symbols_name(path, BUILD_ID, &query, 1), 1);
    assert_string_equal(names[0], "alp");
}

static void what_is_no_elf_file_is_refused(void **state)
{
    const uint64_t offset = 0x1000;

    (void)state;
    write_elf(sizeof(Elf64_Ehdr) - 1);
    assert_int_equal(look_up("", &offset, 1), -ENOEXEC);
    elf.header.e_machine = EM_MIPS;
    write_elf(sizeof(elf));
    assert_int_equal(look_up("", &offset, 1), -ENOEXEC);
    unlink(path);
    assert_int_equal(look_up("", &offset, 1), -ENOENT);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(look_up("", &offset, 1), -ENOEXEC);
}

static void every_truncation_is_survived(void **state)
{
    const uint64_t offsets[] = {0x1000, 0x1240, 0x1300};

    (void)state;
    for (size_t length = 0; length < sizeof(elf); length++) {
        int result;

        write_elf(length);
        result = look_up(BUILD_ID, offsets, 3);
        assert_true(result <= 3);
    }
}

/* Every byte of headers, symbols and strings set to extremes: no crash, no name out of bounds. */
static void every_damaged_byte_is_survived(void **state)
{
    static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    const uint64_t offsets[] = {0x1000, 0x1045, 0x1240, 0x1300, UINT64_MAX};
    unsigned char *bytes = (unsigned char *)&elf;

    (void)state;
    for (size_t i = 0; i < sizeof(elf); i++) {
        unsigned char saved = bytes[i];

        for (size_t k = 0; k < sizeof(values); k++) {
            bytes[i] = values[k];
            write_elf(sizeof(elf));
            assert_true(look_up(BUILD_ID, offsets, 5) <= 5);
        }
        bytes[i] = saved;
    }
}

static void a_build_id_is_read_from_notes_in_memory(void **state)
{
    struct {
        Elf64_Nhdr first;
        char first_name[8];
        unsigned char first_bytes[4];
        Elf64_Nhdr second;
        char second_name[4];
        unsigned char id[3];
    } notes = {{5, 2, 1}, "other", {0}, {4, 3, NT_GNU_BUILD_ID}, "GNU", {0xab, 0x0c, 0xff}};
    const size_t used = offsetof(__typeof__(notes), id) + 3;
    char hex[64];

    (void)state;
    assert_int_equal(ls_elf_build_id(&notes, used, hex, sizeof(hex)), 6);
    assert_string_equal(hex, "ab0cff");
    assert_int_equal(ls_elf_build_id(&notes, used, hex, 5), 4);
    assert_string_equal(hex, "ab0c");
    assert_int_equal(ls_elf_build_id(&notes, used, hex, 1), 0);
    for (size_t length = 0; length < used; length++)
        assert_int_equal(ls_elf_build_id(&notes, length, hex, sizeof(hex)), 0);
    notes.first.n_descsz = UINT32_MAX;
    assert_int_equal(ls_elf_build_id(&notes, used, hex, sizeof(hex)), 0);
    notes.first.n_descsz = 2;
    notes.first.n_namesz = UINT32_MAX;
    assert_int_equal(ls_elf_build_id(&notes, used, hex, sizeof(hex)), 0);
}

/* The test's own file, as the loader and the linker really make them. */
__attribute__((noinline, used)) void named_by_its_own_test(void);
__attribute__((noinline, used)) void named_by_its_own_test(void)
{
    __asm__ volatile("" ::: "memory");
}

static uint64_t load_bias(void)
{
    extern const char __ehdr_start[];
    const Elf64_Ehdr *header = (const void *)__ehdr_start;
    const Elf64_Phdr *segments = (const void *)(__ehdr_start + header->e_phoff);

    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
            return (uint64_t)(uintptr_t)__ehdr_start - segments[i].p_vaddr;
    }
    fail();
    return 0;
}

static void own_build_id(char *hex, size_t capacity)
{
    extern const char __ehdr_start[];
    const Elf64_Ehdr *header = (const void *)__ehdr_start;
    const Elf64_Phdr *segments = (const void *)(__ehdr_start + header->e_phoff);

    hex[0] = '\0';
    for (unsigned i = 0; i < header->e_phnum && hex[0] == '\0'; i++) {
        if (segments[i].p_type == PT_NOTE)
            ls_elf_build_id((const void *)(uintptr_t)(load_bias() + segments[i].p_vaddr),
                            segments[i].p_memsz, hex, capacity);
    }
}

static void a_real_program_is_named(void **state)
{
    struct ls_symbols_query query = {.offset =
                                         (uint64_t)(uintptr_t)named_by_its_own_test - load_bias(),
                                     .name = names[0],
                                     .capacity = sizeof(names[0])};
    char build_id[LS_SYMBOLS_BUILD_ID_MAX];

    (void)state;
    own_build_id(build_id, sizeof(build_id));
    assert_int_equal(ls_symbols_name("/proc/self/exe", build_id, &query, 1), 1);
    assert_string_equal(names[0], "named_by_its_own_test");
}

/* Expected texts are those of `c++filt -p`, with template arguments left out as "<...>". */
static void names_read_as_in_the_source(void **state)
{
    static const char *const cases[][2] = {
        {"_ZN4node6Buffer3NewEPN2v87IsolateEm", "node::Buffer::New"},
        {"_ZN2v88internal12_GLOBAL__N_13runEv", "v8::internal::(anonymous namespace)::run"},
        {"_ZNK2v86String6LengthEv", "v8::String::Length"},
        {"_ZN2v811HandleScopeC1EPNS_7IsolateE", "v8::HandleScope::HandleScope"},
        {"_ZN2v811HandleScopeD2Ev", "v8::HandleScope::~HandleScope"},
        {"_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<...>::push_back"},
        {"_ZNSt6vectorISt4pairIiNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEESaIS7_EED1Ev",
         "std::vector<...>::~vector"},
        {"_ZNSs6appendEPKc", "std::string::append"},
        {"_ZNSaIcEC1Ev", "std::allocator<...>::allocator"},
        {"_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_", "std::move<...>"},
        {"_ZSt9terminatev", "std::terminate"},
        {"_Z3fooii", "foo"},
        {"_ZL7local_fv", "local_f"},
        {"_ZN4nodeL5stuffEv", "node::stuff"},
        {"_Znwm", "operator new"},
        {"_ZdaPv", "operator delete[]"},
        {"_ZN3FooclEi", "Foo::operator()"},
        {"_ZNK3FooeqERKS_", "Foo::operator=="},
        {"_ZN3BarixEm", "Bar::operator[]"},
        {"_ZNKR3Foo3barEv", "Foo::bar"},
        {"_ZN3Foo3barB5cxx11Ev", "Foo::bar[abi:cxx11]"},
        {"_ZThn80_N4node7TLSWrap5ErrorEv", "non-virtual thunk to node::TLSWrap::Error"},
        {"_ZN2v88internal4Heap5SweepEv.part.0", "v8::internal::Heap::Sweep"},
        {"_ZN1AIXadL_ZN1B1fEvEEE3runEv", "A<...>::run"},
        {"_ZN1AILi3ELb1ELn5EE3runEv", "A<...>::run"},
        {"_ZN1AIPFivERA3_iM1BKFvvEDnDpT_JicEE3runEv", "A<...>::run"},
        {"_ZZN4node3runEPKcENKUlvE_clEv", "node::run::{lambda}::operator()"},
        {"_ZZ4mainE5thing_0", "main::thing"},
        {"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"},
    };
    char name[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ls_demangle(cases[i][0], name, sizeof(name));
        assert_string_equal(name, cases[i][1]);
    }
}

static void names_not_understood_stay_as_they_are(void **state)
{
    static const char *const unchanged[] = {
        "",
        "main",
        "_Z",
        "_ZN",
        "_ZN4node",
        "_ZN4nodeEX",
        "_ZNE",
        "_ZN9node",
        "_ZN99999999999999999999a3fooEv",
        "_ZNS_3fooEv",
        "_ZTV3Foo",
        "_ZN3FoocvbEv",
        "_ZN3FooIDTfp_EE3barEv",
        "__libc_start_main",
        "_ZN3FooI",
        "_ZC1Ev",
        "_ZN3Foo",
        "_ZNDDEv",
        "_ZZ4mainE",
        "_ZUlvE",
        "uv__io_poll",
    };
    char name[256];

    (void)state;
    for (size_t i = 0; i < sizeof(unchanged) / sizeof(unchanged[0]); i++) {
        ls_demangle(unchanged[i], name, sizeof(name));
        if (strcmp(unchanged[i], "_ZN4nodeEX") == 0)
            assert_string_equal(name, "node");
        else
            assert_string_equal(name, unchanged[i]);
    }
}

static void deep_nesting_and_small_buffers_are_survived(void **state)
{
    static char deep[20001];
    char name[16];

    (void)state;
    strcpy(deep, "_ZN1AI");
    memset(deep + 6, 'P', sizeof(deep) - 7);
    ls_demangle(deep, name, sizeof(name));
    assert_string_equal(name, "_ZN1AIPPPPPPPPP");
    for (size_t i = 2; i + 1 < sizeof(deep); i++)
        deep[i] = 'Z';
    ls_demangle(deep, name, sizeof(name));
    assert_string_equal(name, "_ZZZZZZZZZZZZZZ");
    ls_demangle("_ZN4node6Buffer3NewEv", name, 8);
    assert_string_equal(name, "node::B");
    ls_demangle("_ZN4node6BufferC1Ev", name, 8);
    ls_demangle("_ZN4node6BufferC1Ev", name, 1);
    assert_string_equal(name, "");
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(an_address_gets_the_innermost_global_function_around_it),
        WITH_FILE(an_address_between_functions_has_no_name),
        WITH_FILE(a_function_without_a_size_reaches_to_the_end_of_its_section),
        WITH_FILE(a_file_replaced_since_it_was_loaded_names_nothing),
        WITH_FILE(a_stripped_file_falls_back_to_its_dynamic_symbols),
        WITH_FILE(a_name_that_does_not_fit_is_cut),
        WITH_FILE(what_is_no_elf_file_is_refused),
        WITH_FILE(every_truncation_is_survived),
        WITH_FILE(every_damaged_byte_is_survived),
        cmocka_unit_test(a_build_id_is_read_from_notes_in_memory),
        cmocka_unit_test(a_real_program_is_named),
        cmocka_unit_test(names_read_as_in_the_source),
        cmocka_unit_test(names_not_understood_stay_as_they_are),
        cmocka_unit_test(deep_nesting_and_small_buffers_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
