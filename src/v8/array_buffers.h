/*
 * The bytes of an isolate's ArrayBuffers and Buffers, which Node sums up for
 * process.memoryUsage().arrayBuffers and V8 tells nobody.
 *
 * Node keeps the sum in the allocator it gives to V8
 * (https://github.com/nodejs/node/blob/v24.x/src/node_internals.h, NodeArrayBufferAllocator). Where
 * in it, the library finds out from the function that adds to the sum: it is let loose on a blank
 * object.
 *
 * Find: once, takes the loader's lock. Bytes: on the isolate's thread.
 */
#ifndef LS_V8_ARRAY_BUFFERS_H
#define LS_V8_ARRAY_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

struct ls_v8_array_buffers {
    void *(*allocator_of)(void *isolate); /* NULL: the sum cannot be had */
    const void *vtable;                   /* of the class that has it */
    size_t offset;
};

/* `scope` is dlsym's. */
void ls_v8_array_buffers_find(struct ls_v8_array_buffers *buffers, void *scope);

/* -1 when it cannot be had: an allocator of another kind, one more Node does not have. */
int64_t ls_v8_array_buffers_bytes(const struct ls_v8_array_buffers *buffers, void *isolate);

#endif
