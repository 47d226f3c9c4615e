#include "v8/heap_text.h"

#include <string.h>

#include "system/guarded_read.h"

#define STRING_TYPES        0x80 /* instance types below are strings (FIRST_NONSTRING_TYPE) */
#define REPRESENTATION_MASK 7
#define ONE_BYTE            8
#define FOLLOWED_MAX        4 /* strings that stand for others, one inside the other */
#define PIECE_BYTES         256

enum representation { SEQUENTIAL = 0, CONS = 1, EXTERNAL = 2, SLICED = 3, THIN = 5 };

/* Where a flat string's characters lie. */
struct characters {
    uintptr_t address;
    uint32_t length;
    bool one_byte;
};

struct head {
    uint16_t type;
    uint32_t length;
    uintptr_t words[4]; /* from the start of the object: as many as any kind of string has */
};

static bool read_one(uintptr_t address, void *into, size_t size)
{
    struct ls_guarded_read read = {.address = address, .into = into, .size = size};

    return ls_guarded_read(&read, 1) == 0 && read.done;
}

static bool read_head(const struct ls_v8_layout *layout, uintptr_t string, struct head *head)
{
    if (!ls_v8_is_object(string) || !read_one(string - 1, head->words, sizeof(head->words)) ||
        !ls_v8_is_object(head->words[0]) ||
        !read_one(ls_v8_field(head->words[0], layout->map_instance_type), &head->type,
                  sizeof(head->type)))
        return false;
    memcpy(&head->length, (const char *)head->words + layout->string_length, sizeof(head->length));
    return head->type < STRING_TYPES;
}

static uintptr_t word_of(const struct head *head, int offset)
{
    return head->words[(size_t)offset / sizeof(head->words[0])];
}

/* Follows strings that stand for another; a cons string does when its second half is empty. */
static bool locate(const struct ls_v8_layout *layout, uintptr_t string, struct head *head,
                   struct characters *characters)
{
    for (int i = 0; i < FOLLOWED_MAX; i++) {
        struct head second;

        if (!read_head(layout, string, head))
            return false;
        characters->length = head->length;
        characters->one_byte = (head->type & ONE_BYTE) != 0;
        switch (head->type & REPRESENTATION_MASK) {
        case SEQUENTIAL:
            characters->address = ls_v8_field(string, layout->string_characters);
            return true;
        case EXTERNAL:
            characters->address = word_of(head, layout->string_resource + (int)sizeof(uintptr_t));
            return true;
        case THIN:
            string = word_of(head, layout->string_actual);
            break;
        case CONS:
            if (!read_head(layout, word_of(head, layout->string_second), &second) ||
                second.length != 0)
                return false;
            string = word_of(head, layout->string_first);
            break;
        default:
            return false;
        }
    }
    return false;
}

static size_t put_utf8(uint32_t code, char *buffer, size_t room)
{
    if (code < 0x80 && room >= 1) {
        buffer[0] = (char)code;
        return 1;
    }
    if (code >= 0x80 && code < 0x800 && room >= 2) {
        buffer[0] = (char)(0xc0 | code >> 6);
        buffer[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code >= 0x800 && code < 0x10000 && room >= 3) {
        buffer[0] = (char)(0xe0 | code >> 12);
        buffer[1] = (char)(0x80 | (code >> 6 & 0x3f));
        buffer[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    if (code >= 0x10000 && room >= 4) {
        buffer[0] = (char)(0xf0 | code >> 18);
        buffer[1] = (char)(0x80 | (code >> 12 & 0x3f));
        buffer[2] = (char)(0x80 | (code >> 6 & 0x3f));
        buffer[3] = (char)(0x80 | (code & 0x3f));
        return 4;
    }
    return 0;
}

/* The character at `*index`, which moves on past it; halves of a pair that stand alone become
 * U+FFFD. */
static uint32_t next_code(const void *piece, bool one_byte, size_t count, size_t *index)
{
    const uint16_t *units = piece;
    uint32_t unit;
    size_t at = (*index)++;

    if (one_byte)
        return ((const uint8_t *)piece)[at];
    unit = units[at];
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit < 0xdc00 && at + 1 < count && units[at + 1] >= 0xdc00 && units[at + 1] <= 0xdfff) {
        ++*index;
        return 0x10000 + ((unit - 0xd800) << 10) + (units[at + 1] - 0xdc00u);
    }
    return 0xfffd;
}

static size_t write_flat(const struct characters *characters, char *buffer, size_t capacity)
{
    uint16_t piece[PIECE_BYTES / sizeof(uint16_t)];
    size_t width = characters->one_byte ? 1 : 2;
    size_t used = 0;

    for (uint32_t start = 0; start < characters->length && used < capacity;) {
        size_t count = characters->length - start;
        size_t index = 0;

        if (count > PIECE_BYTES / width)
            count = PIECE_BYTES / width;
        if (!read_one(characters->address + start * width, piece, count * width))
            break;
        /* A pair is not torn at the piece's end, unless the string ends there. */
        while (index < count && (width == 1 || index + 1 < count ||
                                 start + count == characters->length || count == 1)) {
            size_t put = put_utf8(next_code(piece, characters->one_byte, count, &index),
                                  buffer + used, capacity - used);

            if (put == 0)
                return used;
            used += put;
        }
        start += (uint32_t)index;
    }
    return used;
}

static size_t write_string(const struct ls_v8_layout *layout, uintptr_t string, char *buffer,
                           size_t capacity, int nested)
{
    struct characters characters;
    struct head head;
    size_t used;

    if (locate(layout, string, &head, &characters))
        return write_flat(&characters, buffer, capacity);
    /* Where `locate` gave up at a cons string, `head` is that string's. */
    if (nested == FOLLOWED_MAX || !read_head(layout, string, &head) ||
        (head.type & REPRESENTATION_MASK) != CONS)
        return 0;
    used = write_string(layout, word_of(&head, layout->string_first), buffer, capacity, nested + 1);
    return used + write_string(layout, word_of(&head, layout->string_second), buffer + used,
                               capacity - used, nested + 1);
}

size_t ls_v8_heap_text_write(const struct ls_v8_layout *layout, uintptr_t word, char *buffer,
                             size_t capacity)
{
    return write_string(layout, word, buffer, capacity, 0);
}

/* As V8 counts lines: LF, CR, CR LF, and two characters of Unicode
 * (https://tc39.es/ecma262/#sec-line-terminators). */
static bool ends_line(uint32_t unit, uint32_t next)
{
    return unit == '\n' || (unit == '\r' && next != '\n') || unit == 0x2028 || unit == 0x2029;
}

static void count_lines(const void *piece, bool one_byte, size_t count,
                        struct ls_v8_place_in_text *place)
{
    const uint8_t *bytes = piece;
    const uint16_t *units = piece;

    /* One unit more than `count` was read, for what follows a CR. */
    for (size_t i = 0; i < count; i++) {
        uint32_t unit = one_byte ? bytes[i] : units[i];

        if ((unit <= '\r' || unit >= 0x2028) &&
            ends_line(unit, one_byte ? bytes[i + 1] : units[i + 1])) {
            place->line++;
            place->line_start = place->position + (uint32_t)i + 1;
        }
    }
    place->position += (uint32_t)count;
}

bool ls_v8_heap_text_move(const struct ls_v8_layout *layout, uintptr_t source, uint32_t position,
                          struct ls_v8_place_in_text *place, void *scratch)
{
    struct characters characters;
    struct head head;
    size_t width;

    if (!locate(layout, source, &head, &characters) || position > characters.length)
        return false;
    width = characters.one_byte ? 1 : 2;
    while (place->position < position) {
        size_t count = position - place->position;
        size_t follows;

        if (count > LS_V8_SCRATCH_BYTES / width - 1)
            count = LS_V8_SCRATCH_BYTES / width - 1;
        follows = place->position + count < characters.length ? 1 : 0;
        memset((char *)scratch + count * width, 0, width);
        if (!read_one(characters.address + place->position * width, scratch,
                      (count + follows) * width))
            return false;
        count_lines(scratch, characters.one_byte, count, place);
    }
    return true;
}
