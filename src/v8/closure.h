/*
 * What V8 knows of a function, followed from its shared data: the script, the place where it starts
 * in it, and its names.
 *
 * Many functions are followed at once, level by level, with one system call for each. Every object
 * proves by its type to be what it is taken for. On the isolate's own thread, so that nothing moves
 * meanwhile.
 */
#ifndef LS_V8_CLOSURE_H
#define LS_V8_CLOSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "system/guarded_read.h"
#include "v8/layout.h"

#define LS_V8_CLOSURE_READS 3 /* for each function at once */

#define LS_V8_SHARED_WORDS 6
#define LS_V8_SCRIPT_WORDS 10
#define LS_V8_SCOPE_WORDS  6
#define LS_V8_NAME_WORDS   4

struct ls_v8_closure {
    uintptr_t shared; /* given: a tagged word, of which nothing is known */
    bool sound;       /* all of the following could be found */
    bool scriptless;  /* not sound, because it is one of V8's own functions */
    uint32_t script;  /* its number, above 0, unique in an isolate */
    uint32_t position;
    /* Tagged words that may be strings. The inferred name counts where the own one is empty. */
    uintptr_t own_name;
    uintptr_t inferred_name;
    uintptr_t script_name;
    uintptr_t source;
    /* Where the script starts in the file it is from. */
    int32_t line_offset;
    int32_t column_offset;

    /* Objects on the way, from their starts. */
    uintptr_t shared_words[LS_V8_SHARED_WORDS];
    uintptr_t script_words[LS_V8_SCRIPT_WORDS];
    uintptr_t scope_words[LS_V8_SCOPE_WORDS];
    uintptr_t name_words[LS_V8_NAME_WORDS];
    uint16_t shared_type;
    uint16_t script_type;
    uint16_t scope_type;
};

/* Whether this layout is one that can be followed. */
bool ls_v8_closure_fits(const struct ls_v8_layout *layout);

/* `reads` is memory for count * LS_V8_CLOSURE_READS. 0, or -errno when the kernel refuses guarded
 * reads: then none is sound. */
int ls_v8_closures_follow(const struct ls_v8_layout *layout, struct ls_v8_closure *closures,
                          size_t count, struct ls_guarded_read *reads);

/* The read of an instance type by a tagged map; empty when that is no object. */
struct ls_guarded_read ls_v8_read_type(const struct ls_v8_layout *layout, uintptr_t map,
                                       uint16_t *type);
/* The read of an object's first bytes; empty when it is none. */
struct ls_guarded_read ls_v8_read_object(uintptr_t object, void *into, size_t size);

#endif
