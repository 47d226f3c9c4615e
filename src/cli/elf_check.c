#include "cli/elf_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/elf_symbols.h"

/* The kernel reads this much of a file to find its interpreter, and follows a script to a script
 * so many times (BINPRM_BUF_SIZE and exec_binprm in
 * https://github.com/torvalds/linux/blob/master/fs/exec.c). */
#define SCRIPT_LINE_MAX    256
#define SCRIPT_NESTING_MAX 5

/* More than any program has; a header that says more is not worth reading. */
#define PROGRAM_HEADERS_MAX 256

/* Reads until `size` bytes or the end of the file; the number of bytes, or -errno. */
static ssize_t read_at(int file, void *buffer, size_t size, off_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(file, (char *)buffer + done, size - done, offset + (off_t)done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* e_ident, e_type and e_machine lie at the same place in files of 32 and of 64 bits. */
static bool identify(const unsigned char *bytes, size_t size, struct ls_elf_identity *identity,
                     uint16_t *type)
{
    const size_t needed = offsetof(Elf64_Ehdr, e_machine) + sizeof(uint16_t);
    unsigned low;
    unsigned high;

    if (size < needed || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return false;
    identity->class = bytes[EI_CLASS];
    identity->byte_order = bytes[EI_DATA];
    low = identity->byte_order == ELFDATA2MSB ? 1 : 0;
    high = 1 - low;
    *type = (uint16_t)(bytes[EI_NIDENT + low] | bytes[EI_NIDENT + high] << 8);
    identity->machine = (uint16_t)(bytes[EI_NIDENT + 2 + low] | bytes[EI_NIDENT + 2 + high] << 8);
    return true;
}

int ls_elf_identify_library(const char *path, struct ls_elf_identity *identity)
{
    unsigned char bytes[sizeof(Elf64_Ehdr)];
    uint16_t type;
    ssize_t size;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (file < 0)
        return -errno;
    size = read_at(file, bytes, sizeof(bytes), 0);
    close(file);
    if (size < 0)
        return (int)size;
    if (!identify(bytes, (size_t)size, identity, &type) || type != ET_DYN)
        return -ENOEXEC;
    return 0;
}

static bool is_executable_file(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

int ls_elf_find_program(const char *command, char *path, size_t size)
{
    const char *directory = getenv("PATH");

    if (strchr(command, '/') != NULL) {
        if (strlen(command) >= size)
            return -ENAMETOOLONG;
        strcpy(path, command);
        return access(path, F_OK) == 0 ? 0 : -ENOENT;
    }
    /* What glibc's execvp falls back to. */
    if (directory == NULL)
        directory = "/bin:/usr/bin";
    while (*command != '\0') {
        size_t length = strcspn(directory, ":");
        int written = snprintf(path, size, "%.*s%s%s", (int)length, directory,
                               length == 0 ? "" : "/", command);

        if (length < PATH_MAX && written > 0 && (size_t)written < size && is_executable_file(path))
            return 0;
        if (directory[length] == '\0')
            break;
        directory += length + 1;
    }
    return -ENOENT;
}

/*
 * The kernel makes the process secure, and the loader then ignores LD_PRELOAD, when it runs with
 * rights its caller does not have (cap_bprm_creds_from_file in
 * https://github.com/torvalds/linux/blob/master/security/commoncap.c).
 */
static bool gains_rights(const char *path, struct ls_text *reason)
{
    struct stat status;
    struct statvfs system;

    if (stat(path, &status) != 0 || statvfs(path, &system) != 0 || (system.f_flag & ST_NOSUID))
        return false;
    if ((status.st_mode & S_ISUID) && status.st_uid != getuid())
        ls_text_string(reason, "it is set-uid, and the loader ignores LD_PRELOAD in such programs");
    else if ((status.st_mode & S_ISGID) && (status.st_mode & S_IXGRP) && status.st_gid != getgid())
        ls_text_string(reason, "it is set-gid, and the loader ignores LD_PRELOAD in such programs");
    else if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        ls_text_string(reason, "it has file capabilities, and the loader ignores LD_PRELOAD in "
                               "such programs");
    else
        return false;
    return true;
}

static void describe_machine(struct ls_text *reason, const struct ls_elf_identity *identity)
{
    static const struct {
        uint16_t machine;
        const char *name;
    } machines[] = {
        {EM_386, "i386"},     {EM_X86_64, "x86-64"}, {EM_ARM, "arm"},   {EM_AARCH64, "aarch64"},
        {EM_RISCV, "risc-v"}, {EM_PPC64, "ppc64"},   {EM_S390, "s390"}, {EM_LOONGARCH, "loongarch"},
    };
    const char *name = NULL;

    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (machines[i].machine == identity->machine)
            name = machines[i].name;
    }
    ls_text_string(reason, identity->class == ELFCLASS32 ? "32-bit " : "64-bit ");
    if (name != NULL) {
        ls_text_string(reason, name);
    } else {
        ls_text_string(reason, "ELF machine ");
        ls_text_unsigned(reason, identity->machine);
    }
}

/* musl's loader cannot satisfy what a library built against glibc needs. */
static bool loader_fits(const char *loader, struct ls_text *reason)
{
    const char *slash = strrchr(loader, '/');

    if (strncmp(slash != NULL ? slash + 1 : loader, "ld-musl", strlen("ld-musl")) != 0)
        return true;
    ls_text_string(reason, "it is linked against musl, the library against glibc");
    return false;
}

/* `file` is known to be of the library's class and byte order, which are this program's. */
static bool check_loader(int file, struct ls_text *reason)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) program_header;
    char loader[PATH_MAX];

    if (read_at(file, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        header.e_phentsize != sizeof(program_header) || header.e_phnum > PROGRAM_HEADERS_MAX ||
        header.e_phoff > LONG_MAX / 2)
        return true;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        off_t offset = (off_t)header.e_phoff + (off_t)(i * sizeof(program_header));
        ssize_t size;

        if (read_at(file, &program_header, sizeof(program_header), offset) !=
            (ssize_t)sizeof(program_header))
            return true;
        if (program_header.p_type != PT_INTERP)
            continue;
        if (program_header.p_filesz >= sizeof(loader) || program_header.p_offset > LONG_MAX / 2)
            return true;
        size = read_at(file, loader, program_header.p_filesz, (off_t)program_header.p_offset);
        loader[size > 0 ? size : 0] = '\0';
        return loader_fits(loader, reason);
    }
    ls_text_string(reason, "it is statically linked, and no loader reads LD_PRELOAD for it");
    return false;
}

/*
 * The program a script's first line names. `env` is looked through, options and assignments before
 * the name included; its other ways to name a program are left at env itself.
 */
static bool find_interpreter(char *line, char *path, size_t size)
{
    static const char blanks[] = " \t";
    char *word;
    char *rest;
    const char *base;

    line[strcspn(line, "\n")] = '\0';
    word = strtok_r(line + 2, blanks, &rest);
    if (word == NULL || strlen(word) >= size)
        return false;
    strcpy(path, word);
    base = strrchr(path, '/');
    if (strcmp(base != NULL ? base + 1 : path, "env") != 0)
        return true;
    while ((word = strtok_r(NULL, blanks, &rest)) != NULL) {
        char found[PATH_MAX];

        if (word[0] == '-' || strchr(word, '=') != NULL)
            continue;
        if (ls_elf_find_program(word, found, sizeof(found)) == 0 && strlen(found) < size)
            strcpy(path, found);
        break;
    }
    return true;
}

/* When the answer is with another file, its path is left in `interpreter`. */
static bool check_file(const char *path, int file, const struct ls_elf_identity *library,
                       struct ls_text *reason, char interpreter[PATH_MAX])
{
    unsigned char bytes[SCRIPT_LINE_MAX + 1] = {0};
    struct ls_elf_identity identity;
    uint16_t type;
    ssize_t size = read_at(file, bytes, SCRIPT_LINE_MAX, 0);

    if (size < 2)
        return true;
    if (bytes[0] == '#' && bytes[1] == '!') {
        /* Set-uid bits and capabilities of a script have no effect. */
        if (!find_interpreter((char *)bytes, interpreter, PATH_MAX))
            interpreter[0] = '\0';
        return true;
    }
    if (!identify(bytes, (size_t)size, &identity, &type)) {
        /* execvp gives a text without a first line of this kind to the shell. */
        strcpy(interpreter, "/bin/sh");
        return true;
    }
    if (identity.class != library->class || identity.byte_order != library->byte_order ||
        identity.machine != library->machine) {
        ls_text_string(reason, "it is a program for ");
        describe_machine(reason, &identity);
        ls_text_string(reason, ", the library is for ");
        describe_machine(reason, library);
        return false;
    }
    if (gains_rights(path, reason))
        return false;
    if (identity.class != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return true;
    return check_loader(file, reason);
}

enum ls_elf_answer ls_elf_check_program(const char *path, const struct ls_elf_identity *library,
                                        struct ls_text *reason)
{
    char current[PATH_MAX];
    char interpreter[PATH_MAX];
    enum ls_elf_answer answer = LS_ELF_TRACKED;

    if (strlen(path) >= sizeof(current))
        return answer;
    strcpy(current, path);
    for (unsigned i = 0; i <= SCRIPT_NESTING_MAX && answer == LS_ELF_TRACKED && current[0] != '\0';
         i++) {
        size_t before = reason->length;
        /* Not blocked by a pipe that carries the name of a command. */
        int file = open(current, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        bool fits;

        if (i > 0) {
            ls_text_string(reason, "its interpreter is ");
            ls_text_string(reason, current);
            ls_text_string(reason, ", and ");
        }
        interpreter[0] = '\0';
        if (file < 0) {
            /* May be executed without being readable, unless it is a script. */
            fits = !gains_rights(current, reason);
        } else {
            fits = check_file(current, file, library, reason, interpreter);
            if (fits && interpreter[0] == '\0' && ls_elf_has_malloc(file)) {
                ls_text_string(reason, "it has a malloc of its own");
                answer = LS_ELF_OWN_MALLOC;
            }
            close(file);
        }
        if (!fits)
            answer = LS_ELF_UNTRACKED;
        if (answer == LS_ELF_TRACKED) {
            reason->length = before;
            reason->bytes[before] = '\0';
            strcpy(current, interpreter);
        }
    }
    return answer;
}
