/*
 * How V8's own objects lie in memory, as far as a stack frame is followed to its function's name:
 * from the constants that V8 exports for debuggers, the symbols v8dbg_*
 * (https://github.com/nodejs/node/blob/v24.x/deps/v8/tools/gen-postmortem-metadata.py).
 *
 * ls_v8_layout_find takes the loader's lock (dlsym): no lock held, and not from a hook that malloc
 * may reach. What it fills never changes.
 */
#ifndef LS_V8_LAYOUT_H
#define LS_V8_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets in bytes from the start of an object; a tagged pointer is one more than that start. */
struct ls_v8_layout {
    int frame_function; /* from the frame pointer, as the next */
    int frame_context;
    int frame_bytecode; /* of a frame that runs no optimised code */

    int map_instance_type; /* 16 bits wide */
    int function_shared;
    int shared_name; /* a name, or the scope info that has it */
    int shared_script;
    int script_source;
    int script_name;
    int script_line_ends;
    int string_length; /* 32 bits wide */
    int string_characters;
    int string_first; /* of a cons string */
    int string_second;
    int string_actual;   /* of a thin string */
    int string_resource; /* of an external string; the address of its characters follows */

    /* Instance types. */
    int type_bytecode;
    int type_shared;
    int type_script;
    int type_scope_info;

    int scope_first_local; /* index, in words after the map, of a scope info's first local's name */
};

/* Words of a Script that have no constant of their own, next to those that do: type, line_ends, id
 * and source, name, line_offset, column_offset, unchanged from V8 10.2 to 13.6
 * (https://github.com/nodejs/node/blob/v24.x/deps/v8/src/objects/script.tq). */
static inline int ls_v8_script_id(const struct ls_v8_layout *layout)
{
    return layout->script_line_ends + (int)sizeof(uintptr_t);
}
static inline int ls_v8_script_line_offset(const struct ls_v8_layout *layout)
{
    return layout->script_name + (int)sizeof(uintptr_t);
}

/* False when a constant is missing or V8's objects are not laid out as they are read here
 * (compressed pointers, for one). `scope` is dlsym's. */
bool ls_v8_layout_find(struct ls_v8_layout *layout, void *scope);

/* Tagged words: the lowest bit tells an object from a small integer, which is in the upper half. */
static inline bool ls_v8_is_object(uintptr_t word)
{
    return (word & 3) == 1;
}
static inline bool ls_v8_is_small(uintptr_t word)
{
    return (word & 1) == 0;
}
static inline int32_t ls_v8_small(uintptr_t word)
{
    return (int32_t)((intptr_t)word >> 32);
}
static inline uintptr_t ls_v8_field(uintptr_t object, int offset)
{
    return object - 1 + (uintptr_t)offset;
}

#endif
