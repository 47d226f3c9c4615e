/*
 * Whether a program will load what LD_PRELOAD names, told from its file alone.
 *
 * Files are opened read-only and close-on-exec and nothing in them is trusted: every offset and
 * length is checked against a bound before it is used. An answer can be wrong when the file changes
 * before it is executed; it is only used for what is said to the user.
 */
#ifndef LS_CLI_ELF_CHECK_H
#define LS_CLI_ELF_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* What must be equal for one object to be loaded into a process with another. */
struct ls_elf_identity {
    unsigned char class;
    unsigned char byte_order;
    uint16_t machine;
};

/* 0, -ENOEXEC when the file is no shared library, or what opening and reading it returned. */
int ls_elf_identify_library(const char *path, struct ls_elf_identity *identity);

/*
 * The file execvp() would run for a command, in `path`: 0, -ENOENT, or -ENAMETOOLONG.
 */
int ls_elf_find_program(const char *command, char *path, size_t size);

enum ls_elf_answer {
    LS_ELF_TRACKED,
    LS_ELF_OWN_MALLOC, /* the library is loaded, but its malloc is not the one that is called */
    LS_ELF_UNTRACKED,  /* the library cannot be loaded */
};

/*
 * What will become of the program at `path`, and unless it is tracked the reason, appended as a
 * clause ("it is statically linked"). A script stands for its interpreter. A file that cannot be
 * read gets the benefit of the doubt.
 */
enum ls_elf_answer ls_elf_check_program(const char *path, const struct ls_elf_identity *library,
                                        struct ls_text *reason);

#endif
