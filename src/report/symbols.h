/*
 * Names for native program counters, read from an ELF file inside the host, without keeping a
 * symbol table in memory: one pass over the table in small reads, for all addresses of a module at
 * once (docs/decisions/0003-symbol-names-by-streaming.md).
 *
 * The file is read with pread and never mapped: a mapped file that shrinks kills its reader with
 * SIGBUS. Every figure in it is untrusted. Blocks on the disk; for the collector's thread, not for
 * a thread of the host that is at work. No allocation, no lock, no state; about 20 KiB of stack.
 */
#ifndef LS_REPORT_SYMBOLS_H
#define LS_REPORT_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 20 bytes are usual; what is longer than fits is cut on both sides of a comparison. */
#define LS_SYMBOLS_BUILD_ID_MAX 129

struct ls_symbols_query {
    /* Address in the module: the program counter less dlpi_addr of dl_iterate_phdr. For a return
     * address give one less, or a call at a function's end is taken for the next function's. */
    uint64_t offset;
    char *name;      /* filled with the readable name, terminated; "" when there is none */
    size_t capacity; /* of `name`, at least 1 */
    size_t tag;      /* the caller's, untouched: queries are reordered */
    uint64_t start;  /* filled with the function's address in the module when named */

    struct { /* private */
        uint64_t value;
        uint64_t preceding_value;
        uint32_t name_index;
        uint32_t preceding_name_index;
        uint16_t preceding_section;
        bool found;
        bool preceding_found;
        bool preceding_open; /* has no size of its own */
        bool global;
    } match;
};

/*
 * Names what it can. Sorts `queries` by offset. `build_id` is the lower-case hexadecimal id the
 * module had when it was loaded, "" when it had none.
 *
 * Returns how many were named, or -errno: -ESTALE when the file's build id is another one (the
 * file was replaced since), -ENOEXEC when it is no ELF file of this machine's kind or damaged,
 * -ENODATA when it has no symbol table; then all names are "".
 */
int ls_symbols_name(const char *path, const char *build_id, struct ls_symbols_query *queries,
                    size_t count);

#endif
