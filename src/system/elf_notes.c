#include "system/elf_notes.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

static void write_hex(char *hex, size_t capacity, const unsigned char *bytes, size_t length)
{
    struct ls_text text;

    ls_text_init(&text, hex, capacity);
    for (size_t i = 0; i < length && text.length + 2 < capacity; i++)
        ls_text_hex(&text, bytes[i], 2);
}

size_t ls_elf_build_id(const void *note_segment, size_t length, char *hex, size_t capacity)
{
    const unsigned char *bytes = note_segment;
    size_t at = 0;

    hex[0] = '\0';
    while (length - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        size_t name_at = at + sizeof(note);
        uint64_t description_at;
        uint64_t next;

        memcpy(&note, bytes + at, sizeof(note));
        description_at = name_at + (((uint64_t)note.n_namesz + 3) & ~UINT64_C(3));
        next = description_at + (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
        if (description_at + note.n_descsz > length)
            break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(bytes + name_at, "GNU", 4) == 0) {
            write_hex(hex, capacity, bytes + description_at, note.n_descsz);
            break;
        }
        if (next > length)
            break;
        at = (size_t)next;
    }
    return strlen(hex);
}

/* The file's own build id, "" when it has none. 0 or -errno. */
