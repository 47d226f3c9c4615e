/*
 * The functions of V8 and Node that js tracking calls, found by their mangled names in whatever
 * module holds them: the main program in official builds, libnode.so in distribution builds.
 *
 * C++ members are plain functions with `this` first on x86-64 (System V) and aarch64 (AAPCS64), and
 * a v8::Local is one pointer that travels in a register, because it is trivially copyable
 * (https://itanium-cxx-abi.github.io/cxx-abi/abi.html#calls).
 *
 * ls_v8_symbols_find takes the loader's lock (dlsym, dl_iterate_phdr), so call it with no lock held
 * and not from a hook that malloc may reach. The table is written once, before any other thread
 * reads it, and never changes; fork does not touch it.
 */
#ifndef LS_V8_SYMBOLS_H
#define LS_V8_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "v8/array_buffers.h"

typedef void ls_v8_interrupt_callback(void *isolate, void *data);
typedef void ls_v8_gc_callback(void *isolate, int type, int flags, void *data);

enum {
    /* v8::GCType (https://github.com/nodejs/node/blob/v24.x/deps/v8/include/v8-callbacks.h). */
    LS_V8_GC_MARK_SWEEP_COMPACT = 1 << 2,
    LS_V8_GC_ANY = 0xff,
    LS_V8_SAMPLING_NO_FLAGS = 0,
    /* v8::String::NO_NULL_TERMINATION | REPLACE_INVALID_UTF8, and the same for WriteUtf8V2. */
    LS_V8_WRITE_OPTIONS = 2 | 8,
    LS_V8_WRITE_V2_FLAGS = 2,
};

struct ls_v8_symbols {
    const char *(*get_version)(void);
    void *(*isolate_current)(void);
    bool (*isolate_in_context)(void *isolate);
    void *(*isolate_current_context)(void *isolate);
    void *(*isolate_heap_profiler)(void *isolate);
    void (*isolate_heap_statistics)(void *isolate, void *statistics);
    void (*add_gc_epilogue)(void *isolate, ls_v8_gc_callback *callback, void *data, int filter);
    void (*remove_gc_epilogue)(void *isolate, ls_v8_gc_callback *callback, void *data);
    void (*request_interrupt)(void *isolate, ls_v8_interrupt_callback *callback, void *data);
    void (*heap_statistics_init)(void *statistics);
    void (*handle_scope_open)(void *scope, void *isolate);
    void (*handle_scope_close)(void *scope);
    bool (*sampling_start)(void *profiler, uint64_t sample_bytes, int stack_depth, int flags);
    void (*sampling_stop)(void *profiler);
    void *(*sampling_profile)(void *profiler);
    void *(*node_environment)(void *context);
    void (*node_add_cleanup_hook)(void *isolate, void (*hook)(void *), void *data);
    void *(*node_event_loop)(void *isolate);
    int (*loop_descriptor)(const void *loop);
    /* One of the two, never both null. */
    int (*write_utf8)(const void *string, void *isolate, char *buffer, int length, int *characters,
                      int options);
    size_t (*write_utf8_v2)(const void *string, void *isolate, char *buffer, size_t capacity,
                            int flags, size_t *characters);

    void *scope; /* where dlsym finds all of these */
    struct ls_v8_array_buffers array_buffers;

    /* Where V8's code lies, and the whole image around it: what its vtables must point into. */
    uintptr_t code_start, code_end;
    uintptr_t image_start, image_end;
};

enum ls_v8_lookup {
    LS_V8_LOOKUP_ABSENT,  /* no V8 in this process */
    LS_V8_LOOKUP_FOUND,   /* every function found, version known */
    LS_V8_LOOKUP_UNKNOWN, /* a V8, but not one whose layout is known; *reason says why */
};

/* Fills `symbols`. `reason` gets a constant string, or stays as it was when V8 is found or absent.
 */
enum ls_v8_lookup ls_v8_symbols_find(struct ls_v8_symbols *symbols, const char **reason);

/* True for the versions whose layouts docs/v8.md lists. */
bool ls_v8_version_known(const char *version);

/* The UTF-8 bytes of a v8::String handle, cut at `capacity`; never splits a character, adds no zero
 * byte. `string` may be NULL: empty. Needs the isolate's thread and an open handle scope. */
size_t ls_v8_string_write(const struct ls_v8_symbols *symbols, const void *string, void *isolate,
                          char *buffer, size_t capacity);

#endif
