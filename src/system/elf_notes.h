/*
 * The notes in which a linker leaves the build id (elf(5), "Notes"). A pure function on bytes that
 * may be anything.
 */
#ifndef LS_SYSTEM_ELF_NOTES_H
#define LS_SYSTEM_ELF_NOTES_H

#include <stddef.h>

/*
 * The build id in a PT_NOTE segment in memory, as lower-case hexadecimal, terminated; "" when it
 * holds none. Returns the number of digits written. `capacity` at least 1.
 */
size_t ls_elf_build_id(const void *note_segment, size_t length, char *hex, size_t capacity);

#endif
